"""Lines of a run, its best step, its picture."""

from __future__ import annotations

import math

from rewardsmith.optimise.picture import run_picture, run_plots
from rewardsmith.optimise.run_log import best_step, trl_line


def test_trls_names_become_ours():
    logs = {
        "reward": 0.5,
        "kl": 0.02,
        "completions/mean_length": 12.0,
        "completions/clipped_ratio": 0.25,
        "reward_std": math.nan,
        "entropy": None,
        "learning_rate": 1e-5,
    }
    assert trl_line(3, logs, beta=0.1) == {
        "step": 3.0,
        "beta": 0.1,
        "reward": 0.5,
        "trainer_nats_a_token": 0.02,
        "length": 12.0,
        "finished": 0.75,
    }


def test_the_best_step_has_the_highest_lower_end():
    lines = [{"step": 1.0}, {"step": 2.0, "gold_low": 3.0, "gold": 3.5}, {"step": 4.0, "gold_low": 2.0, "gold": 4.0}]
    assert best_step(lines) == 2
    assert best_step(lines[:1]) is None


def test_the_picture_shows_what_there_is():
    lines = [
        {"step": 1.0, "proxy": 1.0, "length": 5.0, "beta": 0.1},
        {"step": 2.0, "proxy": 2.0, "length": 6.0, "beta": 0.1, "kl_nats": 0.5, "kl_low": 0.2, "kl_high": 0.9},
    ]
    assert list(run_plots(lines)) == ["Reward", "KL from the reference", "Length", "β"]
    assert list(run_plots([{"step": 1.0, "reward": 1.0}])) == ["Reward"]
    page = run_picture(lines, title="GRPO run", stopped="KL: <5> nats")
    assert "GRPO run" in page
    assert "&lt;5&gt;" in page
    assert page.count("<svg") == 4
    assert run_picture([], title="GRPO run").count("<svg") == 0
