"""The simulated panel: votes follow the stated probabilities, and the stated noise can be found again."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from rewardsmith.preferences.panel import (
    PANEL,
    Rated,
    Rater,
    Vote,
    cast_vote,
    decide,
    lead,
    perceived_difference,
    poll,
    rank,
    vote_probabilities,
)

SWAP = {"first": "second", "second": "first", "tie": "tie"}
POINTS = st.floats(0, 10)


def test_vote_probabilities_by_hand():
    # d = ln 3, t = 0, s = 1: σ(ln 3) = 3/4, σ(−ln 3) = 1/4, no ties.
    assert vote_probabilities(Rater("x", noise=1, indifference=0), math.log(3)) == pytest.approx((0.75, 0.25, 0))
    # d = 0, t = ln 3: σ(−ln 3) = 1/4 for each side, 1/2 for a tie.
    assert vote_probabilities(Rater("x", noise=1, indifference=math.log(3)), 0) == pytest.approx((0.25, 0.25, 0.5))
    # Twice the noise halves the exponent: d = 2 ln 3, s = 2 is the first case again.
    assert vote_probabilities(Rater("x", noise=2, indifference=0), 2 * math.log(3))[0] == pytest.approx(0.75)


def test_length_taste_shifts_the_difference():
    short, long = Rated("a", 5.0, words=3), Rated("b", 5.0, words=15)
    # log((15 + 1) / (3 + 1)) = log 4.
    fond = Rater("x", noise=1, length_taste=0.5)
    assert perceived_difference(fond, long, short) == pytest.approx(0.5 * math.log(4))
    assert perceived_difference(Rater("x", noise=1), long, short) == 0
    assert perceived_difference(fond, Rated("c", 7.0, 3), short) == pytest.approx(2.0)


@given(difference=st.floats(-50, 50), noise=st.floats(0.05, 5), indifference=st.floats(0, 2))
def test_probabilities_sum_to_one_and_swap(difference: float, noise: float, indifference: float):
    rater = Rater("x", noise=noise, indifference=indifference)
    first, second, tie = vote_probabilities(rater, difference)
    assert min(first, second, tie) >= -1e-12
    assert first + second + tie == pytest.approx(1)
    assert vote_probabilities(rater, -difference) == pytest.approx((second, first, tie))
    assert (first >= second) == (difference >= 0) or first == pytest.approx(second)


@given(a=POINTS, b=POINTS, words=st.integers(0, 80), item=st.text(max_size=5))
def test_order_of_the_sides_does_not_matter(a: float, b: float, words: int, item: str):
    one, other = Rated("one", a, words), Rated("other", b, 20)
    votes = poll(PANEL, one, other, seed=3, item=item)
    assert votes == poll(PANEL, one, other, seed=3, item=item)
    assert [SWAP[vote] for vote in votes] == list(poll(PANEL, other, one, seed=3, item=item))


def test_draws_differ_by_rater_item_and_seed():
    twins = tuple(Rater(name, noise=1.0) for name in "abcdefghij")
    one, other = Rated("one", 5, 9), Rated("other", 5, 9)
    votes = poll(twins, one, other, seed=0, item="p")
    assert len(set(votes)) > 1
    assert votes != poll(twins, one, other, seed=1, item="p")
    assert votes != poll(twins, one, other, seed=0, item="q")


@pytest.mark.parametrize("rater", PANEL, ids=lambda rater: rater.name)
def test_known_noise_is_recovered(rater: Rater):
    """Maximum likelihood on 4,000 votes finds noise, indifference and taste within four standard errors."""
    draws = np.random.default_rng(7)
    differences = draws.normal(0, 1.5, 4000)
    words = draws.integers(1, 60, (4000, 2))
    votes = [
        cast_vote(rater, Rated(f"a{n}", 5 + d, int(w[0])), Rated(f"b{n}", 5.0, int(w[1])), seed=0, item=str(n))
        for n, (d, w) in enumerate(zip(differences, words, strict=True))
    ]
    log_ratio = np.log((words[:, 0] + 1) / (words[:, 1] + 1))
    found, errors = _fit(differences, log_ratio, np.array(votes))
    truth = np.array([rater.noise, rater.indifference, rater.length_taste])
    assert np.all(np.abs(found - truth) < 4 * errors), (found, truth, errors)
    assert np.all(errors < 0.1)


def _fit(differences: np.ndarray, log_ratio: np.ndarray, votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Noise, indifference and taste by maximum likelihood, with standard errors from the BFGS inverse Hessian."""

    def loss(parameters: np.ndarray) -> float:
        noise, indifference, taste = np.exp(parameters[0]), parameters[1], parameters[2]
        d = differences + taste * log_ratio
        first, second = expit((d - indifference) / noise), expit((-d - indifference) / noise)
        chance = np.where(votes == "first", first, np.where(votes == "second", second, 1 - first - second))
        return -float(np.log(np.clip(chance, 1e-12, None)).sum())

    result = minimize(loss, np.array([0.0, 0.2, 0.0]), method="BFGS")
    error = np.sqrt(np.diag(result.hess_inv))
    noise = np.exp(result.x[0])
    return np.array([noise, result.x[1], result.x[2]]), np.array([noise * error[0], error[1], error[2]])


@pytest.mark.parametrize(
    ("votes", "decision", "leads"),
    [
        (["first", "first", "second"], "first", 1),
        (["second", "first", "second", "tie", "second"], "second", -2),
        (["first", "second", "tie"], "tie", 0),
        (["first", "tie", "tie"], "tie", 1),
        (["first", "first", "tie", "tie", "second"], "first", 1),
        (["tie"], "tie", 0),
    ],
)
def test_decide_and_lead(votes: list[Vote], decision: str, leads: int):
    assert decide(votes) == decision
    assert lead(votes) == leads


def test_ranks_of_a_sure_panel():
    sure = (Rater("x", noise=0.001, indifference=0.1),)
    responses = [Rated("a", 5, 9), Rated("b", 9, 9), Rated("c", 5, 9), Rated("d", 1, 9)]
    assert rank(sure, responses, seed=0, item="p") == [2, 1, 2, 4]
    assert rank(sure, responses[::-1], seed=0, item="p") == [4, 2, 1, 2]


def test_panel_is_as_the_data_statement_says():
    assert [rater.noise for rater in PANEL] == [0.3, 0.5, 0.5, 0.9, 0.5]
    assert {rater.name: rater.length_taste for rater in PANEL if rater.length_taste} == {"eli": 0.5}
    assert {rater.indifference for rater in PANEL} == {0.35}
