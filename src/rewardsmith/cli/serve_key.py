"""`rewardsmith serve-key`: a key for a client of the server, printed once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rewardsmith.cli.options import Json
from rewardsmith.cli.output import print_json
from rewardsmith.core.errors import MissingDependencyError

_EXTRA = ("fastapi", "starlette")


def serve_key(
    name: Annotated[str, typer.Argument(help="Who gets it: letters, digits, `.`, `_`, `-`.")],
    keys: Annotated[Path, typer.Option("--keys", metavar="FILE", help="File of keys; made where it is missing.")],
    role: Annotated[
        Literal["client", "admin"], typer.Option(help="An admin may also load, swap and unload models.")
    ] = "client",
    as_json: Json = False,
) -> None:
    """Make an API key. The file keeps its digest only, so what is printed here is nowhere else.

    A running server knows it within a second, as it does when an entry is taken out of the file.
    """
    try:
        from rewardsmith.web.store import add_key
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise MissingDependencyError(
            f"{error.name} is not installed", wanted="the server's packages", fix="pip install 'rewardsmith[serve]'"
        ) from error

    key = add_key(keys, name, role=role)
    if as_json:
        print_json({"name": name, "role": role, "key": key})
    else:
        print(key)
