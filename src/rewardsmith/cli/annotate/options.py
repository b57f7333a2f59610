"""What the commands of `rewardsmith annotate` share: where the labels are, and the packages that they need."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer

from rewardsmith.core.errors import MissingDependencyError

_EXTRA = (
    "crowdkit",
    "fastapi",
    "markdown_it",
    "nh3",
    "psycopg",
    "python_multipart",
    "sqlalchemy",
    "starlette",
    "uvicorn",
)

Database = Annotated[
    str,
    typer.Option(
        "--db",
        metavar="URL",
        envvar="REWARDSMITH_LABELS",
        help="Where the labels are: a file (SQLite), or postgresql://USER@HOST/NAME.",
    ),
]
Project = Annotated[str, typer.Argument(metavar="PROJECT", help="Short name of the project.")]


@contextlib.contextmanager
def annotate_extra() -> Iterator[None]:
    """Around the imports of a command: what is missing is told with the command that installs it.

    Raises:
        MissingDependencyError: A package of the extra `annotate` is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise MissingDependencyError(
            f"{error.name} is not installed",
            wanted="the packages of the labelling server",
            fix="pip install 'rewardsmith[annotate]'",
        ) from error
