"""What goes out to be labelled, and what comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.refresh.loop import preference, prompt_of

from rewardsmith.core.conversation import assistant
from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Pair
from rewardsmith.preferences.outcome import Reason, Rejection
from rewardsmith.preferences.reading import Reader
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.refresh.asked import SOURCE, Asked, answered, asked_from


def question(number: int, *, by: str = "mixed", rewards: tuple[float, float] = (1.0, 0.0)) -> Asked:
    """`preference(number)` unjudged, the good response first."""
    responses = ((assistant("good!"),), (assistant("bad"),))
    return Asked(f"q{number}", f"h{number}", prompt_of(number), responses, by, 0.5, "Because.", rewards)


def test_a_row_comes_back_as_it_went_out_and_no_reader_takes_it_for_a_label(tmp_path: Path):
    row = question(1).row()
    assert asked_from(json.loads(json.dumps(row)), where="here") == question(1)
    assert (row["id"], row["why"], row["acquisition"], row["prompt_id"]) == ("q1", "Because.", 0.5, "h1")
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row) + "\n")
    reader = Reader(DataSettings(sources=(SourceSettings(path=str(tmp_path / "pairs.jsonl")),), ties="keep"))
    (judged,) = reader
    assert isinstance(judged.outcome, Rejection)
    assert judged.outcome.reason is Reason.ABSTENTION
    with pytest.raises(DataError, match="not a row"):
        asked_from({"id": "x"}, where="here")


def test_labels_are_matched_by_their_texts_and_counted():
    asked = [question(1, by="by lot"), question(2, by="by lot", rewards=(0.0, 1.0)), question(3), question(4)]
    tie = replace(preference(3), pairs=(Pair(0, 1, prob_chosen=0.5, tie=True),))
    labels = [preference(1), preference(2), tie, preference(9), preference(1)]
    found = answered(asked, labels)
    assert found.counts == {
        "asked": 4, "answered": 3, "ties": 1, "repeated": 1, "not_asked": 1, "unanswered": 1,
    }  # fmt: skip
    assert [(each.id, each.group, each.source) for each in found.preferences][:2] == [
        ("q1", "h1", SOURCE), ("q2", "h2", SOURCE),
    ]  # fmt: skip
    # The incumbent has the first of the two by lot right; nobody was decided about those that were chosen.
    assert (found.accuracy.value, found.accuracy.n) == (0.5, 2)
    assert found.hard_accuracy.n == 0


def test_a_label_the_other_way_round_answers_the_same_question_and_counts_against():
    swapped = preference(1, chosen="bad", rejected="good!")
    soft = replace(preference(2), pairs=(Pair(0, 1, prob_chosen=0.2),))
    found = answered([question(1), question(2)], [swapped, soft])
    assert found.counts["answered"] == 2
    assert found.hard_accuracy.value == 0.0
