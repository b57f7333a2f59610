"""Old labels beside new ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.refresh.loop import preference, prompt_of

from rewardsmith.core.conversation import assistant
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.comparisons import from_ranks
from rewardsmith.preferences.reading import Reader
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.refresh.replay import conversations_of, mix, rows_of


def is_heldout(group: str) -> bool:
    return group.startswith("h")


NEW = [preference(number) for number in range(10)] + [preference(100, group="h100")]
OLD = [preference(number) for number in range(200, 260)] + [
    preference(number, group=f"h{number}") for number in (300, 301)
]


def test_a_share_of_half_draws_as_many_old_ones_as_there_are_new_and_keeps_all_held_out():
    found = mix(NEW, OLD, share=0.5, is_heldout=is_heldout, seed=0)
    assert (len(found.old_train), found.share) == (10, 0.5)
    assert [each.id for each in found.old_heldout] == ["p300", "p301"]
    assert found.counts == {
        "new_train": 10, "new_heldout": 1, "old_train": 10, "old_train_known": 60, "old_heldout": 2, "judged_anew": 0,
    }  # fmt: skip
    assert mix(NEW, OLD[::-1], share=0.5, is_heldout=is_heldout, seed=0).old_train == found.old_train
    assert mix(NEW, OLD, share=0.5, is_heldout=is_heldout, seed=1).old_train != found.old_train


# .75 / .25 · 10 = 30 old ones; of .95 there are not enough: 60 of 70.
@pytest.mark.parametrize(("share", "drawn"), [(0.0, 0), (0.75, 30), (0.95, 60), ("all", 60)])
def test_the_share_is_of_all_that_is_trained_on(share: float, drawn: int):
    found = mix(NEW, OLD, share=share, is_heldout=is_heldout, seed=0)
    assert len(found.old_train) == drawn
    assert found.share == pytest.approx(drawn / (drawn + 10))


def test_what_was_judged_anew_is_not_replayed():
    again = replace(preference(3, chosen="bad", rejected="good!"), id="old")
    found = mix(NEW, [again], share="all", is_heldout=is_heldout, seed=0)
    assert found.old_train == ()
    assert found.counts["judged_anew"] == 1


def read(folder: Path, preferences: list[Preference]) -> list[Preference]:
    found = []
    for name, rows in zip(("pairs", "rankings"), rows_of(preferences), strict=True):
        if rows:
            (folder / name).with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            source = SourceSettings(path=str((folder / name).with_suffix(".jsonl")))
            reader = Reader(DataSettings(sources=(source,), ties="keep"))
            found += [row.outcome for row in reader if isinstance(row.outcome, Preference)]
    return found


def ranking(ranks: list[int]) -> Preference:
    responses = tuple((assistant(f"answer {number}"),) for number in range(len(ranks)))
    return Preference(prompt_of(0), responses, from_ranks(ranks), "k", "g", "test")


def test_preferences_are_read_again_as_they_were(tmp_path: Path):
    voted = replace(
        preference(1), pairs=(Pair(0, 1, margin=2.0),), votes=("chosen", "rejected", "chosen"), raters=("a", "b", "c")
    )
    soft = replace(preference(2), pairs=(Pair(0, 1, prob_chosen=0.75),))
    tie = replace(preference(3), pairs=(Pair(0, 1, prob_chosen=0.5, tie=True),))
    asked = [voted, soft, tie, ranking([2, 1, 3])]
    assert [replace(each, meta={}) for each in read(tmp_path, asked)] == asked


@given(st.lists(st.integers(1, 4), min_size=3, max_size=6).filter(lambda ranks: len(set(ranks)) > 1))
def test_any_ranking_stays_one_row(ranks: list[int]):
    pairs, rankings = rows_of([ranking(ranks)])
    assert not pairs
    assert set(from_ranks(rankings[0]["ranks"])) == set(ranking(ranks).pairs)


def test_what_is_no_ranking_becomes_a_row_a_pair(tmp_path: Path):
    cycle = replace(ranking([1, 2, 3]), pairs=(Pair(0, 1), Pair(1, 2), Pair(2, 0)))
    found = read(tmp_path, [cycle])
    assert [each.id for each in found] == ["k-0", "k-1", "k-2"]
    assert [each.responses[0][0].content for each in found] == ["answer 0", "answer 1", "answer 2"]
    assert {each.group for each in found} == {"g"}


def test_conversations_come_once_and_no_more_than_asked_for():
    found = conversations_of([preference(1), preference(1), preference(2)], most=3)
    assert [each[-1].content for each in found] == ["good!", "bad", "good!"]
