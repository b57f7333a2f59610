"""The guidelines, in every version that ever was in force."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from rewardsmith.annotate import sessions
from rewardsmith.annotate.pages.rendering import page

router = APIRouter()


@router.get("/p/{project}/guidelines")
def show_guidelines(
    request: Request, project: str, version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None
) -> Response:
    """The version in force, or an older one: what a rater had when they voted."""
    session = sessions.signed_in(request, project)
    store = sessions.store_of(request)
    newest, text = store.guidelines(project)
    shown, text = (newest, text) if version is None else store.guidelines(project, version)
    return page(
        request,
        "guidelines.html.jinja",
        session=session,
        here="guidelines",
        version_shown=shown,
        newest=newest,
        text=text,
    )
