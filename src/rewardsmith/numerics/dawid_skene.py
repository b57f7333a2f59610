"""Dawid–Skene: the true label of each item, and what each rater makes of each true label, from votes alone.

Dawid & Skene 1979, Applied Statistics 28(1), by expectation and maximisation. `crowd-kit` has the same model, and with
`smoothing=0` the two agree (the tests say so). This one is used because:

- `crowd-kit` gives a rater with three votes that all agree an error of 0, and so as much say as a thousand good ones;
  here every rater starts as the average one and moves away by what they do (`smoothing`).
- The two sides of a pair have no order of their own: with `opposite`, which of them is called first cannot matter.
- It needs numpy only; `crowd-kit` loads pandas and 2.5 seconds of other modules, in every command that reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Int64

from rewardsmith.core.errors import DataError

# A label that a rater was never seen to give may still come: probabilities stay above this.
_LEAST = 1e-10


@dataclass(frozen=True, slots=True)
class DawidSkene:
    """What the votes say of items and raters.

    Attributes:
        posterior: Probability of each true label of each item, `[item, label]`; the prior where nobody voted.
        prior: Share of each true label, `[label]`.
        confusion: Probability that a rater says `said` where the truth is `true`, `[rater, true, said]`.
        rounds: Rounds of expectation and maximisation.
        converged: The bound rose by less than the tolerance before the rounds were used up.
    """

    posterior: Float64[np.ndarray, "item label"]
    prior: Float64[np.ndarray, " label"]
    confusion: Float64[np.ndarray, "rater true said"]
    rounds: int
    converged: bool

    def accuracy(self) -> Float64[np.ndarray, " rater"]:
        """For each rater the probability of saying the truth, over the labels as often as they are true."""
        return np.einsum("t,rtt->r", self.prior, self.confusion)


def dawid_skene(
    items: Int[np.ndarray, " vote"],
    raters: Int[np.ndarray, " vote"],
    labels: Int[np.ndarray, " vote"],
    *,
    shape: tuple[int, int, int],
    opposite: Sequence[int] | None = None,
    known: Mapping[int, int] | None = None,
    smoothing: float = 4.0,
    max_rounds: int = 500,
    tolerance: float = 1e-7,
) -> DawidSkene:
    """Fit by expectation and maximisation, from the shares of the votes; the same votes always give the same numbers.

    Args:
        items: Number of the item of each vote.
        raters: Number of the rater of each vote.
        labels: Number of the label that each vote gives.
        shape: How many items, raters and labels there are.
        opposite: For each label what it becomes when the sides change places; the fit is then that of every item in
            both orders. `None` where labels have no opposite.
        known: Item → true label, where it is known.
        smoothing: So many votes of the average rater are added to each rater's, for each true label.
        max_rounds: Most rounds.
        tolerance: The smallest gain a vote, in nats, that is worth another round.

    Raises:
        DataError: A number is outside `shape`, or `smoothing` is negative.
    """
    _require_votes(items, raters, labels, shape=shape, smoothing=smoothing)
    n_items, _, n_labels = shape
    swap = np.arange(n_labels) if opposite is None else np.array(opposite, dtype=np.int64)
    posterior = _with_known(_vote_shares(items, labels, shape=shape, swap=swap), known)
    voted = np.bincount(items, minlength=n_items) > 0
    bound, rounds, converged = -np.inf, 0, not len(items)
    prior, confusion = _maximise(posterior, voted, (items, raters, labels), shape=shape, swap=swap, smoothing=smoothing)
    while rounds < max_rounds and not converged:
        joint = np.tile(np.log(np.maximum(prior, _LEAST)), (n_items, 1))
        np.add.at(joint, items, np.log(confusion)[raters, :, labels])
        most = joint.max(axis=1, keepdims=True)
        posterior = np.exp(joint - most)
        posterior = _with_known(posterior / posterior.sum(axis=1, keepdims=True), known)
        prior, confusion = _maximise(
            posterior, voted, (items, raters, labels), shape=shape, swap=swap, smoothing=smoothing
        )
        # Log-likelihood of the votes, items of a known label by that label.
        reached = float(_log_likelihood(joint, known)[voted].sum()) / len(items)
        converged = reached - bound < tolerance
        bound, rounds = reached, rounds + 1
    posterior = _with_known(np.where(voted[:, None], posterior, prior), known)
    return DawidSkene(posterior, prior, confusion, rounds, converged)


def _vote_shares(
    items: Int[np.ndarray, " vote"],
    labels: Int[np.ndarray, " vote"],
    *,
    shape: tuple[int, int, int],
    swap: Int64[np.ndarray, " label"],
) -> Float64[np.ndarray, "item label"]:
    """Share of an item's votes for each label; where nobody voted, of all votes."""
    counts = np.zeros((shape[0], shape[2]))
    np.add.at(counts, (items, labels), 1.0)
    every = counts.sum(axis=0) + counts.sum(axis=0)[swap]
    counts[counts.sum(axis=1) == 0] = every if every.sum() else 1.0
    return counts / counts.sum(axis=1, keepdims=True)


def _maximise(
    posterior: Float64[np.ndarray, "item label"],
    voted: np.ndarray,
    votes: tuple[np.ndarray, np.ndarray, np.ndarray],
    *,
    shape: tuple[int, int, int],
    swap: Int64[np.ndarray, " label"],
    smoothing: float,
) -> tuple[Float64[np.ndarray, " label"], Float64[np.ndarray, "rater true said"]]:
    """Prior and confusion that suit these labels best; with every item in both orders."""
    items, raters, labels = votes
    _, n_raters, n_labels = shape
    prior = posterior[voted].mean(axis=0) if voted.any() else np.full(n_labels, 1 / n_labels)
    prior = (prior + prior[swap]) / 2
    said = np.zeros((n_raters, n_labels, n_labels))
    np.add.at(said.transpose(0, 2, 1), (raters, labels), posterior[items])
    said = (said + said[:, swap][:, :, swap]) / 2
    if smoothing:
        average = said.sum(axis=0) + _LEAST
        said = said + smoothing * average / average.sum(axis=1, keepdims=True)
    said = np.maximum(said, _LEAST)
    return prior, said / said.sum(axis=2, keepdims=True)


def _with_known(posterior: Float64[np.ndarray, "item label"], known: Mapping[int, int] | None) -> np.ndarray:
    if not known:
        return posterior
    fixed = posterior.copy()
    rows = np.fromiter(known, dtype=np.int64)
    fixed[rows] = 0.0
    fixed[rows, np.fromiter(known.values(), dtype=np.int64)] = 1.0
    return fixed


def _log_likelihood(
    joint: Float64[np.ndarray, "item label"], known: Mapping[int, int] | None
) -> Float64[np.ndarray, " item"]:
    total = np.logaddexp.reduce(joint, axis=1)
    for item, label in (known or {}).items():
        total[item] = joint[item, label]
    return total


def _require_votes(
    items: np.ndarray, raters: np.ndarray, labels: np.ndarray, *, shape: tuple[int, int, int], smoothing: float
) -> None:
    for name, column, size in zip(("item", "rater", "label"), (items, raters, labels), shape, strict=True):
        if len(column) and not 0 <= column.min() <= column.max() < size:
            raise DataError(f"number of a {name} outside its range", wanted=f"0 to {size - 1}", got=int(column.max()))
    if smoothing < 0:
        raise DataError("negative smoothing", wanted="at least 0", got=smoothing)
