"""The bag-of-words floor: what a model reaches that knows which words win, and nothing about the prompt.

It is fitted on the training split where there is one, as the model under audit was; otherwise on the held-out pairs
themselves in grouped folds, so that no pair is judged by a model that saw its prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from sklearn.model_selection import GroupKFold

from rewardsmith.audit.observations import ordered_pairs
from rewardsmith.core.conversation import response_text
from rewardsmith.core.preference import Preference
from rewardsmith.preferences.floors import compared_texts, fit_bag_of_words

FOLDS = 5


@dataclass(frozen=True, slots=True)
class WordFloor:
    """Margins of the bag-of-words model.

    Attributes:
        margin: One for each pair of the preferences that were asked about, in their order.
        how: What the model was fitted on.
    """

    margin: Float64[np.ndarray, " pair"]
    how: str


def fit_words(heldout: Sequence[Preference], train: Sequence[Preference] | None) -> WordFloor:
    """Bag-of-words margins of the pairs of `heldout`, fitted on `train`, or in grouped folds where there is none."""
    decided = compared_texts(train or ()).groups
    if not train or not decided:
        return _in_folds(heldout)
    how = f"fitted on {len(decided):,} training pairs of {len(set(decided)):,} prompt groups"
    return WordFloor(_fit_then_judge(train, heldout), how)


def _in_folds(preferences: Sequence[Preference]) -> WordFloor:
    groups = [preference.group for preference in preferences]
    folds = min(FOLDS, len(set(groups)))
    if folds < 2:
        margin = np.zeros(sum(len(preference.pairs) for preference in preferences))
        return WordFloor(margin, "not fitted: there is one prompt group only, so it is a coin")
    owner = np.array([pair.row for pair in ordered_pairs(preferences)], dtype=np.int64)
    margin = np.zeros(len(owner))
    for inside, outside in GroupKFold(n_splits=folds).split(groups, groups=groups):
        fitted = [preferences[int(row)] for row in inside]
        margin[np.isin(owner, outside)] = _fit_then_judge(fitted, [preferences[int(row)] for row in outside])
    how = f"fitted on the held-out pairs, {folds} folds by prompt group (no training pairs were given)"
    return WordFloor(margin, how)


def _fit_then_judge(fitted: Sequence[Preference], judged: Sequence[Preference]) -> Float64[np.ndarray, " pair"]:
    pairs = ordered_pairs(judged)
    if not compared_texts(fitted).groups:
        return np.zeros(len(pairs))
    model = fit_bag_of_words(fitted)
    chosen = model.score_texts([response_text(pair.preference.responses[pair.chosen]) for pair in pairs])
    rejected = model.score_texts([response_text(pair.preference.responses[pair.rejected]) for pair in pairs])
    return np.asarray(chosen - rejected, dtype=np.float64)
