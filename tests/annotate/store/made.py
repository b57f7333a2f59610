"""Small projects for the tests of the store."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from rewardsmith.annotate.answers import Answer, PairAnswer
from rewardsmith.annotate.raters import Rater
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import LabelStore
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import NewVote, Vote
from rewardsmith.core.conversation import assistant, user

FIRST, SECOND, TIE = PairAnswer("first"), PairAnswer("second"), PairAnswer("tie")

_numbers = itertools.count()


def pair(task_id: str, **more: Any) -> Task:
    """A task with two responses."""
    return Task(task_id, "pair", (user("2 + 2?"),), ((assistant("4"),), (assistant("5"),)), **more)


def make_project(store: LabelStore, *, n_tasks: int = 3, n_raters: int = 2, **settings: Any) -> list[Rater]:
    """Project `p` with tasks t0, t1, … and raters; the raters."""
    store.create_project(ProjectSettings(**{"name": "p", "kind": "pair", **settings}), now=0.0)
    store.add_tasks("p", [pair(f"t{i}") for i in range(n_tasks)], now=0.0)
    return [store.add_rater("p", f"rater {i}", now=0.0) for i in range(n_raters)]


def vote_of(rater: Rater, task: str, answer: Answer | None = FIRST, **more: Any) -> NewVote:
    """A vote with an id of its own."""
    return NewVote(**{"id": str(uuid.uuid4()), "task": task, "rater": rater.id, "answer": answer, **more})


def label(store: LabelStore, rater: Rater, answer: Answer | None = FIRST, *, now: float) -> Vote:
    """The rater takes the next task and answers it."""
    offer = store.next_task("p", rater.id, now=now)
    assert offer is not None
    return store.cast("p", vote_of(rater, offer.task.id, answer), now=now)
