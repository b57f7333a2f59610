"""Disputes: tasks that have their votes without a majority, for an adjudicator to decide."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from rewardsmith.annotate import sessions
from rewardsmith.annotate.pages.rendering import page
from rewardsmith.annotate.pages.task import task_values
from rewardsmith.annotate.pages.told import told_votes

router = APIRouter()


@router.get("/p/{project}/adjudicate")
def show_dispute(request: Request, project: str) -> Response:
    """The next dispute, with the votes that it has; whose they are is not told."""
    session = sessions.require_role(request, project, "adjudicator", "owner")
    store = sessions.store_of(request)
    offer = store.next_dispute(project, session.rater.id)
    if offer is None:
        again = ""
        return page(request, "done.html.jinja", session=session, here="adjudicate", again=again, can_undo=False)
    votes = store.votes(project, task=offer.task.id)
    return page(
        request,
        "task.html.jinja",
        session=session,
        here="adjudicate",
        earlier=told_votes(votes, shown=offer.shown),
        **task_values(store, session, offer),
    )
