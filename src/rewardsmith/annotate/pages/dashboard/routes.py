"""The owner's pages: `/p/{project}/dashboard` and three below it. They read and change nothing."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable

from fastapi import APIRouter, Request
from starlette.responses import Response

from rewardsmith.annotate import sessions
from rewardsmith.annotate.pages.dashboard import sections
from rewardsmith.annotate.pages.dashboard.facts import Facts, Watch
from rewardsmith.annotate.pages.rendering import page
from rewardsmith.figures.page import render_sections
from rewardsmith.figures.pieces import Section

router = APIRouter()

_PARTS: dict[str, tuple[str, Callable[[Facts], tuple[Section, ...]]]] = {
    "": ("Overview", sections.overview),
    "/raters": ("Raters", sections.raters),
    "/coverage": ("Coverage", sections.regions),
    "/next": ("Asked next", sections.asked_next),
}
"""Path below the dashboard → name and content."""

_DRAWING = threading.Lock()
"""matplotlib's settings belong to the process: one page is drawn at a time."""


@router.get("/p/{project}/dashboard")
def show_overview(request: Request, project: str) -> Response:
    """Progress, agreement in all and over time, what the labels follow beside quality."""
    return _shown(request, project, "")


@router.get("/p/{project}/dashboard/raters")
def show_raters(request: Request, project: str) -> Response:
    """Rater by rater."""
    return _shown(request, project, "/raters")


@router.get("/p/{project}/dashboard/coverage")
def show_coverage(request: Request, project: str) -> Response:
    """Which prompts have votes, disagreement, or nothing."""
    return _shown(request, project, "/coverage")


@router.get("/p/{project}/dashboard/next")
def show_next(request: Request, project: str) -> Response:
    """What is asked next, and why."""
    return _shown(request, project, "/next")


def _shown(request: Request, project: str, path: str) -> Response:
    session = sessions.require_role(request, project, "owner")
    facts = _watch(request).facts(project)
    name, content = _PARTS[path]
    with _DRAWING:
        html = render_sections(content(facts))
    moment = datetime.datetime.fromtimestamp(facts.time, datetime.UTC)
    return page(
        request,
        "dashboard.html.jinja",
        session=session,
        here="dashboard",
        name=name,
        kind=path.strip("/") or "overview",
        parts=[(f"/p/{project}/dashboard{each}", title) for each, (title, _) in _PARTS.items()],
        content=html,
        moment=f"{moment:%Y-%m-%d %H:%M:%S} UTC",
    )


def _watch(request: Request) -> Watch:
    """One for each application, made by the first who looks."""
    state = request.app.state
    with _DRAWING:
        if not hasattr(state, "dashboard"):
            state.dashboard = Watch(sessions.store_of(request))
        return state.dashboard
