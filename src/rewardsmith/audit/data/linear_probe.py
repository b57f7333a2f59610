"""A linear Bradley–Terry model of features: the smallest reward model there is."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64
from sklearn.linear_model import LogisticRegression


def fit_probe(
    differences: Float64[np.ndarray, "pair feature"], *, prior_variance: float
) -> Float64[np.ndarray, " feature"]:
    """Weights w that minimise Σ −log σ(w·d) + ‖w‖²/(2·prior_variance): P(chosen) = σ(w·d), no intercept.

    `differences` are the features of the chosen response minus those of the rejected one. The penalty is the same at
    every number of pairs, as a prior's is.
    """
    # A classifier wants both classes: every other pair is read in its other order, which changes no term of the loss.
    sign = np.where(np.arange(len(differences)) % 2 == 0, 1.0, -1.0)
    model: Any = LogisticRegression(C=prior_variance, fit_intercept=False, max_iter=500)
    model.fit(differences * sign[:, None], sign > 0)
    return np.asarray(model.coef_, dtype=np.float64).reshape(-1)
