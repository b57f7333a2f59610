"""The labelling server's application: guards around the pages, over one store.

A request meets, from the outside to the inside:

1. `SafeHeaders`: whatever is answered, the browser is told to run and load nothing but this server's own files.
2. `RequestLog`: it gets its id; whatever is raised becomes an answer; its log line is written, by route, never by path:
   the path of an access link holds the link.
3. `BodyLimit`: its body is read, no further than the limit and no longer than the time-out (413, 408).
4. The page: the session (401), the role (403), for what changes something the form's token (403), the form (422).

An error is a page for a browser that asks for one, and the envelope of `web.errors` for everybody else.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from rewardsmith import __version__
from rewardsmith.annotate.pages import adjudicate, files, guidelines, sign_in, task, votes
from rewardsmith.annotate.pages.dashboard import routes as dashboard
from rewardsmith.annotate.pages.rendering import page
from rewardsmith.annotate.server_settings import ServerSettings
from rewardsmith.annotate.store import LabelStore
from rewardsmith.core.errors import RewardsmithError
from rewardsmith.web.body import BodyLimit
from rewardsmith.web.errors import error_reply, fault_of
from rewardsmith.web.limits import Allowance, RateLimiter
from rewardsmith.web.requests import RequestLog, record_of

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
"""Nothing from elsewhere, nothing inline, and no text that a script makes HTML of."""

PAGES = (files, sign_in, task, votes, guidelines, adjudicate, dashboard)
"""One module a page; each has its `router`."""

_SAFE = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class SafeHeaders:
    """ASGI middleware, outermost: what every reply tells the browser, unless a page has said so itself."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def telling(message: Any) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in _SAFE.items() if name.encode() not in said]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self.app(scope, receive, telling if scope["type"] == "http" else send)


def create_app(store: LabelStore, settings: ServerSettings | None = None) -> FastAPI:
    """The application over `store`, which whoever opened it closes."""
    settings = settings or ServerSettings()
    # No schema and no /docs: these are pages. What a script of another's may ask is in docs/annotate.md.
    app = FastAPI(
        title="rewardsmith annotate",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.store = store
    app.state.settings = settings
    burst_s = settings.links_burst / settings.links_per_s
    app.state.links = RateLimiter(Allowance(requests_per_s=settings.links_per_s, burst_s=burst_s))
    for kind in (RewardsmithError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _tell)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s)
    app.add_middleware(RequestLog)
    app.add_middleware(SafeHeaders)
    for module in PAGES:
        app.include_router(module.router)
    return app


async def _tell(request: Request, error: Exception) -> Response:
    """The error as a page, where a browser wants one; else as the envelope."""
    fault = fault_of(error)
    record = record_of(request)
    record.note(error=fault.kind)
    if "text/html" not in request.headers.get("accept", ""):
        return error_reply(error, request_id=record.id)
    project = request.path_params.get("project")
    back = f"/p/{project}" if project and fault.status != 401 else "/"
    return page(
        request,
        "problem.html.jinja",
        status=fault.status,
        headers=fault.headers,
        fault=fault,
        back=back,
        request_id=record.id,
    )
