from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from rewardsmith.audit.data.linear_probe import fit_probe


@pytest.mark.parametrize("variance", [0.01, 1.0])
def test_it_minimises_the_penalised_bradley_terry_loss(variance):
    differences = np.random.default_rng(0).normal(size=(53, 7)) + 0.2

    def loss(weights):
        return np.logaddexp(0, -differences @ weights).sum() + weights @ weights / (2 * variance)

    expected = minimize(loss, np.zeros(7), method="BFGS", options={"gtol": 1e-9}).x
    assert fit_probe(differences, prior_variance=variance) == pytest.approx(expected, abs=1e-3)


def test_swapped_pairs_turn_the_weights_around():
    differences = np.random.default_rng(1).normal(size=(40, 3)) + 0.3
    there, back = fit_probe(differences, prior_variance=0.1), fit_probe(-differences, prior_variance=0.1)
    assert there == pytest.approx(-back, abs=1e-4)
    assert (differences @ there).mean() > 0
