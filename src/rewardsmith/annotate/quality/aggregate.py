"""Several votes on one thing become one label with its probability, by majority, Dawid–Skene or Bradley–Terry."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from rewardsmith.annotate.quality.agreement import is_scale
from rewardsmith.annotate.quality.disputes import is_disputed
from rewardsmith.annotate.quality.items import OPPOSITE, Item, has_sides
from rewardsmith.core.errors import DataError
from rewardsmith.numerics.dawid_skene import dawid_skene
from rewardsmith.numerics.rater_strength import rater_strengths

__all__ = ["METHODS", "Aggregate", "Label", "Method", "aggregate", "is_disputed"]

Method = Literal["majority", "dawid-skene", "bradley-terry"]
METHODS: tuple[Method, ...] = get_args(Method)

_CREDITS = {"first": 1.0, "second": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True)
class Label:
    """What the votes on one item amount to.

    Attributes:
        item: The item, with its votes.
        probabilities: Label → probability that it is right; by majority the share of the votes.
        prob_first: Of two sides, P(first) + P(tie) / 2: what a soft label is made of. NaN where there are no sides.
    """

    item: Item
    probabilities: Mapping[str, float]
    prob_first: float

    @property
    def best(self) -> str | None:
        """The most probable label; `None` where two are equally probable."""
        ranked = sorted(self.probabilities.items(), key=lambda each: -each[1])
        if len(ranked) > 1 and math.isclose(ranked[0][1], ranked[1][1], abs_tol=1e-9):
            return None
        return ranked[0][0]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The labels of one question, and what the method thinks of the raters.

    Attributes:
        method: How they were made.
        labels: One an item, in their order.
        weights: Rater → P(says the truth) for Dawid–Skene, β for Bradley–Terry; empty for the majority.
    """

    method: Method
    labels: tuple[Label, ...]
    weights: Mapping[str, float]


def aggregate(items: Sequence[Item], method: Method = "majority", *, smoothing: float = 4.0) -> Aggregate:
    """One label an item; all items are of one question.

    `majority` counts every rater alike. `dawid-skene` learns what each rater makes of each true label, `bradley-terry`
    how sharply each tells two answers apart; both see only who agrees with whom, so they need raters who share many
    items, and follow a majority that is wrong together. Steps and numbers on a scale know the majority only: for them
    an answer's neighbours are near, which neither model knows.

    Args:
        smoothing: Of Dawid–Skene, in votes; see `numerics.dawid_skene`.

    Raises:
        DataError: The method is unknown, or does not go with these items.
    """
    if method not in METHODS:
        raise DataError("unknown way to make one label of several votes", wanted=", ".join(METHODS), got=method)
    if not items or method == "majority":
        return Aggregate(method, tuple(_label(item, _shares(item)) for item in items), {})
    if not has_sides(items):
        what = "an attribute" if is_scale(items) else "a step"
        raise DataError(
            f"{method} needs two sides", wanted="majority", got=f"votes on {what}", fix="use the method majority"
        )
    return _dawid_skene(items, smoothing) if method == "dawid-skene" else _bradley_terry(items)


def _dawid_skene(items: Sequence[Item], smoothing: float) -> Aggregate:
    names = tuple(_CREDITS)
    swap = [names.index(OPPOSITE.get(name, name)) for name in names]
    which, raters, labels, people = _columns(items)
    codes = np.array([names.index(label) for label in labels], dtype=np.int64)
    shape = (len(items), len(people), len(names))
    fit = dawid_skene(which, raters, codes, shape=shape, opposite=swap, smoothing=smoothing)
    made = [
        _label(item, dict(zip(names, row.tolist(), strict=True)))
        for item, row in zip(items, fit.posterior, strict=True)
    ]
    return Aggregate("dawid-skene", tuple(made), dict(zip(people, fit.accuracy().tolist(), strict=True)))


def _bradley_terry(items: Sequence[Item]) -> Aggregate:
    which, raters, labels, people = _columns(items)
    credits = np.array([_CREDITS[label] for label in labels])
    fit = rater_strengths(which, raters, credits, shape=(len(items), len(people)))
    made = [
        _label(item, {"first": float(share), "second": 1 - float(share)})
        for item, share in zip(items, fit.prob_first, strict=True)
    ]
    return Aggregate("bradley-terry", tuple(made), dict(zip(people, fit.strength.tolist(), strict=True)))


def _columns(items: Sequence[Item]) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """Number of the item, number of the rater and label of each vote; the raters' ids."""
    people = sorted({rater for item in items for rater in item.raters})
    number = {rater: place for place, rater in enumerate(people)}
    which = np.array([place for place, item in enumerate(items) for _ in item.labels], dtype=np.int64)
    raters = np.array([number[rater] for item in items for rater in item.raters], dtype=np.int64)
    return which, raters, [label for item in items for label in item.labels], people


def _shares(item: Item) -> dict[str, float]:
    return {label: count / len(item.labels) for label, count in Counter(item.labels).items()}


def _label(item: Item, probabilities: Mapping[str, float]) -> Label:
    if item.sides[0] == item.sides[1]:
        return Label(item, probabilities, math.nan)
    return Label(item, probabilities, probabilities.get("first", 0.0) + probabilities.get("tie", 0.0) / 2)
