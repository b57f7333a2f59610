"""What an audit leaves behind beside its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.scores import Truncating
from rewardsmith.pipeline.audit import _keeping_rewards, audit_model
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.load import load_scorer


@pytest.fixture
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    rows = [{"prompt": f"What is {n}?", "chosen": f"It is {2 * n}.", "rejected": f"About {n}."} for n in range(40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rewards_of_an_audit_that_failed_are_found_by_the_next(tiny_reward_model: Path, tmp_path: Path):
    asked = [(user("2+2?"), assistant("4"))]
    with pytest.raises(KeyboardInterrupt), _keeping_rewards(None, tmp_path / "audit") as folder:
        load_scorer(tiny_reward_model, device="cpu", cache=folder).score(asked)
        raise KeyboardInterrupt
    with _keeping_rewards(None, tmp_path / "audit") as folder:
        scorer = load_scorer(tiny_reward_model, device="cpu", cache=folder)
        assert isinstance(scorer, FastScorer)
        assert isinstance(scorer, Truncating)
        scorer.score(asked)
        assert scorer.statistics.cache_hits == 1
    assert not list(tmp_path.iterdir())


def test_a_finished_audit_leaves_its_report_and_the_cache_that_was_asked_for(
    tiny_reward_model: Path, pairs: Path, tmp_path: Path
):
    audit_model(tiny_reward_model, data=pairs, out=tmp_path / "audit", probes=["format"])
    assert [path.name for path in tmp_path.iterdir()] == ["audit"]
    audit_model(tiny_reward_model, data=pairs, out=tmp_path / "audit", probes=["format"], cache=tmp_path / "rewards")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit", "rewards"]
