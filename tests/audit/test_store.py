from __future__ import annotations

import json

import pytest
from tests.audit.planted import FunctionScorer, observed, simple

from rewardsmith.audit.evaluate import evaluate
from rewardsmith.audit.report import Context
from rewardsmith.audit.store import KIND, load_training_log, write_evaluation
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.store import verify_artefact

PREFERENCES = [
    simple("right", "a", "b"),
    simple("wrong", "a", "b"),
    simple("equal", "a", "b"),
    simple("nan", "a", "b"),
    simple("tie", "a", "b", tie=True),
]
REWARDS = {"right": (2.0, 1.5), "wrong": (0.0, 1.0), "equal": (1.0, 1.0), "nan": (float("nan"), 1.0), "tie": (3.0, 1.0)}


@pytest.fixture(scope="module")
def evaluation():
    table = {
        preference.conversation(index): REWARDS[preference.id][index] for preference in PREFERENCES for index in (0, 1)
    }
    return evaluate(FunctionScorer(lambda conversation: table[conversation]), PREFERENCES)


def test_the_artefact_is_whole(evaluation, tmp_path):
    context = Context(name="m", recipe={"training": {"seed": 0}}, parents={"data": "d"})
    written = write_evaluation(evaluation, tmp_path / "out", context=context)
    manifest = verify_artefact(tmp_path / "out", KIND)
    assert set(manifest.files) == {"report.html", "report.md", "report.json", "scores.jsonl"}
    assert manifest.parents == {"data": "d", "model": "m" * 64}
    assert manifest.config == {"name": "m", "recipe": {"training": {"seed": 0}}}
    assert (manifest.counts["preferences"], manifest.counts["judged"]) == (5, 3)
    assert (manifest.counts["label_ties"], manifest.counts["reward_ties"], manifest.counts["unscored"]) == (1, 1, 1)
    assert manifest.counts["findings"]["critical"] >= 1
    assert written.counts == manifest.counts


def test_scores_hold_one_line_a_pair_without_nan(evaluation, tmp_path):
    write_evaluation(evaluation, tmp_path / "out")
    text = (tmp_path / "out" / "scores.jsonl").read_text("utf-8")
    assert "NaN" not in text
    lines = {line["id"]: line for line in map(json.loads, text.splitlines())}
    assert lines["right"] == {
        "id": "right", "source": "planted", "chosen": 0, "rejected": 1, "chosen_reward": 2.0, "rejected_reward": 1.5,
        "margin": 0.5, "tie": False, "correct": 1.0,
    }  # fmt: skip
    assert [lines[name]["correct"] for name in ("wrong", "equal", "nan", "tie")] == [0.0, 0.5, None, None]
    assert lines["nan"]["margin"] is None
    assert lines["tie"]["tie"] is True


def test_the_report_is_strict_json(evaluation, tmp_path):
    write_evaluation(evaluation, tmp_path / "out")

    def refuse(name):
        raise AssertionError(name)

    values = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"), parse_constant=refuse)
    assert values["counts"]["pairs"] == 5


def test_something_else_is_not_overwritten(evaluation, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ArtefactError):
        write_evaluation(evaluation, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_training_log_is_read_nan_included(tmp_path):
    path = tmp_path / "training_log.jsonl"
    path.write_text('{"step": 1, "loss": 0.5}\n\n{"step": 2, "loss": NaN}\n')
    log = load_training_log(path)
    assert log[0] == {"step": 1, "loss": 0.5}
    assert log[1]["loss"] != log[1]["loss"]


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_bad_line_of_a_log_is_named(tmp_path, text):
    path = tmp_path / "training_log.jsonl"
    path.write_text('{"step": 1}\n' + text + "\n")
    with pytest.raises(ArtefactError, match=r"training_log\.jsonl:2"):
        load_training_log(path)


def test_a_missing_log_is_named(tmp_path):
    with pytest.raises(ArtefactError, match="cannot read"):
        load_training_log(tmp_path / "none.jsonl")


def test_observations_and_scores_agree(evaluation):
    rows = observed(PREFERENCES, [REWARDS[preference.id] for preference in PREFERENCES])
    assert [pair.margin for pair in evaluation.pairs][:3] == rows.margin.tolist()[:3]
