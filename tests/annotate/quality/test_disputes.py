"""When votes do not settle a task."""

from __future__ import annotations

import pytest
from tests.annotate.quality.made import pair_votes, vote

from rewardsmith.annotate.answers import AttributesAnswer, PairAnswer
from rewardsmith.annotate.quality.aggregate import is_disputed
from rewardsmith.annotate.settings import ProjectSettings


def project(overlap: int, kind: str = "pair", **more: object) -> ProjectSettings:
    return ProjectSettings.model_validate({"name": "p", "kind": kind, "overlap": overlap, **more})


@pytest.mark.parametrize(
    ("labels", "overlap", "disputed"),
    [
        ("1 1 2", 3, False),
        ("1 2 t", 3, True),
        ("1 2", 2, True),
        ("1 1 2 2", 4, True),  # half is no majority
        ("1 1 2 t", 4, True),
        ("1 2", 3, False),  # one vote is still to come
        ("1 2 -", 3, False),  # a skip is none
        ("1", 1, False),
        ("1 2", 1, True),  # a vote under a lapsed lease
        ("", 1, False),
    ],
)
def test_a_strict_majority_settles_a_pair(labels: str, overlap: int, disputed: bool):
    assert is_disputed(pair_votes(labels), project(overlap)) is disputed


def test_an_adjudicator_ends_it_and_judges_and_repeats_do_not_take_part():
    votes = pair_votes("1 2")
    judge = vote("t", "judge", "first", origin="judge")
    again = vote("t", "r0", "first", repeat=True, time=9)

    assert is_disputed([*votes, judge, again], project(2))
    assert not is_disputed([*votes, vote("t", "boss", "tie", adjudication=True)], project(2))
    # An adjudicator who skips has decided nothing.
    assert is_disputed([*votes, vote("t", "boss", None, adjudication=True)], project(2))


def test_without_an_overall_vote_each_axis_counts():
    asked = project(2, axes=("helpful", "harmless"), overall=False)
    one = vote("t", "r", PairAnswer(None, {"helpful": "first", "harmless": "first"}))
    other = vote("t", "s", PairAnswer(None, {"helpful": "first", "harmless": "tie"}))

    assert is_disputed([one, other], asked)
    assert not is_disputed([one, vote("t", "s", one.answer)], asked)


@pytest.mark.parametrize(
    ("rankings", "disputed"),
    [
        ([(1, 2, 3), (1, 3, 2), (3, 2, 1)], False),  # two have the same best
        ([(1, 2, 3), (2, 1, 3), (3, 2, 1)], True),
        ([(1, 1, 2), (1, 2, 3), (1, 1, 2)], False),
        ([(1, 1, 2), (1, 2, 3)], True),  # two best ones are not one of them
    ],
)
def test_the_best_settle_a_ranking(rankings: list[tuple[int, ...]], disputed: bool):
    votes = [vote("t", f"r{place}", ranks, time=place) for place, ranks in enumerate(rankings)]

    assert is_disputed(votes, project(len(rankings), "ranking")) is disputed


@pytest.mark.parametrize(
    ("values", "disputed"),
    [([1, 2, 5], False), ([1, 3, 5], True), ([3, 3, 3], False), ([1, 5], True), ([2, 3], False)],
)
def test_numbers_near_the_median_settle_an_attribute(values: list[int], disputed: bool):
    asked = project(len(values), "attributes", attributes={"clear": (1, 5)})
    votes = [vote("t", f"r{place}", AttributesAnswer({"clear": value})) for place, value in enumerate(values)]

    assert is_disputed(votes, asked) is disputed


def test_steps_must_be_the_same():
    asked = project(3, "first_error")

    assert is_disputed([vote("t", "r", 1), vote("t", "s", 2), vote("t", "u", 3)], asked)
    assert not is_disputed([vote("t", "r", 1), vote("t", "s", 1), vote("t", "u", 3)], asked)
