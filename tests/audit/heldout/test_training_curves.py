from __future__ import annotations

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.heldout.training_curves import TrainingCurves, read_training_curves

LOG = [
    {"step": 10, "loss": 0.7, "accuracy": 0.5, "epoch": 0.1},
    {"step": 20, "loss": float("nan"), "accuracy": 0.6},
    {"step": 20, "eval_loss": 0.68, "eval_accuracy": 0.55},
    {"step": 30, "loss": 0.6},
    {"step": 30, "train_loss": 0.65, "train_runtime": 3.0},
]


def test_series_by_step_with_numbers_only():
    curves = read_training_curves(LOG)
    assert isinstance(curves, TrainingCurves)
    assert (curves.loss.steps, curves.loss.values) == ((10, 30), (0.7, 0.6))
    assert (curves.accuracy.steps, curves.accuracy.values) == ((10, 20), (0.5, 0.6))
    assert (curves.heldout_loss.steps, curves.heldout_loss.values) == ((20,), (0.68,))
    assert curves.heldout_accuracy.values == (0.55,)


def test_a_step_that_was_run_again_counts_once():
    curves = read_training_curves([{"step": 2, "loss": 1.0}, {"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}])
    assert isinstance(curves, TrainingCurves)
    assert (curves.loss.steps, curves.loss.values) == ((1, 2), (3.0, 2.0))


def test_no_log_and_a_log_without_figures_give_a_reason():
    for log in (None, [], [{"message": "started"}], [{"step": 1, "learning_rate": 1e-5}]):
        assert isinstance(read_training_curves(log), Absent)
