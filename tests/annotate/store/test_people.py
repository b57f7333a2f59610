"""Raters, links, sessions, and a rater's legal deletion."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.annotate.store.made import FIRST, SECOND, label, make_project

from rewardsmith.annotate.store import LabelStore, open_store
from rewardsmith.core.errors import DataError, UnauthorizedError

DAY = 86400.0


def test_raters_have_one_name_and_one_project(store: LabelStore):
    first, second = make_project(store)
    assert store.raters("p") == [first, second]
    assert store.rater(first.id) == first
    assert (first.name, first.role, first.origin, first.project) == ("rater 0", "rater", "human", "p")
    with pytest.raises(DataError, match="of that name"):
        store.add_rater("p", " rater 0 ")
    for name in ("", "a\nb", "x" * 201, "\ud800", "a\x00"):
        with pytest.raises(DataError, match="bad name"):
            store.add_rater("p", name)
    with pytest.raises(DataError, match="no such rater"):
        store.rater("nobody")
    with pytest.raises(DataError, match="no such project"):
        store.add_rater("q", "a")


def test_a_link_opens_until_it_expires_or_is_revoked(store: LabelStore):
    first, second = make_project(store)
    token, other = (store.make_link("p", rater.id, days=2, now=0.0) for rater in (first, second))
    assert store.redeem(token, now=2 * DAY - 1) == first
    assert store.redeem(token, now=1.0) == first
    for bad, now in ((token, 2 * DAY), (token + "x", 1.0), ("", 1.0), ("\ud800", 1.0)):
        with pytest.raises(UnauthorizedError):
            store.redeem(bad, now=now)
    session = store.open_session(first.id, now=1.0)
    store.revoke_links("p", first.id)
    with pytest.raises(UnauthorizedError):
        store.redeem(token, now=1.0)
    assert store.session(session.token, now=1.0) is None
    assert store.redeem(other, now=1.0) == second


def test_each_session_is_a_new_one(store: LabelStore):
    first, _ = make_project(store)
    one, other = (store.open_session(first.id, now=0.0) for _ in range(2))
    assert one.token != other.token
    assert one.csrf not in (other.csrf, one.token)
    assert (one.rater, one.project) == (first, "p")
    assert store.session(one.token, now=1.0) == one
    store.close_session(one.token)
    assert store.session(one.token, now=1.0) is None
    assert store.session(other.token, now=1.0) == other
    assert store.session(other.token, now=other.expires) is None
    assert store.session("x", now=1.0) is None


def test_tokens_are_nowhere_in_the_file(tmp_path: Path):
    path = tmp_path / "labels.sqlite"
    store = open_store(path)
    first, _ = make_project(store)
    tokens = [store.make_link("p", first.id), store.open_session(first.id).token]
    store.close()
    held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert all(token.encode() not in held for token in tokens)
    assert path.stat().st_mode & 0o077 == 0


def test_a_deleted_rater_is_gone_and_the_events_stay(store: LabelStore):
    first, second = make_project(store, overlap=2, n_tasks=2)
    vote = label(store, first, FIRST, now=1.0)
    label(store, second, SECOND, now=2.0)
    label(store, second, SECOND, now=2.0)
    store.next_task("p", first.id, now=3.0)
    token, session = store.make_link("p", first.id, now=0.0), store.open_session(first.id, now=0.0)
    events = list(store.events("p"))
    assert [task.id for task in store.disputes("p")] == [vote.task]

    store.delete_rater("p", first.id, "asked by letter", now=4.0)

    assert {each.rater for each in store.votes("p")} == {second.id}
    assert store.disputes("p") == []
    assert store.raters("p") == [second]
    assert store.session(session.token, now=1.0) is None
    with pytest.raises(UnauthorizedError):
        store.redeem(token, now=1.0)
    for ask in (store.next_task, store.undo):
        with pytest.raises(DataError, match="no such rater"):
            ask("p", first.id, now=5.0)
    after = list(store.events("p"))
    assert [(e.number, e.kind, e.rater, e.task, e.vote) for e in after[:-1]] == [
        (e.number, e.kind, e.rater, e.task, e.vote) for e in events
    ]
    assert (after[-1].kind, after[-1].payload) == ("rater_deleted", {"reason": "asked by letter"})
    # Their places are free again, and so is their name.
    third = store.add_rater("p", first.name)
    assert {label(store, third, now=6.0).task for _ in range(2)} == {"t0", "t1"}


def test_what_a_deletion_erases_is_not_in_the_file(tmp_path: Path):
    store = open_store(tmp_path / "labels.sqlite")
    make_project(store, n_raters=0)
    rater = store.add_rater("p", "Wilhelmina Quux")
    offer = store.next_task("p", rater.id)
    assert offer is not None
    from tests.annotate.store.made import vote_of

    vote = vote_of(rater, offer.task.id, rationale="my doctor said so")
    store.cast("p", vote)
    store.undo("p", rater.id)
    store.delete_rater("p", rater.id, "asked")
    held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"Wilhelmina" not in held
    assert b"doctor" not in held
    assert vote.id.encode() in held
    store.close()
