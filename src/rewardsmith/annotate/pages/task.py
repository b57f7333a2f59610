"""The page of a task, and the same as JSON."""

from __future__ import annotations

import time
import uuid
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from rewardsmith.annotate import sessions
from rewardsmith.annotate.pages.rendering import page
from rewardsmith.annotate.pages.view import view_of
from rewardsmith.annotate.store import LabelStore, Offer, Session
from rewardsmith.core.conversation import to_dicts

router = APIRouter()


@router.get("/p/{project}")
def show_task(request: Request, project: str) -> Response:
    """The next task of whoever asks, or the page that says that there is none."""
    session = sessions.signed_in(request, project)
    store = sessions.store_of(request)
    offer = store.next_task(project, session.rater.id)
    if offer is None:
        can_undo = bool(store.history(project, session.rater.id, 1))
        again = f"/p/{project}/next"
        return page(request, "done.html.jinja", session=session, here="task", again=again, can_undo=can_undo)
    return page(request, "task.html.jinja", session=session, here="task", **task_values(store, session, offer))


@router.get("/p/{project}/next")
def next_task(request: Request, project: str) -> Response:
    """What the page shows, for a script: the texts in the order shown, and the id of the vote to be cast."""
    session = sessions.signed_in(request, project)
    offer = sessions.store_of(request).next_task(project, session.rater.id)
    told: dict[str, Any] = {"task": None, "csrf": session.csrf}
    if offer is not None:
        told |= {
            "task": {
                "id": offer.task.id,
                "kind": offer.task.kind,
                "prompt": to_dicts(offer.task.prompt),
                "answers": [to_dicts(offer.task.responses[place]) for place in offer.shown],
                "steps": list(offer.task.steps),
            },
            "offer": offer.number,
            "vote": str(uuid.uuid4()),
            "done": offer.done,
            "waiting": offer.waiting,
            "expires": offer.expires,
            "guidelines": offer.guidelines,
        }
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


def task_values(store: LabelStore, session: Session, offer: Offer) -> dict[str, Any]:
    """What `task.html.jinja` is given of an offer."""
    project = store.project(session.project)
    version, text = store.guidelines(session.project, offer.guidelines)
    last = store.history(session.project, session.rater.id, 1)
    return {
        "view": view_of(offer.task, project, shown=offer.shown),
        # A rater who knows why a task is asked may answer it accordingly.
        "why": offer.task.why if session.rater.role == "owner" else "",
        "guidelines": text,
        "guidelines_version": version,
        "guidelines_are_new": not last or last[0].guidelines != version,
        "vote_id": str(uuid.uuid4()),
        "offer": offer.number,
        "began": time.time(),
        "done": offer.done,
        "waiting": offer.waiting,
        "can_undo": bool(last),
    }
