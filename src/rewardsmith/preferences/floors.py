"""What costs nothing: accuracies that a reward model has to beat before it has learnt anything.

Longer wins, shorter wins, and a Bradley–Terry model on bags of words. Ties of the raters have no right answer and are
left out. Lengths are characters of the last assistant turn; a pair of equal lengths counts half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from rewardsmith.core.conversation import response_text
from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.intervals import share_bootstrap
from rewardsmith.numerics.ranking import pair_accuracy


@dataclass(frozen=True, slots=True)
class ComparedTexts:
    """The comparisons of a data set, one entry a pair that is no tie.

    Attributes:
        chosen: Text of the chosen response.
        rejected: Text of the rejected one.
        groups: Prompt group.
    """

    chosen: tuple[str, ...]
    rejected: tuple[str, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Floor:
    """A floor's accuracy and what it is made of.

    Attributes:
        name: As it is printed.
        estimate: Accuracy with its interval over prompt groups.
        credits: 1, .5 or 0 for each pair that is no tie, in the order of the data, for paired comparisons.
    """

    name: str
    estimate: Estimate
    credits: Float[np.ndarray, " pair"]


class BagOfWords:
    """A linear reward on the words of a response, fitted by `fit_bag_of_words`."""

    def __init__(self, vectorizer: TfidfVectorizer, weights: Float[np.ndarray, " word"]) -> None:
        self._vectorizer = vectorizer
        self._weights = weights

    def score_texts(self, texts: Sequence[str]) -> Float[np.ndarray, " text"]:
        """The reward of each text; comparable within one prompt only, like any other."""
        if not len(texts):
            return np.empty(0)
        return np.asarray(self._vectorizer.transform(texts) @ self._weights)


def longer_wins(preferences: Iterable[Preference], *, seed: int = 0) -> Floor:
    """The accuracy of preferring the response with more characters."""
    return judge("longer wins", _length, compared_texts(preferences), seed=seed)


def shorter_wins(preferences: Iterable[Preference], *, seed: int = 0) -> Floor:
    """The accuracy of preferring the response with fewer characters: 1 − that of `longer_wins`."""
    return judge("shorter wins", lambda texts: -_length(texts), compared_texts(preferences), seed=seed)


def bag_of_words(preferences: Iterable[Preference], *, folds: int = 5, seed: int = 0) -> Floor:
    """The accuracy of `fit_bag_of_words` on pairs of prompt groups that it was not fitted on.

    Groups are shuffled into `folds` parts by `seed`; each part is judged by a model of the others. With fewer groups
    than folds there are as many parts as groups; with one group there is nothing to learn from, and each pair
    counts half.
    """
    texts = compared_texts(preferences)
    margins = np.zeros(len(texts.groups))
    for heldout in _parts(texts.groups, folds, seed):
        inside = np.setdiff1d(np.arange(len(texts.groups)), heldout)
        if len(inside):
            model = _fit(_select(texts, inside))
            part = _select(texts, heldout)
            margins[heldout] = model.score_texts(part.chosen) - model.score_texts(part.rejected)
    return _floor("bag of words", margins, texts.groups, seed=seed)


def fit_bag_of_words(preferences: Iterable[Preference]) -> BagOfWords:
    """Bradley–Terry on differences of bags of words: P(chosen) = σ(w·(x⁺ − x⁻)).

    x holds tf-idf weights (sublinear, words of the training responses), w has an L2 penalty. It is a logistic
    regression without intercept on each difference and its negative, so the order of the two sides is of no use to it.

    Raises:
        DataError: There is no pair to learn from.
    """
    texts = compared_texts(preferences)
    if not texts.groups:
        raise DataError("no pair to fit a bag of words on", wanted="at least one pair that is no tie")
    return _fit(texts)


def judge(
    name: str, score: Callable[[Sequence[str]], Float[np.ndarray, " text"]], texts: ComparedTexts, *, seed: int = 0
) -> Floor:
    """The accuracy of any reward of texts, such as `fit_bag_of_words(train).score_texts` on held-out pairs."""
    return _floor(name, score(texts.chosen) - score(texts.rejected), texts.groups, seed=seed)


def compared_texts(preferences: Iterable[Preference]) -> ComparedTexts:
    """The texts of all pairs of which one side is better, in order: no ties, and no labels of .5."""
    chosen, rejected, groups = [], [], []
    for preference in preferences:
        for pair in preference.pairs:
            if not pair.tie and pair.prob_chosen != 0.5:
                chosen.append(response_text(preference.responses[pair.chosen]))
                rejected.append(response_text(preference.responses[pair.rejected]))
                groups.append(preference.group)
    return ComparedTexts(tuple(chosen), tuple(rejected), tuple(groups))


def _floor(name: str, margins: Float[np.ndarray, " pair"], groups: tuple[str, ...], *, seed: int) -> Floor:
    credits = pair_accuracy(margins, ties="half")
    return Floor(name, share_bootstrap(credits, groups, seed=seed), credits)


def _fit(texts: ComparedTexts) -> BagOfWords:
    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    try:
        vectorizer.fit([*texts.chosen, *texts.rejected])
    except ValueError:
        # No text holds a word: every reward is the same.
        vectorizer = TfidfVectorizer(vocabulary=["-"])
        vectorizer.fit(["-"])
    difference = csr_matrix(vectorizer.transform(texts.chosen)) - csr_matrix(vectorizer.transform(texts.rejected))
    both = vstack([difference, -difference])
    model = LogisticRegression(fit_intercept=False, max_iter=1000)
    model.fit(both, np.repeat([1, 0], len(texts.groups)))
    return BagOfWords(vectorizer, np.asarray(model.coef_[0]))


def _parts(groups: Sequence[str], folds: int, seed: int) -> list[Int[np.ndarray, " pair"]]:
    """Indices of the pairs of each fold; a group is never in two."""
    names, codes = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    fold_of_group = np.random.default_rng(seed).permutation(len(names)) % max(2, folds)
    fold_of_pair = fold_of_group[codes]
    return [np.flatnonzero(fold_of_pair == fold) for fold in np.unique(fold_of_pair)]


def _select(texts: ComparedTexts, indices: Int[np.ndarray, " pair"]) -> ComparedTexts:
    columns = (texts.chosen, texts.rejected, texts.groups)
    return ComparedTexts(*(tuple(column[index] for index in indices) for column in columns))


def _length(texts: Sequence[str]) -> Float[np.ndarray, " text"]:
    return np.array([len(text) for text in texts], dtype=np.float64)
