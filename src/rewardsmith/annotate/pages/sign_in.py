"""Signing in by an access link, signing out, and the page at `/`."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from rewardsmith.annotate import sessions
from rewardsmith.annotate.pages.forms import Form
from rewardsmith.annotate.pages.rendering import page
from rewardsmith.core.errors import UnauthorizedError

router = APIRouter()


@router.get("/")
def show_home(request: Request) -> Response:
    """The projects that this browser is signed in to."""
    projects = []
    for name in sessions.presented_projects(request):
        try:
            projects.append(sessions.store_of(request).project(sessions.signed_in(request, name).project))
        except UnauthorizedError:
            continue
    return page(request, "home.html.jinja", projects=projects)


@router.get("/a/{token}")
def show_link(request: Request, token: str) -> Response:
    """A button. The link itself does nothing: mail programs open links to look at them, and it does not say whether it
    is a good one."""
    return page(request, "login.html.jinja", token=token)


@router.post("/a/{token}")
def sign_in(request: Request, token: str) -> Response:
    """A new session, whatever session the browser had before."""
    sessions.require_same_origin(request)
    address = request.client.host if request.client else "local"
    limiter = request.app.state.links
    limiter.admit(f"address {address}", limiter.allowance)
    store = sessions.store_of(request)
    rater = store.redeem(token)
    before = sessions.presented_token(request, rater.project)
    if before:
        store.close_session(before)
    session = store.open_session(rater.id)
    response = RedirectResponse(f"/p/{session.project}", 303)
    sessions.set_session(response, request, session, now=time.time())
    return response


@router.post("/p/{project}/sign-out")
def sign_out(request: Request, project: str, form: Form) -> Response:
    """End the session, here and in the store."""
    sessions.require_same_origin(request)
    session = sessions.signed_in(request, project)
    sessions.require_csrf(request, session, form.get(sessions.CSRF_FIELD))
    sessions.store_of(request).close_session(session.token)
    response = RedirectResponse("/", 303)
    sessions.drop_session(response, request, project)
    return response
