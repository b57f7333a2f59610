"""`rewardsmith`: the commands, in the order of the story."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from rewardsmith import __version__
from rewardsmith.cli import data, evaluate, run, score, train
from rewardsmith.core.errors import RewardsmithError

# What transformers says while it loads (new head, progress of 100 tensors) is no news here; its errors are raised.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

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
app.command("evaluate")(evaluate.evaluate)
app.command("score")(score.score)


def main() -> None:
    """Entry point: our own errors become one line on standard error and their exit code."""
    try:
        app(prog_name="rewardsmith")
    except RewardsmithError as error:
        print(f"rewardsmith: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output is gone (`| head`): there is nobody to tell, and nothing more to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
