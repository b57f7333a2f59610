"""What a person reads."""

from __future__ import annotations

import pytest

from rewardsmith.training.progress import duration, heldout_line, training_line


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (90, "2 min"), (3600, "1.0 h"), (12600, "3.5 h")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_lines():
    logs = {"loss": 0.61234, "accuracy": 0.66, "tokens_per_s": 1830.4}
    assert training_line(logs, step=40, max_steps=200, seconds_left=130) == (
        "step 40/200  loss 0.6123  accuracy 0.660  1,830 tokens/s  2 min left"
    )
    logs = {"eval_loss": 0.5, "eval_accuracy": 0.7, "eval_directed_pairs": 120}
    assert heldout_line(logs, step=40) == "step 40  held out: loss 0.5000  accuracy 0.700  on 120 pairs"
