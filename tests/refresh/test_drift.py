"""Drift of rewards and of texts."""

from __future__ import annotations

import numpy as np
import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.refresh.drift import Side, drift_json, measure_drift, told_apart


def side(seed: int, *, n: int = 300, shift: float = 0.0, longer: int = 0, moved: float = 0.0) -> Side:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(5, 50, size=n) + longer
    texts = [(user("q" * int(rng.integers(5, 50))), assistant("a" * int(length))) for length in lengths]
    features = rng.normal(size=(n, 6))
    features[:, 2] += moved
    return Side(texts, rng.normal(size=n) + shift, np.abs(rng.normal(size=n)), features)


def drifted(live: Side, reference: Side) -> list[str]:
    return drift_json(measure_drift(live, reference, source="held-out pairs"))["drifted"]  # type: ignore[return-value]


def test_alike_nothing_drifts():
    assert drifted(side(1), side(2)) == []


@pytest.mark.parametrize(
    ("changes", "names"),
    [({"shift": 1.0}, ["reward"]), ({"longer": 20}, ["response_length"]), ({"moved": 2.0}, ["inputs"])],
)
def test_each_change_shows_where_it_is(changes: dict[str, float], names: list[str]):
    assert drifted(side(1, **changes), side(2)) == names  # type: ignore[arg-type]


def test_a_known_distance():
    # Live rewards 0 … 99 against 50 … 149: half of the live ones lie below all others.
    empty = [(user("q"), assistant("a"))] * 100
    now, then = Side(empty, np.arange(100.0)), Side(empty, np.arange(50.0, 150.0))
    found = measure_drift(now, then, source="x")["reward"]
    assert (found.distance, found.n, found.n_reference) == (0.5, 100, 100)
    assert found.has_drifted


def test_with_too_few_texts_or_none_to_compare_with_nothing_is_said():
    found = measure_drift(side(1, n=20), side(2), source="x")
    assert found["reward"].distance is None
    nothing = measure_drift(side(1), Side((), np.empty(0)), source="none")
    assert all(each.distance is None and not each.has_drifted for each in nothing.values())
    assert "spread" not in nothing


def test_a_classifier_that_memorises_is_not_believed():
    rng = np.random.default_rng(0)
    # More features than texts: on its own texts a classifier would tell the sides apart for certain.
    live, reference = told_apart(rng.normal(size=(60, 200)), rng.normal(size=(60, 200)))
    assert abs(np.mean(live[:, None] > reference[None]) - 0.5) < 0.15
