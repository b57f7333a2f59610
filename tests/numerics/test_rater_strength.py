"""Bradley–Terry with rater strengths: planted ones come back, a posterior by quadrature, worths by their gradient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.rater_strength import rater_strengths, weighted_scores


def planted(strengths: list[float], comparisons: int, *, seed: int) -> tuple[np.ndarray, ...]:
    """Differences, then comparison, rater and credit of every vote."""
    rng = np.random.default_rng(seed)
    difference = rng.normal(size=comparisons)
    which, raters = (each.reshape(-1) for each in np.indices((comparisons, len(strengths))))
    credits = rng.random(len(which)) < expit(np.array(strengths)[raters] * difference[which])
    return difference, which, raters, credits.astype(float)


def test_planted_strengths_come_back():
    strengths = [0.0, 0.5, 1.0, 2.0, 3.0]
    difference, which, raters, credits = planted(strengths, 2000, seed=0)

    fit = rater_strengths(which, raters, credits, shape=(2000, 5))

    assert fit.converged
    # Standard errors at 2,000 votes a rater are about .06 to .3.
    assert fit.strength == pytest.approx(np.array(strengths), abs=0.6)
    assert list(np.argsort(fit.strength)) == [0, 1, 2, 3, 4]
    assert np.corrcoef(fit.difference, difference)[0, 1] > 0.75
    assert ((fit.prob_first > 0.5) == (difference > 0)).mean() > 0.8


def test_the_posterior_is_that_of_the_integral():
    # One comparison, votes 1, 1 and 0 of three raters: ∫ σ(βd)… N(d) over d, by another quadrature.
    which, raters, credits = np.array([0, 0, 0]), np.array([0, 1, 2]), np.array([1.0, 1.0, 0.0])

    fit = rater_strengths(which, raters, credits, shape=(1, 3))

    def joint(d: float) -> float:
        return float(norm.pdf(d) * np.prod(expit((2 * credits - 1) * fit.strength * d)))

    total = quad(joint, -10, 10)[0]
    assert fit.difference[0] == pytest.approx(quad(lambda d: d * joint(d), -10, 10)[0] / total, abs=1e-4)
    assert fit.prob_first[0] == pytest.approx(quad(joint, 0, 10)[0] / total, abs=0.03)


def test_turning_every_comparison_round_turns_the_answers_round():
    _, which, raters, credits = planted([1.0, 2.0, 3.0], 101, seed=1)

    one = rater_strengths(which, raters, credits, shape=(101, 3))
    other = rater_strengths(which, raters, 1 - credits, shape=(101, 3))

    assert one.strength == pytest.approx(other.strength, rel=1e-3)
    assert one.prob_first == pytest.approx(1 - other.prob_first, abs=1e-4)
    assert one.difference == pytest.approx(-other.difference, abs=1e-3)


def test_who_says_the_opposite_is_not_read_backwards():
    _, which, raters, credits = planted([3.0, 3.0, 3.0], 400, seed=2)
    credits = np.where(raters == 2, 1 - credits, credits)

    fit = rater_strengths(which, raters, credits, shape=(400, 3))

    assert fit.strength[2] < 0.2 < 2 < fit.strength[:2].min()


def test_without_votes_nothing_is_known():
    fit = rater_strengths(np.array([0]), np.array([0]), np.array([0.5]), shape=(2, 2))

    assert fit.difference == pytest.approx(np.zeros(2), abs=1e-9)
    assert fit.prob_first == pytest.approx([0.5, 0.5])
    assert fit.strength[1] == pytest.approx(2.0)


def test_worths_by_hand():
    # One vote of strength 1 for answer 0 over 1: with s = (x, −x), σ(−2x) = 2x at the top, so x = 0.2315….
    worth = weighted_scores([(0, 1)], np.array([1.0]), np.array([1.0]), items=2)

    assert worth[0] == pytest.approx(-worth[1])
    assert expit(-2 * worth[0]) == pytest.approx(2 * worth[0], abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from([0.0, 0.5, 1.0]), st.floats(0.1, 50.0)),
        max_size=20,
    )
)
def test_worths_are_where_the_gradient_is_nought(votes: list[tuple[int, int, float, float]]):
    pairs = [(one, (one + step) % 4) for one, step, _, _ in votes]
    credits, strengths = np.array([each[2] for each in votes]), np.array([each[3] for each in votes])

    worth = weighted_scores(pairs, credits, strengths, items=4)

    slope = -2 * worth
    for (one, other), credit, strength in zip(pairs, credits, strengths, strict=True):
        pull = strength * (credit - expit(strength * (worth[one] - worth[other])))
        slope[one] += pull
        slope[other] -= pull
    assert slope == pytest.approx(np.zeros(4), abs=1e-6)
    assert worth.sum() == pytest.approx(0.0, abs=1e-9)


def test_the_stronger_rater_decides():
    assert weighted_scores([(0, 1), (1, 0)], np.array([1.0, 1.0]), np.array([3.0, 1.0]), items=2)[0] > 0


def test_impossible_votes_are_refused():
    one = np.array([0])
    with pytest.raises(DataError, match="credit"):
        rater_strengths(one, one, np.array([1.5]), shape=(1, 1))
    with pytest.raises(DataError, match="rater outside"):
        rater_strengths(one, np.array([1]), np.array([1.0]), shape=(1, 1))
    with pytest.raises(DataError, match="no two answers"):
        weighted_scores([(1, 1)], np.array([1.0]), np.array([1.0]), items=2)
    with pytest.raises(DataError, match="differ in length"):
        weighted_scores([(0, 1)], np.array([1.0, 0.0]), np.array([1.0, 2.0]), items=2)
