"""How many labels a choice saves: the factor by hand, and one small run."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch):
    """The scripts import each other by their plain names."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
    return importlib.import_module("label_efficiency")


SIZES = (64, 128, 256, 512)


def lines(labels, **ahead: float) -> np.ndarray:
    """Accuracy .5 + .02 · ln n, as if a choice had so many times the labels."""
    factors = [ahead.get(choice, 1.0) for choice in labels.CHOICES]
    return np.array([[0.5 + 0.02 * math.log(size * factor) for size in SIZES] for factor in factors])


def test_a_choice_that_is_as_good_as_twice_the_labels_has_factor_two(labels):
    accuracy = lines(labels, mixed=2.0, margin=0.5)
    # The first size is the common start, and does not count.
    accuracy[:, 0] = 0.9
    found = dict(zip(labels.CHOICES, np.exp(labels.log_factors(accuracy, SIZES)), strict=True))
    assert found == pytest.approx({"random": 1.0, "margin": 0.5, "disagreement": 1.0, "diversity": 1.0, "mixed": 2.0})


def test_credits_are_read_as_halves_and_resampled_by_seed_and_group(labels):
    data = labels.Data(np.zeros((8, 1)), np.zeros((8, 1)), np.arange(8).reshape(4, 2), np.array(["a", "a", "b", "c"]))
    run = {"test": [0, 1, 2], "credits": {choice: ["000", "021", "222"] for choice in labels.CHOICES}}
    assert labels.credits_of(run)[0, 1].tolist() == [0.0, 1.0, 0.5]
    labels.DRAWS, before = 5, labels.DRAWS
    found = labels.factors(data, [run, run], (64, 128, 256))
    labels.DRAWS = before
    assert found.shape == (6, 5)
    # All choices have the same credits: nothing is saved, in no draw.
    assert (found == 0).all()


def test_a_run_asks_for_new_pairs_of_the_pool_only(labels):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(240, 6)).astype(np.float32)
    better = features[:, 0].reshape(-1, 2).argmax(axis=1)
    rows = np.arange(240).reshape(-1, 2)
    pairs = np.stack([rows[np.arange(120), better], rows[np.arange(120), 1 - better]], axis=1)
    data = labels.Data(features, features, pairs, np.arange(120).astype(str))
    found = labels.measure(data, 0, sizes=(16, 32))
    assert len(found["test"]) == 36
    assert all(len(each) == 36 for digits in found["credits"].values() for each in digits)
    rewards = features[None, :, 0] + 0.1 * rng.normal(size=(5, 240))
    left, labelled = np.arange(20, 60), np.arange(20)
    for choice in labels.CHOICES:
        asked = labels.ask(data, rewards, left, labelled, choice, n=8, seed=0)
        assert len(set(asked.tolist())) == 8
        assert set(asked.tolist()) <= set(left.tolist())
