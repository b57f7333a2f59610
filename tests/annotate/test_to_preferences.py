"""Votes → rows: by hand, read back by the readers of preference data, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from tests.annotate.quality.made import pair_votes, task, vote

from rewardsmith.annotate.answers import AttributesAnswer, FirstErrorAnswer, PairAnswer
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.to_preferences import LabelRows, label_rows
from rewardsmith.annotate.votes import Vote
from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Preference
from rewardsmith.preferences import layouts
from rewardsmith.preferences.outcome import RawRow
from rewardsmith.preferences.ratings.reading import read_ratings
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.preferences.steps.layouts import read_steps

SOURCE = SourceSettings(path="labels.jsonl")


def raw(labels: LabelRows) -> list[RawRow]:
    """The rows as a reader of the file has them."""
    lines = [json.loads(json.dumps(row)) for row in labels.rows]
    return [RawRow(values, "labels.jsonl", place) for place, values in enumerate(lines, start=1)]


def read_back(labels: LabelRows) -> list[Preference]:
    outcomes = [each.outcome for each in layouts.read(raw(labels), SOURCE)]
    assert all(isinstance(outcome, Preference) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Preference)]


def pairs(*labels: str) -> tuple[list[Vote], dict[str, Task]]:
    tasks = {f"t{place}": task(f"t{place}", group=f"g{place}") for place in range(len(labels))}
    return [each for place, text in enumerate(labels) for each in pair_votes(text, f"t{place}")], tasks


def shown(row: dict[str, Any], *keys: str) -> list[Any]:
    return [row.get(key) for key in keys]


def test_a_pair_keeps_its_votes_and_has_a_soft_label():
    labels = label_rows(*pairs("1 1 2", "2 2 t", "1 2 -", "t t 1"))

    keys = ("label", "prob_chosen", "votes", "raters")
    assert [shown(row, *keys) for row in labels.rows] == [
        ["chosen", pytest.approx(2 / 3, abs=1e-6), ["chosen", "chosen", "rejected"], ["r0", "r1", "r2"]],
        ["chosen", pytest.approx(5 / 6, abs=1e-6), ["chosen", "chosen", "tie"], ["r0", "r1", "r2"]],
        ["tie", None, ["chosen", "rejected", "abstain"], ["r0", "r1", "r2"]],
        ["tie", None, ["tie", "tie", "chosen"], ["r0", "r1", "r2"]],
    ]
    assert labels.rows[0]["chosen"] == [{"role": "assistant", "content": "short"}]
    assert labels.rows[1]["chosen"] == [{"role": "assistant", "content": "rather longer"}]


def test_pairs_are_read_back_as_they_were_labelled():
    votes, tasks = pairs("1 1 2", "2 2 2", "1 2")

    first, second, tie = read_back(label_rows(votes, tasks))

    assert (first.id, first.group, first.source) == ("t0", "g0", "made")
    assert first.prompt == tasks["t0"].prompt
    assert first.responses == tasks["t0"].responses
    assert second.responses == tasks["t1"].responses[::-1]
    assert first.pairs[0].prob_chosen == pytest.approx(2 / 3, abs=1e-6)
    assert second.pairs[0].prob_chosen == 1.0
    assert tie.pairs[0].tie
    assert first.votes == ("chosen", "chosen", "rejected")
    assert first.raters == ("r0", "r1", "r2")
    assert first.meta["annotate"] == {"question": "overall", "method": "majority"}


def test_every_task_has_a_fate():
    votes, tasks = pairs("1", "- -", "1")
    votes = [*votes[:-1], vote("t2", "r0", "first", gold=True)]
    tasks["t3"] = task("t3")

    labels = label_rows(votes, tasks)

    assert labels.counts == {"labelled": 1, "undecided": 0, "without votes": 2, "tests": 1}
    assert [row["id"] for row in labels.rows] == ["t0"]


def test_an_adjudicator_decides_the_direction_and_the_doubt_stays():
    votes, tasks = pairs("1 2 2 t", "1 2")
    votes += [
        vote("t0", "boss", "first", adjudication=True, time=9),
        vote("t1", "boss", "tie", adjudication=True, time=9),
    ]

    first, tie = label_rows(votes, tasks).rows

    # The share of the first is (1 + ½) / 4 = .375; the adjudicator counts as much: (.375 + 1) / 2.
    assert first["chosen"][0]["content"] == "short"
    assert first["prob_chosen"] == pytest.approx(0.6875)
    assert first["votes"] == ["chosen", "rejected", "rejected", "tie"]
    assert first["meta"]["annotate"]["adjudicated_by"] == "boss"
    assert tie["label"] == "tie"


def test_judges_take_part_where_they_are_asked_to_and_are_marked():
    votes, tasks = pairs("1 2")
    votes += [vote("t0", "gpt", "second", origin="judge", time=9)]

    (without,) = label_rows(votes, tasks).rows
    (counted,) = label_rows(votes, tasks, origin=None).rows

    assert without["label"] == "tie"
    assert "judges" not in without["meta"]["annotate"]
    assert counted["chosen"][0]["content"] == "rather longer"
    assert counted["raters"] == ["r0", "r1", "gpt"]
    assert counted["meta"]["annotate"]["judges"] == ["gpt"]


def test_an_axis_has_labels_of_its_own():
    tasks = {"a": task("a")}
    votes = [vote("a", "r", PairAnswer("first", {"kind": "second"}))]

    assert label_rows(votes, tasks).rows[0]["chosen"][0]["content"] == "short"
    labels = label_rows(votes, tasks, question="kind")
    assert labels.rows[0]["chosen"][0]["content"] == "rather longer"
    assert labels.rows[0]["votes"] == ["chosen"]
    with pytest.raises(DataError, match="overall, kind"):
        label_rows(votes, tasks, question="truthful")


@pytest.mark.parametrize("method", ["dawid-skene", "bradley-terry"])
def test_models_of_raters_leave_the_votes_as_they_are(method: Any):
    votes, tasks = pairs("1 1 2", "1 1 2", "2 2 1", "1 2 1")

    plain, modelled = label_rows(votes, tasks), label_rows(votes, tasks, method=method)

    assert set(modelled.weights) == {"r0", "r1", "r2"}
    assert [row["votes"] for row in modelled.rows[:3]] == [row["votes"] for row in plain.rows[:3]]
    assert modelled.rows[0]["prob_chosen"] > plain.rows[0]["prob_chosen"] - 0.1
    assert modelled.rows[0]["meta"]["annotate"]["method"] == method


def ranked(*rankings: Sequence[int]) -> tuple[list[Vote], dict[str, Task]]:
    tasks = {"a": task("a", kind="ranking", responses=("x", "y", "z"), group="g")}
    return [vote("a", f"r{place}", tuple(ranks), time=place) for place, ranks in enumerate(rankings)], tasks


@pytest.mark.parametrize("method", ["majority", "dawid-skene", "bradley-terry"])
def test_a_ranking_goes_by_its_comparisons(method: Any):
    labels = label_rows(*ranked((1, 2, 3), (1, 3, 2), (2, 1, 3)), method=method)

    (row,) = labels.rows
    assert row["ranks"] == [1, 2, 3]
    assert row["meta"]["annotate"]["votes"] == {"r0": [1, 2, 3], "r1": [1, 3, 2], "r2": [2, 1, 3]}
    (read,) = read_back(labels)
    assert {(pair.chosen, pair.rejected) for pair in read.pairs} == {(0, 1), (0, 2), (1, 2)}


def test_equal_responses_share_a_rank_and_an_adjudicator_settles_it():
    votes, tasks = ranked((1, 2, 3), (2, 1, 3))

    assert label_rows(votes, tasks).rows[0]["ranks"] == [1, 1, 3]
    votes.append(vote("a", "boss", (2, 1, 3), adjudication=True))
    assert label_rows(votes, tasks).rows[0]["ranks"] == [2, 1, 3]


def test_a_ranking_as_pairs_has_votes_and_soft_labels():
    labels = label_rows(*ranked((1, 2, 3), (1, 3, 2), (2, 1, 3)), as_pairs=True)

    assert [shown(row, "id", "prob_chosen", "votes") for row in labels.rows] == [
        ["a#0-1", pytest.approx(2 / 3, abs=1e-6), ["chosen", "chosen", "rejected"]],
        ["a#0-2", 1.0, ["chosen", "chosen", "chosen"]],
        ["a#1-2", pytest.approx(2 / 3, abs=1e-6), ["chosen", "rejected", "chosen"]],
    ]
    assert {preference.group for preference in read_back(labels)} == {"g"}


def test_attributes_are_means_that_the_reader_of_ratings_takes():
    tasks = {"a": task("a", kind="attributes", responses=("x",))}
    votes = [
        vote("a", "r", AttributesAnswer({"clear": 2, "kind": 4})),
        vote("a", "s", AttributesAnswer({"clear": 5, "kind": 4}), time=1),
    ]

    labels = label_rows(votes, tasks)
    ((_, rating),) = read_ratings(raw(labels), SOURCE)

    assert rating.ratings == {"clear": 3.5, "kind": 4.0}  # type: ignore[union-attr]
    assert labels.rows[0]["meta"]["annotate"]["votes"]["s"] == {"clear": 5, "kind": 4}
    votes.append(vote("a", "boss", AttributesAnswer({"clear": 1, "kind": 1}), adjudication=True))
    assert label_rows(votes, tasks).rows[0]["ratings"] == {"clear": 1.0, "kind": 1.0}


@pytest.mark.parametrize(
    ("steps", "labels"),
    [([1, 1, 2], [1, -1, None]), ([None, None, 0], [1, 1, 1]), ([0], [-1, None, None])],
)
def test_the_first_wrong_step_is_what_the_reader_of_steps_takes(steps: list[int | None], labels: list[int | None]):
    tasks = {"a": task("a", kind="first_error", responses=("x",), steps=("x", "y", "z"))}
    votes = [vote("a", f"r{place}", FirstErrorAnswer(step), time=place) for place, step in enumerate(steps)]

    made = label_rows(votes, tasks)
    (read,) = read_steps(iter(raw(made)), SOURCE)

    assert made.rows[0]["labels"] == labels
    assert not hasattr(read.outcome, "reason"), read.outcome


def test_votes_that_name_several_steps_alike_decide_nothing():
    tasks = {"a": task("a", kind="first_error", responses=("x",), steps=("x", "y"))}
    votes = [vote("a", "r", 0), vote("a", "s", 1)]

    labels = label_rows(votes, tasks)

    assert labels.rows == ()
    assert labels.counts["undecided"] == 1
    votes.append(vote("a", "boss", 1, adjudication=True))
    assert label_rows(votes, tasks).rows[0]["labels"] == [1, -1]


def test_nothing_to_export_is_an_error():
    with pytest.raises(DataError, match="no vote to export"):
        label_rows([], {"a": task("a")})


def test_what_raters_are_divided_on_is_no_tie_of_a_model():
    votes, tasks = pairs(*["1 1 1"] * 8, *["1 1 2", "2 1 2"] * 6, "t t 1", "t 1 2")

    rows = {row["id"]: row for row in label_rows(votes, tasks, method="dawid-skene").rows}

    assert {name for name, row in rows.items() if row["label"] == "tie"} <= {"t20", "t21"}
    assert rows["t20"]["label"] == "tie"
