"""`rewardsmith`: the commands, in the order of the story."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from rewardsmith import __version__
from rewardsmith.cli import (
    annotate,
    audit,
    benchmark,
    best_of,
    compare,
    data,
    ensemble,
    evaluate,
    export,
    gate,
    implicit,
    judge,
    merge,
    optimise,
    pressure,
    refresh,
    run,
    score,
    serve,
    serve_key,
    train,
)
from rewardsmith.core.errors import RewardsmithError
from rewardsmith.core.full_disk import full_disk_error, is_full_disk

# What transformers says while it loads (that the head is new) is no news here; its errors are raised.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
if not sys.stderr.isatty():
    # Somebody who waits for a download wants to see it move; a log file does not.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

_CLOSED_PIPE = 141
"""128 + the number of SIGPIPE, as a shell says of a tool that the signal ended."""

app = typer.Typer(
    name="rewardsmith",
    help="Preferences in, a reward model you can trust and use out, with the evidence beside it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    del version  # handled by its callback


app.command("run")(run.run)
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.command("ensemble")(ensemble.ensemble)
app.command("merge")(merge.merge)
app.add_typer(judge.app, name="judge")
app.command("implicit")(implicit.implicit)
app.command("evaluate")(evaluate.evaluate)
app.command("audit")(audit.audit)
app.command("benchmark")(benchmark.benchmark)
app.command("gate")(gate.gate)
app.command("report")(gate.report)
app.command("compare")(compare.compare)
app.command("score")(score.score)
app.command("export")(export.export)
app.command("best-of")(best_of.best_of)
app.command("optimise")(optimise.optimise)
app.command("pressure")(pressure.pressure)
app.command("refresh")(refresh.refresh)
app.command("serve")(serve.serve)
app.command("serve-key")(serve_key.serve_key)
app.add_typer(annotate.app, name="annotate")


def main() -> None:
    """Entry point: our own errors become one line on standard error and their exit code.

    Where the reader of standard output is gone (`| head`), nothing is said and the code is 141, as if by SIGPIPE.
    """
    try:
        _call_and_flush()
    except RewardsmithError as error:
        _fail(error)
    except (BrokenPipeError, SystemExit) as stop:
        if not _is_closed_pipe(stop):
            raise
        sys.exit(_CLOSED_PIPE)
    except OSError as error:
        if not is_full_disk(error):
            raise
        _fail(full_disk_error(error, "standard output"))


def _is_closed_pipe(stop: BaseException) -> bool:
    """click and rich catch the error themselves, and exit with 1."""
    return isinstance(stop, BrokenPipeError) or isinstance(stop.__context__, BrokenPipeError)


def _fail(error: RewardsmithError) -> NoReturn:
    print(f"rewardsmith: {error}", file=sys.stderr)
    sys.exit(error.exit_code)


def _call_and_flush() -> None:
    try:
        app(prog_name="rewardsmith")
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            # What could not be written stays in the buffer, and the interpreter would try, and fail, once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise
