"""Whatever several raters do, and in whatever order: what the store promises holds, and the events tell all of it."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.annotate.store.made import FIRST, SECOND, TIE, pair, vote_of

from rewardsmith.annotate.exchange import export_project, import_project
from rewardsmith.annotate.raters import Rater
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import LabelStore, Offer, open_store, schema
from rewardsmith.annotate.store.leases import lapse
from rewardsmith.annotate.votes import Vote

OVERLAP, LEASE_S = 2, 10

steps = st.tuples(
    st.sampled_from(["next", "next", "cast", "cast", "cast", "undo", "wait", "delete", "decide"]),
    st.integers(0, 2),
    st.sampled_from([FIRST, SECOND, TIE, None]),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_store(request: pytest.FixtureRequest) -> Iterator[LabelStore]:
    """One store for all examples; each makes its own project."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "labels.sqlite"
        url = str(place) if request.param == "sqlite" else request.getfixturevalue("postgres_url")
        with contextlib.closing(open_store(url)) as store:
            yield store


@dataclasses.dataclass
class Model:
    """What must be true, kept beside the store."""

    store: LabelStore
    name: str
    raters: list[Rater]
    now: float = 0.0
    offers: dict[str, Offer] = dataclasses.field(default_factory=dict)
    standing: list[Vote] = dataclasses.field(default_factory=list)

    def holders(self, task: str, *, but: str) -> int:
        """Others who have voted on the task, or are at it."""
        voted = {v.rater for v in self.standing if v.task == task and v.answer is not None and not v.adjudication}
        at_it = {r for r, o in self.offers.items() if o.task.id == task and o.expires > self.now and r != but}
        return len(voted | at_it)

    def step(self, kind: str, rater: Rater, answer: Any) -> None:
        self.now += 1.0
        match kind:
            case "wait":
                self.now += LEASE_S
            case "next":
                self.take(rater)
            case "cast" if rater.id in self.offers:
                offer = self.offers.pop(rater.id)
                sent = vote_of(rater, offer.task.id, answer)
                vote = self.store.cast(self.name, sent, now=self.now)
                assert vote.shown == offer.shown
                assert self.store.cast(self.name, sent, now=self.now + 0.1) == vote
                self.standing.append(vote)
            case "undo":
                self.undo(rater)
            case "delete":
                self.store.delete_rater(self.name, rater.id, "asked", now=self.now)
                self.offers.pop(rater.id, None)
                self.standing = [vote for vote in self.standing if vote.rater != rater.id]
                self.raters = [each for each in self.raters if each != rater]
            case "decide" if rater.role == "owner":
                offer = self.store.next_dispute(self.name, rater.id, now=self.now)
                if offer is not None:
                    sent = vote_of(rater, offer.task.id, FIRST, adjudication=True)
                    self.standing.append(self.store.cast(self.name, sent, now=self.now))

    def take(self, rater: Rater) -> None:
        held = self.offers.get(rater.id)
        offer = self.store.next_task(self.name, rater.id, now=self.now)
        if held is not None and held.expires > self.now:
            assert offer is not None
            assert (offer.task.id, offer.shown, offer.expires) == (held.task.id, held.shown, held.expires)
        elif offer is not None:
            assert self.holders(offer.task.id, but=rater.id) < OVERLAP
            own = {v.task for v in self.standing if v.rater == rater.id and not v.adjudication}
            assert offer.task.id not in own
            self.offers[rater.id] = offer
        else:
            self.offers.pop(rater.id, None)

    def undo(self, rater: Rater) -> None:
        own = [vote for vote in self.standing if vote.rater == rater.id]
        offer = self.store.undo(self.name, rater.id, now=self.now)
        assert (offer is None) == (not own)
        if offer is not None:
            assert (offer.task.id, offer.shown) == (own[-1].task, own[-1].shown)
            self.standing.remove(own[-1])
            # It is answered again at once, so that a rater of this model holds one offer at a time.
            sent = vote_of(rater, offer.task.id, SECOND, adjudication=offer.adjudication)
            self.standing.append(self.store.cast(self.name, sent, now=self.now))

    def check(self) -> None:
        assert self.store.votes(self.name) == self.standing
        events = list(self.store.events(self.name))
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert {vote.id for vote in self.standing} <= {event.vote for event in events}


@given(st.lists(steps, max_size=24))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_interleaving_keeps_the_promises(shared_store: LabelStore, plan: list[tuple[str, int, Any]]):
    name = f"p-{uuid.uuid4().hex}"
    asked = ProjectSettings(name=name, kind="pair", overlap=OVERLAP, lease_seconds=LEASE_S, seed=3)
    shared_store.create_project(asked, now=0.0)
    shared_store.add_tasks(name, [pair(f"t{i}") for i in range(3)], now=0.0)
    roles = ("rater", "rater", "owner")
    raters = [shared_store.add_rater(name, f"r{i}", role, now=0.0) for i, role in enumerate(roles)]
    model = Model(shared_store, name, raters)
    for kind, who, answer in plan:
        if who < len(model.raters):
            model.step(kind, model.raters[who], answer)
    model.check()
    require_same_again(shared_store, name, now=model.now)


def require_same_again(store: LabelStore, name: str, *, now: float) -> None:
    """Its events, read into another store, make the same rows, and are exported as the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.jsonl", Path(folder) / "second.jsonl"
        export_project(store, name, first)
        with contextlib.closing(open_store(Path(folder) / "again.sqlite")) as again:
            import_project(again, first)
            export_project(again, name, second)
            assert first.read_bytes() == second.read_bytes()
            assert again.votes(name) == store.votes(name)
            assert again.disputes(name) == store.disputes(name)
            assert rows_of(again, name, now=now) == rows_of(store, name, now=now)


def rows_of(store: LabelStore, name: str, *, now: float) -> dict[str, list[Any]]:
    """All rows of a project, once leases that are over have lapsed."""

    def read(unit: Any) -> dict[str, list[Any]]:
        lapse(unit, name, now=now)
        unit.flush()
        of = {"projects": schema.projects.c.name}
        tables = (schema.projects, schema.tasks, schema.raters, schema.leases, schema.votes, schema.guidelines)
        return {
            table.name: sorted(
                map(tuple, unit.read(table.select().where(of.get(table.name, table.c.get("project")) == name))),
                key=repr,
            )
            for table in tables
        }

    return store._writer.run(read)
