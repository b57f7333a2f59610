from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.acquisition import (
    disagreement,
    distance_to,
    information_gain,
    k_center,
    mixed,
    pick,
    smallness_of_margin,
)


def test_disagreement_by_hand():
    # Root mean squares are 1 and 10: scaled they are (1, 1) and (1, −1), so 0 and 1.
    np.testing.assert_allclose(disagreement(np.array([[1.0, 1.0], [10.0, -10.0]])), [0.0, 1.0])


@given(st.floats(0.1, 1000), st.integers(0, 10_000))
def test_a_louder_member_does_not_disagree_more(scale: float, seed: int):
    margins = np.random.default_rng(seed).normal(size=(3, 7))
    louder = margins * np.array([[scale], [1.0], [1.0]])
    np.testing.assert_allclose(disagreement(louder), disagreement(margins), rtol=1e-9)


def test_the_smallest_margin_comes_first():
    assert smallness_of_margin(np.array([2.0, -0.1, 0.5])).argmax() == 1


def test_information_gain_by_hand():
    # Sure and opposed: log 2. All unsure: 0. (.9, .5): H(.7) − (H(.9) + H(.5))/2 = .6109 − (.3251 + .6931)/2 = .1018.
    gain = information_gain(np.array([[1.0, 0.5, 0.9], [0.0, 0.5, 0.5]]))
    np.testing.assert_allclose(gain, [math.log(2), 0.0, 0.1018], atol=1e-4)


@given(st.integers(2, 5), st.integers(0, 10_000))
def test_information_gain_is_bounded_and_blind_to_sides(members: int, seed: int):
    probabilities = np.random.default_rng(seed).random((members, 11))
    gain = information_gain(probabilities)
    assert (gain >= 0).all()
    assert (gain <= math.log(2) + 1e-12).all()
    np.testing.assert_allclose(gain, information_gain(1 - probabilities), atol=1e-12)


def test_distance_to_the_nearest_label():
    features = np.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(distance_to(features, np.array([[0.0, 0.0], [6.0, 8.0]])), [0.0, 5.0])
    assert np.isinf(distance_to(features, np.empty((0, 2)))).all()


@given(st.integers(0, 10_000), st.integers(1, 4), st.booleans())
def test_greedy_centres_cover_within_twice_the_best_radius(seed: int, n: int, has_known: bool):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(9, 2))
    known = rng.normal(size=(2, 2)) if has_known else np.empty((0, 2))

    def radius(chosen) -> float:
        return float(distance_to(features, np.concatenate([known, features[list(chosen)]])).max())

    best = min(radius(chosen) for chosen in combinations(range(9), n))
    chosen = k_center(features, n, known=known if has_known else None)
    assert len(set(chosen.tolist())) == n
    assert radius(chosen) <= 2 * best + 1e-9


def test_centres_by_hand():
    features = np.array([[0.0], [1.0], [10.0], [4.0]])
    # The mean is 3.75, so 4 is first; then 10 (6 away), then 0 (4 away).
    assert k_center(features, 3).tolist() == [3, 2, 0]
    assert k_center(features, 2, known=np.array([[10.0]])).tolist() == [0, 3]
    assert sorted(k_center(np.zeros((3, 2)), 3).tolist()) == [0, 1, 2]
    assert k_center(features, 0).tolist() == []


def test_mixed_takes_orders_and_not_scales():
    parts = {"a": np.array([1.0, 2.0, 1e9]), "b": np.array([0.3, 0.2, 0.1])}
    np.testing.assert_allclose(mixed(parts, {"a": 1.0, "b": 1.0}), [0.5, 0.5, 0.5])
    np.testing.assert_allclose(mixed(parts, {"a": 3.0, "b": 1.0}), [0.25, 0.5, 0.75])
    np.testing.assert_allclose(mixed(parts, {"a": 2.0}), [0.0, 0.5, 1.0])


def test_a_batch_has_no_two_alike_before_it_must():
    values = np.array([3.0, 2.9, 2.0, 1.0])
    features = np.array([[1.0, 0.0], [1.0, 0.01], [0.0, 1.0], [1.0, 1.0]])
    assert pick(values, 2).tolist() == [0, 1]
    assert pick(values, 2, features=features).tolist() == [0, 2]
    assert pick(values, 4, features=features).tolist() == [0, 2, 3, 1]
    assert pick(values, 3, groups=["a", "b", "b", "a"]).tolist() == [0, 1, 2]
    assert pick(values, 9).tolist() == [0, 1, 2, 3]


def test_what_is_no_input_is_refused():
    with pytest.raises(DataError, match="one member"):
        disagreement(np.ones((1, 3)))
    with pytest.raises(DataError, match="finite"):
        information_gain(np.array([[0.5], [np.nan]]))
    with pytest.raises(DataError, match="not a probability"):
        information_gain(np.array([[0.5], [1.5]]))
    with pytest.raises(DataError, match="weight of nothing"):
        mixed({"a": np.ones(2)}, {"b": 1.0})
    with pytest.raises(DataError, match="no such weights"):
        mixed({"a": np.ones(2)}, {"a": 0.0})
    with pytest.raises(DataError, match="different lengths"):
        mixed({"a": np.ones(2), "b": np.ones(3)}, {"a": 1.0, "b": 1.0})
