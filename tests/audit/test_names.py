"""Names of findings: one style, so that a rule, a JSON path and a metric's label can be written without looking."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.audit.benchmarks.asked import number_scorer
from tests.audit.planted import length_meter, many

import rewardsmith.audit as audit_package
from rewardsmith.audit.audit import run_audit
from rewardsmith.audit.benchmarks.judge import run_questions
from rewardsmith.audit.benchmarks.result import benchmark_findings
from rewardsmith.audit.benchmarks.rows import read_rm_bench
from rewardsmith.audit.probes.catalogue import CONTRASTS, PROBES
from rewardsmith.audit.standing_parts import privacy_part, rendering_part
from rewardsmith.core.finding import finding_name
from rewardsmith.gate.policy import is_pattern
from rewardsmith.gate.store import POLICIES, load_policy
from rewardsmith.preferences.outcome import RawRow

WORD = "[a-z0-9]+(_[a-z0-9]+)*"
NAME = re.compile(rf"{WORD}(\.{WORD})+")


def test_every_probe_of_the_catalogue():
    assert [probe.name for probe in (*PROBES, *CONTRASTS) if not NAME.fullmatch(probe.name)] == []


def test_every_name_that_stands_in_the_code():
    written = {
        name
        for path in Path(audit_package.__file__).parent.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Finding" and call.args
        for name in [call.args[0]]
        if isinstance(name, ast.Constant)
        for name in [name.value]
    }
    assert {"gap.train_heldout", "search.phrases", "pressure.turn", "shift.fresh"} <= written
    assert [name for name in sorted(written) if not NAME.fullmatch(name)] == []


def test_every_finding_of_an_audit():
    pairs = many(60)
    scorer = length_meter()
    parts = (rendering_part(scorer, pairs), privacy_part(pairs, name="training"))
    found = run_audit(scorer, pairs, train=many(40, start=100), parts=parts).findings
    assert len(found) > 50
    # What stands behind `source.accuracy.` is the user's name of the source.
    ours = [each.name for each in found if not each.name.startswith("source.accuracy.")]
    assert [name for name in ours if not NAME.fullmatch(name)] == []


def test_every_finding_of_a_benchmark():
    row = {"prompt": "?", "chosen": ["3", "4", "5"], "rejected": ["1", "2", "4"], "domain": "chat"}
    domains = ("chat", "math", "code", "safety-refuse", "safety-response")
    questions = [read_rm_bench(RawRow(row | {"prompt": one, "domain": one}, "rows.jsonl", 1)) for one in domains]
    result, _ = run_questions(number_scorer(), questions, name="rm-bench")
    names = [each.name for each in benchmark_findings(result)]
    assert names[0] == "benchmark.rm_bench"
    assert [name for name in names if not NAME.fullmatch(name)] == []


@pytest.mark.parametrize("policy", POLICIES)
def test_every_name_that_a_policy_asks_for(policy: str):
    names = [name for rule in load_policy(policy).rules for name in rule.names]
    assert [name for name in names if not (is_pattern(name) or NAME.fullmatch(name))] == []
    assert [name for name in names if "-" in name] == []


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("accuracy.over", "bag of words"), "accuracy.over.bag_of_words"),
        (("benchmark", "rewardbench-2", "Precise IF"), "benchmark.rewardbench_2.precise_if"),
        (("benchmark", "rm-bench"), "benchmark.rm_bench"),
    ],
)
def test_names_of_things_that_have_names_for_people(parts: tuple[str, ...], name: str):
    assert finding_name(*parts) == name
