"""`rewardsmith annotate serve`: the labelling server."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from rewardsmith.cli.annotate.options import Database, annotate_extra
from rewardsmith.cli.options import Json
from rewardsmith.cli.output import print_json


def serve(
    db: Database,
    host: Annotated[str | None, typer.Option(help="Address to listen at; this machine's own where absent.")] = None,
    port: Annotated[int | None, typer.Option(help="8100 where absent; 0 takes a free one.")] = None,
    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url", metavar="URL", help="What raters call the server, where a proxy stands before it."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting: `links_per_s=5`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Serve the pages where people label, until a signal says stop.

    Projects and links may be made while it runs. Votes are on the disk before they are acknowledged.
    """
    with annotate_extra():
        from rewardsmith.annotate.server_settings import ServerSettings
        from rewardsmith.pipeline.annotate.serve import serve as run
        from rewardsmith.web.logs import configure_logs
    from rewardsmith.core.settings import override, parse_settings

    said: dict[str, Any] = {"host": host, "port": port, "public_url": public_url}
    given = {name: value for name, value in said.items() if value is not None}
    parsed = parse_settings(ServerSettings, override(given, settings or ()), where="annotate serve")
    configure_logs(sys.stderr)
    run(db, parsed, on_ready=_print_json if as_json else _print)


def _print(url: str) -> None:
    print(f"Serving at {url}", flush=True)


def _print_json(url: str) -> None:
    print_json({"url": url})
    sys.stdout.flush()
