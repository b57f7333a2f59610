"""The body of a form."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from rewardsmith.core.errors import DataError

_TYPE = "application/x-www-form-urlencoded"
_MOST_FIELDS = 256


async def _read(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise HTTPException(415, f"a form is sent as {_TYPE}")
    try:
        body = (await request.body()).decode("ascii")
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"))
    except ValueError as error:
        raise DataError(
            "not a form", wanted=f"at most {_MOST_FIELDS} fields in UTF-8", got=type(error).__name__, where="body"
        ) from error


Form = Annotated[dict[str, str], Depends(_read)]
"""Fields of the form that was sent; of several of one name, the last."""
