"""Several who write at once: nobody's work is lost, and nobody's mistake is another's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import insert, select
from tests.annotate.store.made import FIRST, label, make_project, vote_of

from rewardsmith.annotate.store import LabelStore, open_store, schema
from rewardsmith.annotate.store.unit import Unit
from rewardsmith.core.errors import DataError, WorkerError

_INSERT = insert(schema.store_info)
_FIND_HALF = select(schema.store_info).where(schema.store_info.c.key == "half")


def label_all(store: LabelStore, rater: Any) -> list[str]:
    """Answer until nothing is left; the ids of the votes that were acknowledged."""
    done = []
    while (offer := store.next_task("p", rater.id)) is not None:
        done.append(store.cast("p", vote_of(rater, offer.task.id)).id)
    return done


def test_threads_share_the_tasks_and_lose_nothing(store: LabelStore):
    raters = make_project(store, n_tasks=5, n_raters=6, overlap=2)
    with ThreadPoolExecutor(len(raters)) as pool:
        done = [vote for votes in pool.map(lambda rater: label_all(store, rater), raters) for vote in votes]
    votes = store.votes("p")
    assert sorted(vote.id for vote in votes) == sorted(done)
    assert sorted(vote.task for vote in votes) == sorted([f"t{i}" for i in range(5)] * 2)
    assert len({(vote.rater, vote.task) for vote in votes}) == 10


def test_the_same_vote_from_many_threads_is_one(store: LabelStore):
    first, _ = make_project(store)
    offer = store.next_task("p", first.id)
    assert offer is not None
    sent = vote_of(first, offer.task.id)
    with ThreadPoolExecutor(8) as pool:
        votes = list(pool.map(lambda _: store.cast("p", sent), range(16)))
    assert store.votes("p") == [votes[0]]
    assert set(map(repr, votes)) == {repr(votes[0])}


def test_two_processes_take_turns(url: str):
    one, other = open_store(url), open_store(url)
    raters = make_project(one, n_tasks=5, n_raters=4, overlap=2)
    stores = [one, other, one, other]
    with ThreadPoolExecutor(4) as pool:
        done = [vote for votes in pool.map(label_all, stores, raters) for vote in votes]
    assert sorted(vote.id for vote in one.votes("p")) == sorted(done)
    assert len(done) == 10
    for store in (one, other):
        store.close()


def test_a_job_that_fails_is_nobody_elses_trouble(store: LabelStore):
    make_project(store)
    started = threading.Event()

    def wait(_unit: Unit) -> None:
        started.wait(10)

    def half(unit: Unit) -> None:
        unit.project("p").n_open = 99
        unit.write(_INSERT, {"key": "half", "value": "written"})
        raise ZeroDivisionError

    def refused(_unit: Unit) -> None:
        raise DataError("refused before it wrote")

    with ThreadPoolExecutor(4) as pool:
        # While the first job runs, the others gather into one transaction.
        first = pool.submit(store._writer.run, wait)
        broken, bad = pool.submit(store._writer.run, half), pool.submit(store._writer.run, refused)
        good = pool.submit(store.add_rater, "p", "good")
        started.set()
        first.result()
        with pytest.raises(ZeroDivisionError):
            broken.result()
        with pytest.raises(DataError):
            bad.result()
        assert good.result().name == "good"
    assert [rater.name for rater in store.raters("p")] == ["rater 0", "rater 1", "good"]
    found = store._writer.run(lambda unit: unit.read(_FIND_HALF).first())
    assert found is None
    assert store._writer.run(lambda unit: unit.project("p").n_open) == 3


def test_a_closed_store_says_so(store: LabelStore):
    make_project(store)
    store.close()
    store.close()
    with pytest.raises(WorkerError, match="closed"):
        store.add_rater("p", "late")


WORKER = """
import sys, uuid
from rewardsmith.annotate.store import open_store
from rewardsmith.annotate.votes import NewVote
from rewardsmith.annotate.answers import PairAnswer
store = open_store(sys.argv[1])
while (offer := store.next_task("p", sys.argv[2])) is not None:
    vote = store.cast("p", NewVote(str(uuid.uuid4()), offer.task.id, sys.argv[2], PairAnswer("first")))
    sys.stdout.write(vote.id + "\\n")
    sys.stdout.flush()
"""


def test_kill_9_loses_nothing_acknowledged(url: str):
    store = open_store(url)
    first, second = make_project(store, n_tasks=500)
    process = subprocess.Popen([sys.executable, "-c", WORKER, url, first.id], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(8)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.read().split("\n")[:-1]
    process.wait(timeout=30)
    votes = {vote.id for vote in store.votes("p")}
    assert set(told) <= votes
    # One may have been written and not yet acknowledged.
    assert len(votes) <= len(told) + 1
    assert label(store, second, FIRST, now=1.0).rater == second.id
    assert [event.number for event in store.events("p")] == list(range(1, len(list(store.events("p"))) + 1))
    store.close()
