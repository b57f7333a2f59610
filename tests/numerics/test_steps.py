"""Steps of a solution: hand values, limits, symmetries, references."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.steps import (
    NO_ERROR,
    aggregate,
    first_error_credits,
    first_error_f1,
    fit_threshold,
    locate_first_error,
    probabilities_of,
    step_accuracy,
    step_auroc,
    step_credits,
    step_losses,
)

NAN = float("nan")
logits = st.lists(st.floats(-20, 20), min_size=1, max_size=8).map(np.array)


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def test_three_steps_by_hand():
    """p = (.9, .5, .8): Π p = .36, min p = .5 (logit 0), last p = .8 (logit log 4)."""
    z = np.array([logit(0.9), logit(0.5), logit(0.8)])
    assert aggregate(z, "product") == pytest.approx(math.log(0.36))
    assert aggregate(z, "minimum") == pytest.approx(0.0)
    assert aggregate(z, "last") == pytest.approx(math.log(4))


def test_steps_that_were_not_read_have_no_part():
    z = np.array([NAN, logit(0.9), logit(0.5)])
    assert aggregate(z, "product") == pytest.approx(math.log(0.45))
    assert aggregate(z, "minimum") == pytest.approx(0.0)
    with pytest.raises(DataError, match="no step to aggregate"):
        aggregate(np.array([NAN]), "last")


def test_an_unknown_aggregation_is_refused():
    with pytest.raises(Exception, match=r"mean|Literal"):
        aggregate(np.array([1.0]), "mean")  # pyright: ignore[reportArgumentType]


@given(logits)
def test_aggregations_agree_on_one_step_and_never_rise_with_a_step(z: np.ndarray):
    one = z[:1]
    assert math.exp(aggregate(one, "product")) == pytest.approx(float(probabilities_of(one)[0]))
    assert aggregate(one, "minimum") == aggregate(one, "last") == z[0]
    for how in ("product", "minimum"):
        assert aggregate(np.append(z, 0.3), how) <= aggregate(z, how)
    assert aggregate(z, "product") <= math.log(float(probabilities_of(z.min(keepdims=True))[0])) + 1e-9


@given(logits)
def test_the_order_of_steps_matters_for_the_last_one_only(z: np.ndarray):
    assert aggregate(z[::-1], "product") == pytest.approx(aggregate(z, "product"))
    assert aggregate(z[::-1], "minimum") == aggregate(z, "minimum")
    assert aggregate(z[::-1], "last") == z[0]


def test_extreme_logits_stay_finite():
    assert aggregate(np.array([-800.0, 800.0]), "product") == pytest.approx(-800.0)


def test_the_first_step_below_the_threshold_is_the_error():
    p = np.array([0.9, 0.4, 0.1])
    assert locate_first_error(p, 0.5) == 1
    assert locate_first_error(p, 0.4) == 2
    assert locate_first_error(p, 0.1) == NO_ERROR == -1


def test_first_error_f1_by_hand():
    """Erroneous: 1 of 2 found at the right step; correct: 2 of 3 let through. F1 = 2·½·⅔ / (½ + ⅔) = 4/7."""
    gold = [2, 0, -1, -1, -1]
    assert first_error_f1([2, 1, -1, -1, 0], gold) == pytest.approx(4 / 7)
    assert list(first_error_credits([2, 1, -1, -1, 0], gold)) == [1, 0, 1, 1, 0]
    assert first_error_f1([-1] * 5, gold) == 0.0
    assert first_error_f1([0] * 5, gold) == 0.0
    assert first_error_f1(gold, gold) == 1.0
    assert math.isnan(first_error_f1([0, 1], [0, 1]))
    with pytest.raises(DataError, match="differ in length"):
        first_error_f1([1], gold)


def test_a_threshold_is_fitted_where_it_finds_all():
    """The errors have .3 and .35, every other step at least .6: anything between parts them; halfway is .475."""
    probabilities = [np.array([0.9, 0.3]), np.array([0.35, 0.2]), np.array([0.6, 0.8])]
    threshold = fit_threshold(probabilities, [1, 0, -1])
    assert threshold == pytest.approx((0.35 + 0.6) / 2)
    assert [locate_first_error(p, threshold) for p in probabilities] == [1, 0, -1]


def test_a_threshold_on_one_kind_of_solution():
    probabilities = [np.array([0.9, 0.3]), np.array([0.2, 0.4])]
    assert [locate_first_error(p, fit_threshold(probabilities, [1, 0])) for p in probabilities] == [1, 0]
    assert fit_threshold(probabilities, [-1, -1]) == pytest.approx(0.1)
    assert fit_threshold([np.array([0.4])], [0]) > 0.4
    with pytest.raises(DataError, match="no solution"):
        fit_threshold([], [])


def test_many_probabilities_are_searched_by_quantiles():
    rng = np.random.default_rng(0)
    gold = [*([0] * 500), *([-1] * 500)]
    probabilities = [rng.uniform(0, 0.5, 1) if place == 0 else rng.uniform(0.5, 1, 1) for place in gold]
    threshold = fit_threshold(probabilities, gold)
    assert first_error_f1([locate_first_error(p, threshold) for p in probabilities], gold) > 0.99


def test_unlabelled_steps_count_for_nothing():
    z, y = np.array([2.0, -1.0, 0.0, 5.0]), np.array([1.0, 1.0, 0.0, NAN])
    assert list(step_credits(z, y)) == [1.0, 0.0, 0.5]
    assert step_accuracy(z, y) == 0.5
    assert math.isnan(step_accuracy(z, np.full(4, NAN)))


def test_auroc_counts_pairs():
    """Right: 2 and −1; wrong: 0. One of two pairs is in order. A sign flip gives the complement."""
    z, y = np.array([2.0, -1.0, 0.0, 9.0]), np.array([1.0, 1.0, 0.0, NAN])
    assert step_auroc(z, y) == 0.5
    assert step_auroc(np.array([2.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0])) == 1.0
    assert step_auroc(-np.array([2.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0])) == 0.0
    assert math.isnan(step_auroc(z, np.ones(4)))
    rng = np.random.default_rng(0)
    many, labels = rng.integers(0, 5, 60).astype(float), rng.integers(0, 2, 60).astype(float)
    assert step_auroc(many, labels) == pytest.approx(roc_auc_score(labels, many))


def test_losses_equal_those_of_scikit_learn():
    z, y = np.array([0.5, -1.5, 3.0]), np.array([1.0, 0.0, 0.0])
    assert step_losses(z, y).mean() == pytest.approx(log_loss(y, probabilities_of(z)))
    assert step_losses(np.array([0.0]), np.array([1.0]))[0] == pytest.approx(math.log(2))
