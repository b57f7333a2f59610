"""Audits of models whose faults are known."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.audit.planted import FunctionScorer, length_meter, many, rater

from rewardsmith.audit.audit import run_audit
from rewardsmith.audit.evaluate import evaluate
from rewardsmith.audit.probes.catalogue import PROBES
from rewardsmith.audit.report.evaluation import Context
from rewardsmith.audit.store import write_audit, write_evaluation


def _audit(scorer: FunctionScorer, folder: Path) -> Path:
    heldout = many(120, longer_share=0.9, seed=1)
    probes = [probe for probe in PROBES if probe.name in ("length.padding", "length.twice", "damage.empty")]
    audit = run_audit(scorer, heldout, probes=probes, contrasts=())
    context = Context(name="meter", recipe={"model": {"base": "org/base"}}, parents={"data": "d" * 64})
    write_audit(audit, folder, context=context)
    return folder


@pytest.fixture(scope="session")
def length_biased_audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model that rewards nothing but the number of characters."""
    return _audit(length_meter(), tmp_path_factory.mktemp("gate") / "audit")


@pytest.fixture(scope="session")
def sound_evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model that agrees with the raters on nine pairs of ten, whatever the answers look like."""
    heldout = many(300)
    folder = tmp_path_factory.mktemp("gate") / "evaluation"
    write_evaluation(evaluate(rater(heldout, right=0.9), heldout), folder)
    return folder
