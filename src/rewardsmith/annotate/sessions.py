"""Who is signed in: a cookie a project, whose session the store has; and what a form must hold to be believed."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from rewardsmith.annotate.raters import Role
from rewardsmith.annotate.server_settings import ServerSettings
from rewardsmith.annotate.store import LabelStore, Session
from rewardsmith.core.errors import ForbiddenError, UnauthorizedError
from rewardsmith.web.requests import record_of

CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"

_PREFIX = "rewardsmith-"
_SECURE_PREFIX = "__Host-"
"""A browser takes such a cookie over TLS only, and from nobody but this very host."""


def store_of(request: Request) -> LabelStore:
    """The store that the application serves."""
    return request.app.state.store


def settings_of(request: Request) -> ServerSettings:
    """The settings that the application was made with."""
    return request.app.state.settings


def signed_in(request: Request, project: str) -> Session:
    """The session of whoever asks, in this project.

    Raises:
        UnauthorizedError: There is none. It says the same of a project that does not exist.
    """
    token = request.cookies.get(_cookie(request, project), "")
    session = store_of(request).session(token) if token else None
    if session is None or session.project != project:
        raise UnauthorizedError(
            "you are not signed in to this project",
            wanted="the session that an access link opens",
            fix="open your access link again; the project's owner gives new ones",
        )
    record_of(request).note(key=session.rater.id)
    return session


def require_role(request: Request, project: str, *roles: Role) -> Session:
    """Like `signed_in`, for a page that not every rater may see.

    Raises:
        UnauthorizedError: Nobody is signed in.
        ForbiddenError: The rater has another role.
    """
    session = signed_in(request, project)
    if session.rater.role not in roles:
        raise ForbiddenError(
            "this page is not for your role",
            wanted=" or ".join(roles),
            got=session.rater.role,
            fix=f"go back to /p/{project}",
        )
    return session


def require_csrf(request: Request, session: Session, given: str | None) -> None:
    """That a form or a script of our own page sent this, and not some other site in the same browser.

    Args:
        given: The form's field; a script sends the header in its place.

    Raises:
        ForbiddenError: It holds no token, or one of another session.
    """
    presented = request.headers.get(CSRF_HEADER) or given or ""
    if not hmac.compare_digest(presented.encode("utf-8", "replace"), session.csrf.encode("utf-8")):
        raise ForbiddenError(
            "the form is not of this session",
            wanted=f"the page's own token, as field {CSRF_FIELD} or header {CSRF_HEADER}",
            fix="load the page again, and send the form once more",
        )


def require_same_origin(request: Request) -> None:
    """That no other site sent this: for every form, and the only guard of the one that signs in.

    Browsers say where a request comes from, by `Sec-Fetch-Site` over TLS and on this machine, by `Origin` elsewhere.
    What is no browser says neither, and has no cookies that another site could use.

    Raises:
        ForbiddenError: It comes from elsewhere.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    public = settings_of(request).public_url
    own = {request.headers.get("host", "")} | ({urlsplit(public).netloc} if public else set())
    is_foreign = (
        site not in ("same-origin", "none") if site else origin is not None and urlsplit(origin).netloc not in own
    )
    if is_foreign:
        raise ForbiddenError(
            "another site sent this form", wanted="a form of this server's own pages", got=origin or site
        )


def set_session(response: Response, request: Request, session: Session, *, now: float) -> None:
    """Give the browser the session's cookie: no script can read it, and no other site's form sends it."""
    response.set_cookie(
        _cookie(request, session.project),
        session.token,
        max_age=max(0, int(session.expires - now)),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def drop_session(response: Response, request: Request, project: str) -> None:
    """Take the cookie back."""
    response.delete_cookie(
        _cookie(request, project), path="/", secure=is_secure(request), httponly=True, samesite="lax"
    )


def presented_token(request: Request, project: str) -> str | None:
    """The session token in the browser's cookie, whatever it is worth."""
    return request.cookies.get(_cookie(request, project))


def presented_projects(request: Request) -> list[str]:
    """Names of the projects that the browser has cookies of, in order; whether they are worth anything is not said."""
    prefix = _cookie(request, "")
    return sorted(name.removeprefix(prefix) for name in request.cookies if name.startswith(prefix))


def is_secure(request: Request) -> bool:
    """Whether the browser speaks to the server, or to the proxy before it, over TLS."""
    public = settings_of(request).public_url
    return request.url.scheme == "https" or (public is not None and public.startswith("https:"))


def _cookie(request: Request, project: str) -> str:
    return (_SECURE_PREFIX if is_secure(request) else "") + _PREFIX + project
