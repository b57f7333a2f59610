"""`rewardsmith score`: rewards for a file or for standard input."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from rewardsmith.cli.options import Truncate
from rewardsmith.core.errors import SettingsError

_WEIGHT = "ATTRIBUTE=NUMBER"


def score(
    model: Annotated[str, typer.Argument(help="Checkpoint folder or hub id.")],
    file: Annotated[str, typer.Argument(help="JSON lines; `-` is standard input.")] = "-",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Instead of standard output.")] = None,
    engine: Annotated[
        Literal["fast", "reference", "ray"],
        typer.Option(help="`reference` scores one text at a time, in float32; `ray` is `fast` in several processes."),
    ] = "fast",
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes of `--engine ray`; 2 where absent. Each holds the model.")
    ] = None,
    truncate: Truncate = False,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="FOLDER", help="Keep rewards here: nothing is computed twice, even if killed."),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(metavar=_WEIGHT, help="Of a model with several attributes: the reward is their weighted sum."),
    ] = None,
) -> None:
    """One JSON line out for each line in, with its rewards, in order.

    A line holds `messages`, or `prompt` with `response`, `responses`, or `chosen` and `rejected`. Rewards can be
    compared within a prompt only.
    """
    from rewardsmith.pipeline.score import score_file

    overlength = "truncate" if truncate else "raise"
    weights = _weights(weight) if weight else None
    if engine == "ray":
        _score_in_bulk(model, file, out, workers=workers or 2, overlength=overlength, cache=cache, weights=weights)
        return
    if workers is not None:
        raise SettingsError("one process scores", wanted="--engine ray", got=f"--workers {workers}", where="--workers")
    done = score_file(model, file, out=out, engine=engine, overlength=overlength, cache=cache, weights=weights)
    print(done, file=sys.stderr)


def _score_in_bulk(
    model: str,
    file: str,
    out: Path | None,
    *,
    workers: int,
    overlength: Literal["raise", "truncate"],
    cache: Path | None,
    weights: Mapping[str, float] | None,
) -> None:
    from rewardsmith.pipeline.bulk import score_in_bulk

    if out is None:
        raise SettingsError(
            "no place for the shards", wanted="--out FILE", where="--engine ray", fix="they lie beside that file"
        )
    done = score_in_bulk(model, file, out=out, workers=workers, overlength=overlength, cache=cache, weights=weights)
    print(done, file=sys.stderr)


def _weights(given: Sequence[str]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for one in given:
        name, _, number = one.partition("=")
        try:
            weights[name] = float(number)
        except ValueError as error:
            raise SettingsError("not a weight", wanted=_WEIGHT, got=one, where="--weight") from error
    return weights
