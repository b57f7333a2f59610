"""One envelope for everything that goes wrong: `{"error": {"type", "message", "wanted", …, "request_id"}}`.

What is raised on purpose says what was wanted and what came. What is not (a bug) becomes a 500 that says no more than
the request's id: neither a text of the request nor a line of code.
"""

from __future__ import annotations

import http
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from rewardsmith.core.errors import RewardsmithError, shorten

_HTTP_KINDS = {
    400: "BadRequestError",
    404: "NotFoundError",
    405: "MethodNotAllowedError",
    415: "UnsupportedMediaTypeError",
}
_INTERNAL = "InternalError"


class ErrorDetail(BaseModel):
    """What went wrong, for programs and people."""

    type: str = Field(description="Class of the error.", examples=["OverlengthError"])
    message: str = Field(description="What happened.", examples=["the text has more tokens than the model takes"])
    wanted: str | None = Field(default=None, description="What would have been accepted.", examples=["at most 512"])
    got: str | None = Field(default=None, description="What came instead, shortened.", examples=["731"])
    where: str | None = Field(default=None, description="Key or place in the request.", examples=["input.3"])
    fix: str | None = Field(default=None, description="What to do next.", examples=["ask for truncation"])
    request_id: str = Field(description="As in the header X-Request-Id.", examples=["9f0c2a6d1b7e4c58"])


class ErrorReply(BaseModel):
    """The body of every reply that is not a success."""

    error: ErrorDetail


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as HTTP tells it.

    Attributes:
        status: HTTP status.
        kind: Class of the error: what metrics and logs count.
        headers: Beside the body: `Retry-After`, `WWW-Authenticate`, `Allow`, `Connection`.
    """

    status: int
    kind: str
    message: str
    wanted: str | None = None
    got: str | None = None
    where: str | None = None
    fix: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_json(self, request_id: str) -> dict[str, Any]:
        """The envelope."""
        told = {
            "type": self.kind,
            "message": self.message,
            "wanted": self.wanted,
            "got": self.got,
            "where": self.where,
            "fix": self.fix,
            "request_id": request_id,
        }
        return {"error": told}


def fault_of(error: BaseException) -> Fault:
    """What to tell of `error`. Of one that nobody raised on purpose, nothing but that it happened."""
    match error:
        case RewardsmithError():
            return _ours(error)
        case RequestValidationError():
            return _invalid(error.errors())
        case HTTPException():
            return _http(error)
        case _:
            return Fault(500, _INTERNAL, "an internal error", fix="report the request_id: the server's log has it")


def error_reply(error: BaseException, *, request_id: str) -> Response:
    """The reply to a request that failed by `error`."""
    fault = fault_of(error)
    # json and not orjson: what came may hold half a surrogate pair, which only an escape can tell.
    body = json.dumps(fault.as_json(request_id)).encode("ascii")
    return Response(body, fault.status, headers=dict(fault.headers), media_type="application/json")


def add_error_handlers(app: FastAPI) -> None:
    """Let `app` answer all its errors with the envelope. What is not handled here is by `web.requests.RequestLog`."""
    for kind in (RewardsmithError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _handle)


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route, for OpenAPI: the envelope under each status."""
    return {status: {"model": ErrorReply, "description": http.HTTPStatus(status).phrase} for status in statuses}


async def _handle(request: Request, error: Exception) -> Response:
    record = request.scope.get("state", {}).get("record")
    if record is not None:
        record.note(error=fault_of(error).kind)
    return error_reply(error, request_id="" if record is None else record.id)


def _ours(error: RewardsmithError) -> Fault:
    headers = {}
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        # The header takes whole seconds, and coming too early is refused again.
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    if error.http_status == http.HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.http_status == http.HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"
    kind = type(error).__name__
    return Fault(
        error.http_status, kind, error.problem, error.wanted, error.got, error.where, error.fix, headers=headers
    )


def _invalid(problems: Sequence[Any]) -> Fault:
    first = problems[0]
    place = [str(part) for part in first["loc"] if part != "body"]
    got = first.get("input")
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "")
        return Fault(400, "BadRequestError", "the body is not JSON", got=reason, where=f"character {place[0]}")
    if isinstance(got, bytes) and not place:
        return Fault(415, _HTTP_KINDS[415], "the body is not declared as JSON", wanted="Content-Type: application/json")
    more = f"; {len(problems) - 1} more to correct" if len(problems) > 1 else ""
    return Fault(
        422,
        "InvalidRequestError",
        "the request is not what the route takes",
        wanted=first["msg"],
        # What is missing has no value; pydantic gives what it is missing from.
        got=None if first["type"] == "missing" else shorten(got),
        where=".".join(place) or "body",
        fix=f"correct {'.'.join(place) or 'the body'}{more}; /openapi.json shows every route with an example",
    )


def _http(error: HTTPException) -> Fault:
    kind = _HTTP_KINDS.get(error.status_code, "HttpError")
    fix = "/openapi.json lists the routes" if error.status_code in (404, 405) else None
    return Fault(error.status_code, kind, str(error.detail).lower(), fix=fix, headers=dict(error.headers or {}))
