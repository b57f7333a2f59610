"""`rewardsmith serve`: reward models over HTTP, for whatever tool asks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rewardsmith.cli.options import Json
from rewardsmith.core.errors import MissingDependencyError

_EXTRA = ("fastapi", "prometheus_client", "starlette", "uvicorn")

Models = Annotated[
    list[str], typer.Argument(metavar="MODEL...", help="Model folders, also as NAME=FOLDER; the first is the default.")
]


def serve(
    models: Models,
    host: Annotated[str | None, typer.Option(help="Address to listen at; this machine's own where absent.")] = None,
    port: Annotated[int | None, typer.Option(help="8000 where absent; 0 takes a free one.")] = None,
    precision: Annotated[
        Literal["auto", "float32", "bf16"] | None,
        typer.Option(help="`auto` is bf16 for an encoder where the processor gains by it, else float32."),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of each model; all cores where absent.")] = None,
    verdict: Annotated[
        list[Path] | None, typer.Option("--verdict", metavar="FOLDER", help="What `gate --out` wrote; may be repeated.")
    ] = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            "--evaluation", metavar="FOLDER", help="Whose temperature makes probabilities; else what lies by the model."
        ),
    ] = None,
    allow_ungated: Annotated[
        bool, typer.Option("--allow-ungated", help="Serve models that have not passed; each reply then says so.")
    ] = False,
    keys: Annotated[Path | None, typer.Option("--keys", metavar="FILE", help="File of API keys.")] = None,
    no_keys: Annotated[bool, typer.Option("--no-keys", help="Let others than this machine ask without a key.")] = False,
    models_from: Annotated[
        list[Path] | None,
        typer.Option("--models-from", metavar="FOLDER", help="Models below may be loaded over HTTP; may be repeated."),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="FOLDER", help="Keep rewards here for later servers.")
    ] = None,
    traffic_log: Annotated[
        Path | None,
        typer.Option("--traffic-log", metavar="FOLDER", help="Keep a sample of texts and rewards here."),
    ] = None,
    log_texts: Annotated[bool, typer.Option("--log-texts", help="Let log lines hold texts.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting: `max_queue_tokens=100000`."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Serve reward models over HTTP until a signal says stop.

    Speaks our own `/v1/rewards` and the formats of vLLM, TEI, OpenAI embeddings, OpenRLHF and LLaMA-Factory; `/` is a
    page to try it, `/docs` has them all. A model that has not passed its gate is refused.
    """
    said: dict[str, Any] = {
        "host": host,
        "port": port,
        "precision": precision,
        "threads": threads,
        "verdicts": verdict,
        "evaluations": evaluation,
        "allow_ungated": allow_ungated or None,
        "keys_file": keys,
        "no_keys": no_keys or None,
        "model_roots": models_from,
        "cache_folder": cache,
        "traffic_log": traffic_log,
        "log_texts": log_texts or None,
    }
    _serve(models, {name: value for name, value in said.items() if value is not None}, settings or [], as_json)


def _serve(models: list[str], said: dict[str, Any], assignments: list[str], as_json: bool) -> None:
    try:
        from rewardsmith.serve.run import named_models, serve
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise MissingDependencyError(
            f"{error.name} is not installed", wanted="the server's packages", fix="pip install 'rewardsmith[serve]'"
        ) from error
    from rewardsmith.core.settings import override, parse_settings
    from rewardsmith.serve.settings import ServeSettings
    from rewardsmith.web.logs import configure_logs

    settings = parse_settings(ServeSettings, override(said, assignments), where="serve")
    configure_logs(sys.stderr, with_texts=settings.log_texts)
    serve(named_models(models), settings, on_ready=_print_json if as_json else _print)


def _print(ready: Any) -> None:
    for model in ready.models:
        print(f"{model.name}: {model.path} ({model.family}, {model.precision}, gate: {model.verdict.state})")
    print(f"Serving at {ready.url}", flush=True)


def _print_json(ready: Any) -> None:
    import json

    models = [
        {
            "name": model.name,
            "path": model.path,
            "family": model.family,
            "precision": model.precision,
            "max_tokens": model.max_tokens,
            "gate": model.verdict.state,
        }
        for model in ready.models
    ]
    print(json.dumps({"url": ready.url, "models": models}), flush=True)
