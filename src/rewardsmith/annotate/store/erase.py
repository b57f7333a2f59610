"""A rater's legal deletion: the only event that changes earlier ones.

What the rater decided no longer counts, and what says who they were is gone: their name, and the reasons that they
wrote. That they were there, and when they did what, stays under an id that leads to nobody.
"""

from __future__ import annotations

import json

from sqlalchemy import bindparam, delete, select, update

from rewardsmith.annotate.store import schema
from rewardsmith.annotate.store.counts import count, judge_dispute
from rewardsmith.annotate.store.events import Event, dump
from rewardsmith.annotate.store.unit import Unit

_events, _leases, _raters, _votes = schema.events, schema.leases, schema.raters, schema.votes

_read_standing = select(_votes).where(_votes.c.rater == bindparam("rater"), _votes.c.stands)
_drop_votes = update(_votes).where(_votes.c.rater == bindparam("of")).values(stands=False)
_drop_leases = (
    delete(_leases)
    .where(_leases.c.rater == bindparam("of"))
    .returning(_leases.c.task, _leases.c.counts, _leases.c.is_open)
)
_drop_name = update(_raters).where(_raters.c.id == bindparam("of")).values(name="", is_deleted=True)
_read_written = (
    select(_events.c.number, _events.c.payload)
    .where(_events.c.project == bindparam("project"), _events.c.rater == bindparam("rater"))
    .where(_events.c.kind.in_(("rater_added", "voted")))
)
_rewrite = (
    update(_events)
    .where(_events.c.project == bindparam("of"), _events.c.number == bindparam("place"))
    .values(payload=bindparam("to"))
)
_ERASED = {"name": "", "rationale": ""}


def erase_rater(unit: Unit, event: Event) -> None:
    """Write what follows from a deletion: votes and leases gone, name and rationales erased, nobody signed in."""
    place = {"of": event.rater}
    standing = unit.read(_read_standing, rater=event.rater).all()
    unit.write(_drop_votes, place)
    for vote in standing:
        if vote.counts:
            count(unit, event.project, vote.task, votes=-1)
        elif vote.adjudication:
            judge_dispute(unit, event.project, vote.task)
    for lease in unit.write(_drop_leases, place).all():
        if lease.counts and lease.is_open:
            count(unit, event.project, lease.task, leases=-1)
    unit.write(_drop_name, place)
    _erase_texts(unit, event)
    for table in (schema.links, schema.sessions):
        unit.write(delete(table).where(table.c.rater == bindparam("of")), place)


def _erase_texts(unit: Unit, event: Event) -> None:
    rows = []
    for row in unit.read(_read_written, project=event.project, rater=event.rater):
        said = json.loads(row.payload)
        erased = {key: _ERASED.get(key, value) for key, value in said.items()}
        if erased != said:
            rows.append({"of": event.project, "place": row.number, "to": dump(erased)})
    if rows:
        unit.write(_rewrite, rows)
