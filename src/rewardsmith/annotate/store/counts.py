"""How many votes and leases a task has, whether it may be offered, and whether its votes disagree."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, case, not_, update

from rewardsmith.annotate.quality.disputes import is_disputed
from rewardsmith.annotate.store import schema
from rewardsmith.annotate.store.reading import vote_columns, vote_of
from rewardsmith.annotate.store.unit import Unit

_tasks, _votes = schema.tasks, schema.votes

_taken = _tasks.c.votes + _tasks.c.leases + bindparam("by_votes") + bindparam("by_leases")
_change = (
    update(_tasks)
    .where(_tasks.c.project == bindparam("of"), _tasks.c.id == bindparam("task"))
    .values(
        votes=_tasks.c.votes + bindparam("by_votes"),
        leases=_tasks.c.leases + bindparam("by_leases"),
        taken=_taken,
        is_open=case((and_(_taken < bindparam("overlap"), not_(_tasks.c.is_test)), True), else_=False),
    )
    .returning(_tasks.c.votes, _tasks.c.taken, _tasks.c.is_test)
)
_read_votes = vote_columns().where(
    _votes.c.project == bindparam("project"), _votes.c.task == bindparam("task"), _votes.c.stands
)
_set_disputed = (
    update(_tasks)
    .where(_tasks.c.project == bindparam("of"), _tasks.c.id == bindparam("task"))
    .values(is_disputed=bindparam("to"))
)


def count(unit: Unit, project: str, task: str, *, votes: int = 0, leases: int = 0) -> None:
    """Add to the votes and open leases of a task, which decide whether it may be offered and is disputed."""
    if not votes and not leases:
        return
    state = unit.project(project, is_ready=False)
    overlap = state.settings.overlap
    values = {"of": project, "task": task, "by_votes": votes, "by_leases": leases, "overlap": overlap}
    now = unit.write(_change, values).one()
    if not now.is_test:
        state.n_open += (now.taken < overlap) - (now.taken - votes - leases < overlap)
    if votes and max(now.votes, now.votes - votes) > 1:
        judge_dispute(unit, project, task)


def judge_dispute(unit: Unit, project: str, task: str) -> None:
    """Write down whether the votes on a task disagree."""
    settings = unit.project(project, is_ready=False).settings
    rows = unit.read(_read_votes, project=project, task=task)
    disputed = is_disputed([vote_of(row, settings.kind) for row in rows], settings)
    unit.write(_set_disputed, {"of": project, "task": task, "to": disputed})
