from __future__ import annotations

import json

import pytest
from tests.audit.planted import FunctionScorer, length_meter, many, observed, simple

from rewardsmith.audit.audit import run_audit
from rewardsmith.audit.benchmarks.judge import run_questions
from rewardsmith.audit.benchmarks.result import benchmark_findings
from rewardsmith.audit.benchmarks.rows import read_rm_bench
from rewardsmith.audit.benchmarks.store import write_benchmark
from rewardsmith.audit.evaluate import evaluate
from rewardsmith.audit.probes.catalogue import select
from rewardsmith.audit.report.evaluation import Context
from rewardsmith.audit.store import AUDIT_KIND, KIND, load_findings, load_training_log, write_audit, write_evaluation
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.store import verify_artefact
from rewardsmith.preferences.outcome import RawRow

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


@pytest.fixture(scope="module")
def audit():
    return run_audit(length_meter(), many(60), probes=select(["length.padding", "damage.empty"])[0], contrasts=())


def test_an_audit_is_whole_and_its_findings_come_back(audit, tmp_path):
    write_audit(audit, tmp_path / "out", context=Context(name="m", parents={"data": "d"}))
    manifest = verify_artefact(tmp_path / "out", AUDIT_KIND)
    assert set(manifest.files) == {"report.html", "report.md", "audit.json", "scores.jsonl"}
    assert manifest.parents == {"data": "d", "model": "m" * 64}
    assert manifest.counts["texts"]["scored"] == audit.texts.scored
    loaded = load_findings(tmp_path / "out")
    assert [finding.name for finding in loaded] == [finding.name for finding in audit.findings]
    for one, other in zip(loaded, audit.findings, strict=True):
        assert (one.severity, one.p_value, one.unit, one.summary, one.examples) == (
            other.severity, other.p_value, other.unit, other.summary, other.examples,
        )  # fmt: skip
        assert one.estimate.value == pytest.approx(other.estimate.value, nan_ok=True)


def test_the_findings_of_an_evaluation_come_back(evaluation, tmp_path):
    write_evaluation(evaluation, tmp_path / "out")
    loaded = load_findings(tmp_path / "out")
    assert [finding.name for finding in loaded] == [finding.name for finding in evaluation.findings]


def test_findings_of_something_else_are_refused(tmp_path):
    with pytest.raises(ArtefactError, match="wanted an audit, an evaluation, a benchmark or a pressure run"):
        load_findings(tmp_path)


def test_the_findings_of_a_benchmark_come_back(tmp_path):
    scorer = FunctionScorer(lambda conversation: float(conversation[-1].content))
    questions = [
        read_rm_bench(
            RawRow({"prompt": domain, "chosen": ["3", "4", "5"], "rejected": ["1", "2", "4"], "domain": domain}, "r", 1)
        )
        for domain in ("chat", "math", "code", "safety-refuse", "safety-response")
    ]
    result, scored = run_questions(scorer, questions, name="rm-bench")
    write_benchmark(result, scored, tmp_path / "out")
    found = load_findings(tmp_path / "out")
    # One question a domain: those intervals are NaN, and NaN is not equal to itself.
    assert repr(found) == repr(benchmark_findings(result))
    # Correct 3, 4, 5 against 1, 2, 4: seven of nine.
    assert (found[0].name, found[0].estimate.value) == ("benchmark.rm_bench", pytest.approx(7 / 9))


def test_changed_findings_are_refused(audit, tmp_path):
    write_audit(audit, tmp_path / "out")
    path = tmp_path / "out" / "audit.json"
    path.write_text(path.read_text().replace("warning", "info"))
    with pytest.raises(ArtefactError, match="changed"):
        load_findings(tmp_path / "out")


def test_an_audit_does_not_replace_an_evaluation(evaluation, audit, tmp_path):
    write_evaluation(evaluation, tmp_path / "out")
    with pytest.raises(ArtefactError, match="holds something else"):
        write_audit(audit, tmp_path / "out")


def test_the_report_of_an_audit_shows_pictures_and_texts_of_every_probe(audit, tmp_path):
    write_audit(audit, tmp_path / "out")
    html, markdown = ((tmp_path / "out" / f"report.{kind}").read_text("utf-8") for kind in ("html", "md"))
    for text in ("What must earn nothing", "What must cost", "length.padding", "damage.empty"):
        assert text in html
    assert "Forest plot. What must earn nothing." in html
    assert "Do empty sentences at the end earn a reward?" in markdown
    example = audit.probes[0].examples[0].after[-1].content.split()[0]
    assert example in html
