from __future__ import annotations

import numpy as np
from tests.serve.test_drift import write_scores

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.serve.models import ServedModel, ServedModels
from rewardsmith.serve.settings import ServeSettings
from rewardsmith.serve.traffic import read_traffic
from rewardsmith.serve.watch import Watch
from rewardsmith.serve.work import Answer, Ask

ASK = Ask(conversations=tuple((user("q"), assistant(f"a{number}")) for number in range(100)))


def answer(mean, digest):
    rewards = np.random.default_rng(0).normal(mean, size=100).astype(np.float32)
    return Answer(Scores(rewards, Provenance(digest, "t")))


def model(tmp_path):
    (tmp_path / "model").mkdir(exist_ok=True)
    return ServedModel("m", str(tmp_path / "model"), "ready")


def test_drift_is_held_against_the_evaluation_and_begins_anew_when_the_model_changes(tmp_path):
    served = model(tmp_path)
    rewards = np.random.default_rng(1).normal(size=1000).tolist()
    write_scores(tmp_path / "evaluation", rewards, digest="a" * 64)
    watch = Watch(ServedModels(ServeSettings()))
    assert watch.drift("m") is None
    for _ in range(3):
        watch.note(served, ASK, answer(2.0, "a" * 64))
    drift = watch.drift("m")
    assert drift is not None
    assert (drift.has_drifted, drift.n, drift.n_reference, drift.source) == (True, 300, 1000, "evaluation")
    watch.note(served, ASK, answer(2.0, "b" * 64))
    drift = watch.drift("m")
    assert drift is not None
    assert (drift.has_drifted, drift.n, drift.source) == (False, 0, "first served")


def test_a_model_that_is_gone_is_forgotten(tmp_path):
    watch = Watch(ServedModels(ServeSettings()))
    watch.note(model(tmp_path), ASK, answer(0.0, "a" * 64))
    assert b'rewardsmith_texts_total{model="m"} 100.0' in watch.metrics.render()
    assert b'model="m"' not in watch.render()
    assert watch.drift("m") is None


def test_traffic_is_logged_where_it_is_asked_for(tmp_path):
    watch = Watch(ServedModels(ServeSettings(traffic_log=tmp_path / "log", traffic_share=1.0)))
    found = answer(0.0, "a" * 64)
    watch.note(model(tmp_path), ASK, found)
    watch.close()
    rows = list(read_traffic(tmp_path / "log"))
    assert [row.reward for row in rows] == found.scores.rewards.tolist()
    assert tuple(row.conversation for row in rows) == ASK.conversations
    assert b'rewardsmith_traffic_lines_total{fate="written"} 100.0' in watch.render()
