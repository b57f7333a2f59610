"""Casting a vote and taking the last one back."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from rewardsmith.annotate import sessions
from rewardsmith.annotate.forms import read_answer
from rewardsmith.annotate.pages.forms import Form
from rewardsmith.annotate.store import Session
from rewardsmith.annotate.votes import NewVote
from rewardsmith.core.errors import DataError

router = APIRouter()

_MOST_SECONDS = 86_400.0
_MOST_DIGITS = 15


@router.post("/p/{project}/votes")
def cast_vote(request: Request, project: str, form: Form) -> Response:
    """Cast the vote that the form holds. It is on the disk when this answers; sent twice it is one vote."""
    session = _allowed(request, project, form)
    is_adjudication = "adjudication" in form
    if is_adjudication:
        sessions.require_role(request, project, "adjudicator", "owner")
    vote = sessions.store_of(request).cast(project, _new_vote(request, session, form, is_adjudication=is_adjudication))
    return _answer(request, {"vote": vote.id, "task": vote.task}, page=_page(project, is_adjudication=is_adjudication))


@router.post("/p/{project}/undo")
def undo_vote(request: Request, project: str, form: Form) -> Response:
    """Take back the last vote of whoever asks; its task is theirs again."""
    session = _allowed(request, project, form)
    offer = sessions.store_of(request).undo(project, session.rater.id)
    is_adjudication = offer is not None and offer.adjudication
    told = {"task": None if offer is None else offer.task.id}
    return _answer(request, told, page=_page(project, is_adjudication=is_adjudication))


def _allowed(request: Request, project: str, form: Mapping[str, str]) -> Session:
    sessions.require_same_origin(request)
    session = sessions.signed_in(request, project)
    sessions.require_csrf(request, session, form.get(sessions.CSRF_FIELD))
    return session


def _new_vote(request: Request, session: Session, form: Mapping[str, str], *, is_adjudication: bool) -> NewVote:
    store, name = sessions.store_of(request), session.project
    task = store.task(name, _required(form, "task"))
    offer = _offer(form)
    shown = store.shown(name, session.rater.id, task.id, offer)
    answer = read_answer(form, task, project=store.project(name), shown=shown)
    return NewVote(
        id=_vote_id(form),
        task=task.id,
        rater=session.rater.id,
        answer=answer,
        seconds=_seconds(form, now=time.time()),
        # A form sends line breaks as CR LF, whatever was typed.
        rationale=form.get("rationale", "").replace("\r\n", "\n").strip(),
        adjudication=is_adjudication,
        offer=offer,
    )


def _offer(form: Mapping[str, str]) -> int:
    given = _required(form, "offer")
    if not (given.isascii() and given.isdecimal() and len(given) <= _MOST_DIGITS):
        raise DataError("not the number of an offer", wanted="a whole number", got=given, where="offer")
    return int(given)


def _vote_id(form: Mapping[str, str]) -> str:
    given = _required(form, "id")
    try:
        return str(uuid.UUID(given))
    except ValueError as error:
        raise DataError("not the id of a vote", wanted="a UUID", got=given, where="id") from error


def _seconds(form: Mapping[str, str], *, now: float) -> float:
    """How long the vote took: as the script measured it, or else since the page was made; 0 where neither is a time."""
    measured, began = _number(form.get("seconds")), _number(form.get("began"))
    if measured is None and began is not None:
        measured = now - began
    return min(_MOST_SECONDS, max(0.0, measured or 0.0))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise DataError("the form is not whole", wanted=f"a field {name}", where=name, fix="load the page again")
    return value


def _page(project: str, *, is_adjudication: bool) -> str:
    return f"/p/{project}/adjudicate" if is_adjudication else f"/p/{project}"


def _answer(request: Request, told: Mapping[str, str | None], *, page: str) -> Response:
    """What was done and which page is next, for a script; that page, for a form."""
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({**told, "page": page}, headers={"Cache-Control": "no-store"})
    return RedirectResponse(page, 303)
