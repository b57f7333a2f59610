from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.audit.benchmarks.asked import number_scorer
from tests.gate.evidence import found
from tests.serve.families import CONVERSATIONS, FAMILIES

from rewardsmith.audit.benchmarks.judge import run_questions
from rewardsmith.audit.benchmarks.rows import read_best_of_k
from rewardsmith.audit.benchmarks.store import write_benchmark
from rewardsmith.audit.probes.catalogue import CONTRASTS, PROBES
from rewardsmith.core.errors import ArtefactError, SettingsError
from rewardsmith.core.settings import dump_yaml
from rewardsmith.core.store import read_manifest, verify_artefact
from rewardsmith.gate.comparison import REGRESSION_EXIT_CODE
from rewardsmith.gate.policy import Policy, Rule, matches
from rewardsmith.gate.store import CARD_KIND, KIND, POLICIES, load_evidence, load_policy, write_card, write_verdict
from rewardsmith.gate.verdict import EXIT_CODES, judge
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.preferences.outcome import RawRow
from rewardsmith.scoring.load import load_scorer


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_loads_by_name_and_says_who_approved_it(name: str):
    policy = load_policy(name)
    assert policy.name == name
    assert policy.approved_by


def test_a_stronger_use_asks_for_more():
    research, rerank, optimise = (load_policy(name) for name in POLICIES)
    bars = [
        next(rule.at_least for rule in policy.rules if rule.finding == "accuracy.heldout")
        for policy in (research, rerank, optimise)
    ]
    assert bars == sorted(bars)
    assert len(set(bars)) == 3
    assert len(research.rules) < len(rerank.rules) < len(optimise.rules)


def test_a_policy_is_read_from_a_file_and_what_is_written_is_read_back(tmp_path: Path):
    path = tmp_path / "ours.yaml"
    path.write_text(dump_yaml(load_policy("optimise").model_dump(mode="json") | {"name": "ours"}))
    assert load_policy(str(path)).rules == load_policy("optimise").rules


def test_no_such_policy_lists_those_there_are(tmp_path: Path):
    with pytest.raises(SettingsError, match="research, rerank, optimise"):
        load_policy("optimize")
    (tmp_path / "bad.yaml").write_text("name: x\npurpose: y\napproved_by: z\nrulez: []\n")
    with pytest.raises(SettingsError, match=r"bad\.yaml.*unknown key 'rulez'.*did you mean 'rules'"):
        load_policy(str(tmp_path / "bad.yaml"))


def test_evidence_holds_findings_and_where_they_came_from(length_biased_audit: Path):
    evidence = load_evidence([length_biased_audit])
    assert (evidence.name, evidence.base, evidence.model_digest) == ("meter", "org/base", "m" * 64)
    digest = read_manifest(length_biased_audit, "audit").digest
    assert evidence.parents == {"audit": digest, "data": "d" * 64, "model": "m" * 64}
    assert {"accuracy.heldout", "length.padding"} <= {finding.name for finding in evidence.findings}


def test_several_artefacts_of_one_model_are_judged_together(length_biased_audit: Path, sound_evaluation: Path):
    evidence = load_evidence([length_biased_audit, sound_evaluation, sound_evaluation])
    assert set(evidence.parents) == {"audit", "evaluation", "evaluation-2", "data", "model"}
    alone = [load_evidence([folder]).findings for folder in (length_biased_audit, sound_evaluation)]
    assert len(evidence.findings) == len(alone[0]) + 2 * len(alone[1])


def test_a_benchmark_is_evidence_too(length_biased_audit: Path, tmp_path: Path):
    # Two of three questions are right.
    rows = [{"prompt": name, "chosen": right, "rejected": [wrong]} for name, right, wrong in ("a21", "b43", "c56")]
    questions = [read_best_of_k(RawRow(row, "rows.jsonl", line)) for line, row in enumerate(rows, start=1)]
    result, scored = run_questions(number_scorer(), questions, name="best-of-k", model="meter")
    write_benchmark(result, scored, tmp_path / "benchmark")
    evidence = load_evidence([tmp_path / "benchmark", length_biased_audit])
    # Who the model is stands in the audit.
    assert (evidence.name, evidence.base, evidence.parents["data"]) == ("meter", "org/base", "d" * 64)
    assert set(evidence.parents) == {"benchmark", "audit", "data", "model"}
    assert evidence.counts["benchmark"]["questions"] == 3
    values = {finding.name: finding.estimate.value for finding in evidence.findings}
    assert values["benchmark.best_of_k"] == pytest.approx(2 / 3)
    other = copy_of(tmp_path / "benchmark", tmp_path / "other", model="o" * 64)
    with pytest.raises(ArtefactError, match="different models"):
        load_evidence([length_biased_audit, other])


def copy_of(folder: Path, out: Path, **parents: str) -> Path:
    """The same artefact, of another model."""
    out.mkdir()
    for path in folder.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["parents"] |= parents
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out


def test_artefacts_of_two_models_are_refused(length_biased_audit: Path, tmp_path: Path):
    other = copy_of(length_biased_audit, tmp_path / "other", model="o" * 64)
    with pytest.raises(ArtefactError, match="different models"):
        load_evidence([length_biased_audit, other])
    unnamed = copy_of(length_biased_audit, tmp_path / "unnamed", model="")
    with pytest.raises(ArtefactError, match="none named"):
        load_evidence([unnamed])


def test_an_artefact_that_was_changed_by_hand_is_refused(length_biased_audit: Path, tmp_path: Path):
    changed = copy_of(length_biased_audit, tmp_path / "changed")
    path = changed / "audit.json"
    path.write_text(path.read_text().replace('"critical"', '"info"'))
    with pytest.raises(ArtefactError, match="missing or changed"):
        load_evidence([changed])


def test_the_model_must_be_the_one_that_was_audited(length_biased_audit: Path, tiny_reward_model: Path, tmp_path: Path):
    with pytest.raises(ArtefactError, match="audit is of another model"):
        load_evidence([length_biased_audit], model=tiny_reward_model)
    its_own = copy_of(length_biased_audit, tmp_path / "own", model=weights_digest(tiny_reward_model))
    assert load_evidence([its_own], model=tiny_reward_model).name == "meter"


@pytest.mark.parametrize("family", ["ensemble", "merged", "residual", "process"])
def test_a_family_must_be_the_one_that_was_audited_too(length_biased_audit: Path, tmp_path: Path, family: str):
    FAMILIES[family](tmp_path / family)
    with pytest.raises(ArtefactError, match="audit is of another model"):
        load_evidence([length_biased_audit], model=tmp_path / family)
    digest = load_scorer(tmp_path / family).score(CONVERSATIONS[:2]).provenance.model_digest
    its_own = copy_of(length_biased_audit, tmp_path / "own", model=digest)
    assert load_evidence([its_own], model=tmp_path / family).model_digest == digest


def test_a_verdict_is_an_artefact_with_its_parents(tmp_path: Path):
    rule = Rule(finding="x", at_least=0.5, end="value", reason="r")
    verdict = judge([found("x", 0.4)], Policy(name="p", purpose="u", approved_by="Ada", rules=(rule,)))
    write_verdict(verdict, tmp_path / "out", parents={"audit": "a", "model": "m"})
    manifest = verify_artefact(tmp_path / "out", KIND)
    assert manifest.parents == {"audit": "a", "model": "m"}
    assert manifest.counts == {"status": "failed", "met": 0, "failed": 1, "too_thin": 0, "missing": 0, "not_asked": 0}
    assert json.loads((tmp_path / "out" / "verdict.json").read_text())["exit_code"] == 7
    assert load_policy(str(tmp_path / "out" / "policy.yaml")) == verdict.policy


def test_a_card_is_an_artefact(length_biased_audit: Path, tmp_path: Path):
    evidence = load_evidence([length_biased_audit])
    write_card(judge(evidence.findings, load_policy("optimise")), evidence, tmp_path / "card")
    manifest = verify_artefact(tmp_path / "card", CARD_KIND)
    assert set(manifest.files) == {"card.html", "README.md", "card.json", "policy.yaml"}
    values = json.loads((tmp_path / "card" / "card.json").read_text())
    assert values["verdict"]["status"] == "failed"
    assert len(values["evidence"]["findings"]) == len(evidence.findings)


@pytest.mark.parametrize("probe", [*PROBES, *CONTRASTS], ids=lambda probe: probe.name)
def test_the_optimise_policy_limits_every_probe_as_a_sound_reward_does(probe):
    rules = [
        rule
        for rule in load_policy("optimise").rules
        if rule.has_limit and any(matches(name, probe.name) for name in rule.names)
    ]
    named = [rule for rule in rules if probe.name in rule.names] or rules
    assert len(named) == 1
    (rule,) = named
    assert rule.at_most is not None
    assert rule.absolute is (probe.expects == "no change")
    assert (rule.at_most <= 0) is (probe.expects == "loss")


def test_every_key_of_a_policy_and_every_exit_code_is_in_the_page():
    page = (Path(__file__).parents[2] / "docs" / "gate.md").read_text()
    for key in (*Rule.model_fields, *Policy.model_fields):
        assert f"`{key}`" in page, key
    for code in (*EXIT_CODES.values(), REGRESSION_EXIT_CODE):
        assert f"| {code} |" in page
    for name in POLICIES:
        assert f"| `{name}` |" in page
