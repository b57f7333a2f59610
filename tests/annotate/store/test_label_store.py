"""What the label store promises to the pages, on both databases."""

from __future__ import annotations

import dataclasses

import pytest
from tests.annotate.store.made import FIRST, SECOND, TIE, label, make_project, pair, vote_of

from rewardsmith.annotate.answers import FirstErrorAnswer
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import Added, LabelStore, open_store
from rewardsmith.core.errors import DataError, ForbiddenError


def test_projects_and_tasks_are_kept_as_they_were_given(store: LabelStore, url: str):
    settings = ProjectSettings(name="p", kind="pair", axes=("helpful",), guidelines="# Be kind", gold_share=0.1)
    odd = pair(
        "t\U0001f600",
        gold=dataclasses.replace(FIRST, axes={"helpful": "tie"}),
        source="s",
        group="g",
        meta={"a": [1, None]},
    )
    broken = dataclasses.replace(pair("half"), why="NUL \x00 and half a pair \ud83d", priority=2.5)
    store.create_project(settings)
    assert store.add_tasks("p", [odd, broken, odd]) == Added(new=2, known=1)
    assert store.add_tasks("p", [dataclasses.replace(odd, source="another")]) == Added(new=0, known=1)
    assert store.projects() == [settings] == [store.project("p")]
    assert store.tasks("p") == [odd, broken]
    assert store.task("p", odd.id) == odd
    again = open_store(url)
    assert again.tasks("p") == [odd, broken]
    again.close()


def test_what_does_not_fit_a_project_is_refused(store: LabelStore):
    make_project(store, gold_share=0.1)
    with pytest.raises(DataError, match="project of that name"):
        store.create_project(ProjectSettings(name="p", kind="pair"))
    with pytest.raises(DataError, match="another kind"):
        store.add_tasks("p", [dataclasses.replace(pair("x"), kind="ranking")])
    with pytest.raises(DataError, match="does not fit"):
        store.add_tasks("p", [pair("x", gold=FirstErrorAnswer(1))])
    with pytest.raises(DataError, match="finite"):
        store.add_tasks("p", [pair("x", priority=float("nan"))])
    for ask in (store.project, store.tasks, store.votes, store.raters, store.guidelines, store.events):
        with pytest.raises(DataError, match="no such project"):
            ask("q")
    with pytest.raises(DataError, match="no such task"):
        store.task("p", "x")
    assert len(store.tasks("p")) == 3


def test_guidelines_have_versions(store: LabelStore):
    [rater, _] = make_project(store, guidelines="one")
    assert store.guidelines("p") == (1, "one")
    assert store.change_guidelines("p", "two") == 2
    assert store.change_guidelines("p", "two") == 2
    assert store.guidelines("p") == (2, "two")
    assert store.guidelines("p", 1) == (1, "one")
    assert label(store, rater, now=1.0).guidelines == 2
    with pytest.raises(DataError, match="no such version"):
        store.guidelines("p", 3)


def test_priority_comes_first_then_the_task_with_fewest_votes(store: LabelStore):
    first, second = make_project(store, overlap=2)
    store.set_priorities("p", {"t2": (1.0, "the models disagree")})
    assert label(store, first, now=1.0).task == "t2"
    offer = store.next_task("p", first.id, now=2.0)
    assert offer is not None
    assert offer.task.id in ("t0", "t1")
    # t2 has the higher priority, though it has a vote; then comes the one that nobody is at.
    assert label(store, second, now=3.0).task == "t2"
    assert store.task("p", "t2").why == "the models disagree"
    assert {offer.task.id, label(store, second, now=4.0).task} == {"t0", "t1"}
    with pytest.raises(DataError, match="priority"):
        store.set_priorities("p", {"t0": (9.0, ""), "none": (1.0, "")})
    assert store.task("p", "t0").priority == 0.0


def test_a_lease_is_the_raters_until_it_lapses(store: LabelStore):
    first, second = make_project(store, n_tasks=1, lease_seconds=60)
    offer = store.next_task("p", first.id, now=100.0)
    assert offer is not None
    assert (offer.expires, offer.waiting, offer.done) == (160.0, 0, 0)
    assert store.next_task("p", first.id, now=159.0) == offer
    assert store.next_task("p", second.id, now=159.0) is None
    taken = store.next_task("p", second.id, now=160.0)
    assert taken is not None
    # The first one's vote is late, and counts.
    assert store.cast("p", vote_of(first, "t0"), now=161.0).shown == offer.shown
    assert store.cast("p", vote_of(second, "t0"), now=162.0).shown == taken.shown
    assert [vote.rater for vote in store.votes("p")] == [first.id, second.id]
    assert store.next_task("p", first.id, now=163.0) is None


def test_a_vote_is_cast_once(store: LabelStore):
    first, second = make_project(store, overlap=2, n_tasks=1)
    offer = store.next_task("p", first.id, now=1.0)
    assert offer is not None
    sent = vote_of(first, "t0", SECOND, seconds=3.5, rationale="\u20ac \x00 \ud800")
    vote = store.cast("p", sent, now=2.0)
    assert store.cast("p", dataclasses.replace(sent, answer=FIRST), now=3.0) == vote
    assert store.votes("p") == [vote] == store.history("p", first.id)
    assert (vote.answer, vote.seconds, vote.time, vote.rationale) == (SECOND, 3.5, 2.0, sent.rationale)
    assert (vote.shown, vote.guidelines, vote.repeat, vote.gold, vote.origin) == (offer.shown, 1, False, False, "human")
    with pytest.raises(DataError, match="answered already"):
        store.cast("p", vote_of(first, "t0"), now=4.0)
    with pytest.raises(DataError, match="another vote has this id"):
        store.cast("p", dataclasses.replace(sent, rater=second.id), now=4.0)


def test_a_vote_that_nobody_asked_for_is_refused(store: LabelStore):
    first, second = make_project(store)
    offer = store.next_task("p", first.id, now=1.0)
    assert offer is not None
    task = offer.task.id
    cases = [
        (vote_of(second, task), "not offered"),
        (vote_of(first, "none"), "no such task"),
        (vote_of(first, task, FirstErrorAnswer(1)), "does not fit"),
        (vote_of(first, task, seconds=float("nan")), "bad time"),
        (vote_of(first, task, id="'; --"), "bad id"),
        (vote_of(first, task, rationale="x" * 10_001), "too long"),
        (vote_of(first, task, adjudication=True), "not offered"),
        (dataclasses.replace(vote_of(first, task), rater="nobody"), "no such rater"),
    ]
    before = len(list(store.events("p")))
    for vote, problem in cases:
        with pytest.raises(DataError, match=problem):
            store.cast("p", vote, now=2.0)
    assert len(list(store.events("p"))) == before
    assert store.cast("p", vote_of(first, task, None), now=2.0).answer is None


def test_a_skip_leaves_the_task_to_others(store: LabelStore):
    first, second = make_project(store, n_tasks=1)
    label(store, first, None, now=1.0)
    assert store.next_task("p", first.id, now=2.0) is None
    offer = store.next_task("p", second.id, now=2.0)
    assert offer is not None
    assert offer.task.id == "t0"


def test_undo_offers_the_task_again_as_it_stood(store: LabelStore):
    first, second = make_project(store, n_tasks=2)
    vote = label(store, first, now=1.0)
    waiting = store.next_task("p", first.id, now=2.0)
    assert waiting is not None
    offer = store.undo("p", first.id, now=3.0)
    assert offer is not None
    assert (offer.task.id, offer.shown, offer.done) == (vote.task, vote.shown, 0)
    assert store.votes("p") == []
    assert store.next_task("p", first.id, now=4.0) == offer
    # Nobody else gets either, and a vote that was taken back does not come again by its id.
    assert store.next_task("p", second.id, now=4.0) is None
    assert store.cast("p", vote_of(first, vote.task, id=vote.id), now=5.0) == vote
    assert store.votes("p") == []
    again = store.cast("p", vote_of(first, vote.task, SECOND), now=6.0)
    assert store.votes("p") == [again]
    assert store.next_task("p", first.id, now=7.0) == dataclasses.replace(waiting, done=1)
    assert store.undo("p", second.id, now=8.0) is None


def test_disputes_go_to_an_adjudicator_once(store: LabelStore):
    first, second = make_project(store, overlap=2, n_tasks=1)
    judge, other = (store.add_rater("p", name, "adjudicator") for name in ("Ada", "Bea"))
    label(store, first, FIRST, now=1.0)
    assert store.disputes("p") == []
    label(store, second, SECOND, now=2.0)
    assert [task.id for task in store.disputes("p")] == ["t0"]
    with pytest.raises(ForbiddenError):
        store.next_dispute("p", first.id, now=3.0)
    offer = store.next_dispute("p", judge.id, now=3.0)
    assert offer is not None
    assert offer.adjudication
    assert store.next_dispute("p", judge.id, now=4.0) == offer
    assert store.next_dispute("p", other.id, now=4.0) is None
    store.cast("p", vote_of(judge, "t0", TIE, adjudication=True), now=5.0)
    assert store.disputes("p") == []
    assert store.next_dispute("p", judge.id, now=6.0) is None
    undone = store.undo("p", judge.id, now=7.0)
    assert undone is not None
    assert undone.adjudication
    assert [task.id for task in store.disputes("p")] == ["t0"]
    store.undo("p", second.id, now=8.0)
    assert store.disputes("p") == []


def test_every_rater_gets_the_tests_and_others_none_of_their_time(store: LabelStore):
    store.create_project(ProjectSettings(name="p", kind="pair", gold_share=0.5, seed=1))
    gold = [pair(f"g{i}", gold=FIRST) for i in range(4)]
    store.add_tasks("p", [*gold, *(pair(f"t{i}") for i in range(30))])
    raters = [store.add_rater("p", name) for name in "ab"]
    turns = [rater for _ in range(len(gold) + 30) for rater in raters]
    votes = [label(store, rater, now=1.0) for rater in turns if store.next_task("p", rater.id, now=1.0)]
    tests = [(vote.rater, vote.task) for vote in votes if vote.gold]
    assert sorted(tests) == sorted((rater.id, task.id) for rater in raters for task in gold)
    plain = [vote.task for vote in votes if not vote.gold]
    assert len(plain) == len(set(plain)) == 30
    assert all(vote.gold == vote.task.startswith("g") for vote in votes)


def test_a_project_of_tests_alone_asks_them(store: LabelStore):
    store.create_project(ProjectSettings(name="p", kind="pair", gold_share=0.01))
    store.add_tasks("p", [pair(f"g{i}", gold=FIRST) for i in range(3)])
    rater = store.add_rater("p", "a")
    assert {label(store, rater, now=1.0).task for _ in range(3)} == {"g0", "g1", "g2"}
    assert store.next_task("p", rater.id) is None


def test_repeats_are_the_raters_own_old_tasks_once(store: LabelStore):
    first, _ = make_project(store, n_tasks=40, repeat_share=0.5)
    votes = [label(store, first, now=float(i)) for i in range(30)]
    repeats = [i for i, vote in enumerate(votes) if vote.repeat]
    assert 5 <= len(repeats) <= 15
    seen = [vote.task for vote in votes]
    for i in repeats:
        assert i - seen.index(seen[i]) > 8
    assert len({seen[i] for i in repeats}) == len(repeats)
    # A repeat is no second vote of the overlap, and the sides are drawn anew.
    assert len([vote for vote in votes if not vote.repeat]) == len(set(seen))
    assert any(votes[i].shown != votes[seen.index(seen[i])].shown for i in repeats)


def test_a_judge_takes_nobodys_place(store: LabelStore):
    human, _ = make_project(store, n_tasks=2)
    judge = store.add_rater("p", "model", origin="judge")
    seen = [label(store, judge, SECOND, now=1.0) for _ in range(2)]
    assert {vote.task for vote in seen} == {"t0", "t1"}
    assert all(vote.origin == "judge" for vote in seen)
    assert store.next_task("p", judge.id) is None
    assert [label(store, human, now=2.0).origin for _ in range(2)] == ["human", "human"]
    assert store.disputes("p") == []
    assert len(store.votes("p", origin="judge")) == len(store.votes("p", origin="human")) == 2
    # A judge may vote on a task that it was not offered, and say in which order it read.
    store.add_tasks("p", [pair("t9")])
    assert store.cast("p", vote_of(judge, "t9", shown=(1, 0)), now=3.0).shown == (1, 0)
    with pytest.raises(DataError, match="answered already"):
        store.cast("p", vote_of(judge, "t9"), now=4.0)


def test_a_rationale_that_is_asked_for_is_there(store: LabelStore):
    first, _ = make_project(store, rationale="required")
    offer = store.next_task("p", first.id, now=1.0)
    assert offer is not None
    with pytest.raises(DataError, match="why"):
        store.cast("p", vote_of(first, offer.task.id, rationale="  "), now=1.0)
    store.cast("p", vote_of(first, offer.task.id, rationale="shorter"), now=1.0)
