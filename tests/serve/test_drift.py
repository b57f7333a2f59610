from __future__ import annotations

import json

import numpy as np
import pytest

from rewardsmith.audit.store import AUDIT_KIND, KIND
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import write_text, writing_artefact
from rewardsmith.serve.drift import SCORED_KINDS, SCORES_NAME, DriftMonitor, Reference, load_reference

DIGEST = "a" * 64


def reference(n=1000, seed=0):
    return Reference(np.random.default_rng(seed).normal(size=n).astype(np.float32), "evaluation")


def write_scores(folder, rewards, *, kind="evaluation", digest=DIGEST):
    """Pairs as an evaluation writes them: each reward once, and the first one in a second pair again."""
    pairs = [
        {"id": str(at // 2), "chosen": 0, "rejected": 1, "chosen_reward": good, "rejected_reward": bad}
        for at, (good, bad) in enumerate(zip(rewards[::2], rewards[1::2], strict=True))
        for at in (2 * at,)
    ]
    lines = "".join(json.dumps(pair) + "\n" for pair in [*pairs, pairs[0]])
    with writing_artefact(folder, Manifest(kind=kind, config={}, parents={"model": digest})) as draft:
        write_text(draft.folder / SCORES_NAME, lines)


def test_names_are_those_of_the_audit():
    assert (KIND, AUDIT_KIND) == SCORED_KINDS


def test_rewards_of_the_same_kind_have_not_drifted():
    monitor = DriftMonitor(reference())
    monitor.add(np.random.default_rng(1).normal(size=1500).tolist())
    drift = monitor.drift()
    assert not drift.has_drifted
    assert drift.distance is not None
    assert drift.distance < 0.07
    assert (drift.n, drift.n_reference, drift.source) == (1500, 1000, "evaluation")


@pytest.mark.parametrize("change", [lambda x: x + 0.5, lambda x: x - 0.5, lambda x: 3 * x])
def test_moved_or_widened_rewards_have(change):
    monitor = DriftMonitor(reference())
    monitor.add(change(np.random.default_rng(1).normal(size=1500)).tolist())
    assert monitor.drift().has_drifted


def test_only_the_latest_count():
    monitor = DriftMonitor(reference(), window=500)
    monitor.add([50.0] * 500)
    assert monitor.drift().distance == 1
    monitor.add(np.random.default_rng(1).normal(size=500).tolist())
    assert not monitor.drift().has_drifted
    assert monitor.drift().n == 500


def test_of_few_nothing_is_said():
    monitor = DriftMonitor(reference())
    monitor.add([50.0] * 199)
    assert monitor.drift().distance is None
    assert not monitor.drift().has_drifted
    monitor.add([50.0])
    assert monitor.drift().has_drifted


def test_a_small_window_has_a_wide_limit():
    """c(0.001) = √(−ln(0.0005)/2) = 1.9495; with n = 200 and m = 1000: 1.9495·√(1200/200000) = 0.1510."""
    monitor = DriftMonitor(reference())
    monitor.add([0.0] * 200)
    assert monitor.drift().limit == pytest.approx(0.1510, abs=1e-4)


def test_without_a_reference_the_first_served_are_one():
    monitor = DriftMonitor(None, first=300)
    rng = np.random.default_rng(2)
    monitor.add(rng.normal(size=299).tolist())
    assert (monitor.drift().distance, monitor.drift().n_reference, monitor.drift().n) == (None, 299, 0)
    monitor.add(rng.normal(size=301).tolist())
    drift = monitor.drift()
    assert (drift.source, drift.n_reference, drift.n) == ("first served", 300, 300)
    assert not drift.has_drifted
    monitor.add((rng.normal(size=2000) + 1).tolist())
    assert monitor.drift().has_drifted


def test_the_reference_is_what_the_evaluation_of_these_weights_scored(tmp_path):
    (tmp_path / "model").mkdir()
    rewards = [float(number) for number in range(400)]
    write_scores(tmp_path / "another", [5.0] * 400, digest="b" * 64)
    assert load_reference(tmp_path / "model", DIGEST) is None
    write_scores(tmp_path / "audit", [7.0] * 400, kind="audit")
    assert load_reference(tmp_path / "model", DIGEST).source == "audit"  # pyright: ignore
    write_scores(tmp_path / "evaluation", rewards)
    found = load_reference(tmp_path / "model", DIGEST)
    assert found is not None
    assert found.source == "evaluation"
    assert sorted(found.rewards.tolist()) == rewards


@pytest.mark.parametrize("text", ["not json\n", '{"id": "1"}\n', ""])
def test_a_file_that_is_wrong_or_thin_is_left_alone(tmp_path, text):
    (tmp_path / "model").mkdir()
    write_scores(tmp_path / "evaluation", [1.0, 2.0])
    assert load_reference(tmp_path / "model", DIGEST) is None
    (tmp_path / "evaluation" / SCORES_NAME).write_text(text)
    assert load_reference(tmp_path / "model", DIGEST) is None
