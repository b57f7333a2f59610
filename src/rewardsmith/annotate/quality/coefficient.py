"""How well one rater's labels go with a reference, beyond chance: with the other raters', with gold, with their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from rewardsmith.annotate.quality.items import OPPOSITE
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.intervals import empty_estimate, moment_bootstrap, ratio_bootstrap


@dataclass(frozen=True, slots=True)
class Compared:
    """One label beside what it is held against.

    Attributes:
        group: Prompt group.
        question: Questions are never mixed when chance is computed.
        label: The rater's.
        reference: Labels that it is held against, each counted alike.
        is_scale: Labels are numbers, and a near miss is half right.
        has_sides: Labels are sides, which have no order of their own.
    """

    group: str
    question: str
    label: str
    reference: tuple[str, ...]
    is_scale: bool
    has_sides: bool


def same_share(rows: Sequence[Compared], *, seed: int = 0) -> Estimate:
    """Mean share of the reference that says the same (of numbers: 1 − distance / longest distance)."""
    if not rows:
        return empty_estimate()
    columns = _columns(rows)
    shares = np.array([_credit(row, columns[row.question]) for row in rows])
    return ratio_bootstrap(shares, np.ones(len(rows)), [row.group for row in rows], seed=seed)


def beyond_chance(rows: Sequence[Compared], *, seed: int = 0) -> Estimate:
    """(A − E) / (1 − E): A as in `same_share`, E what it would be if both sides kept their labels and lost the items.

    1 is perfect, 0 is chance; of two raters without ties it is Cohen's κ with both orders of the sides counted. NaN
    where nothing can go wrong, because all labels are the same.
    """
    if not rows:
        return empty_estimate()
    columns = _columns(rows)
    blocks, start = [], 1
    for question in columns.values():
        blocks.append((start, question))
        start += 1 + 2 * len(question.labels)
    moments = np.zeros((len(rows), start))
    offsets = {question.name: at for at, question in blocks}
    for place, row in enumerate(rows):
        question, at = columns[row.question], offsets[row.question]
        size = len(question.labels)
        moments[place, 0] = _credit(row, question)
        moments[place, at] = 1.0
        moments[place, at + 1 : at + 1 + size] = _shares([row.label], question)
        moments[place, at + 1 + size : at + 1 + 2 * size] = _shares(row.reference, question)

    def statistic(totals: Float64[np.ndarray, "draw moment"]) -> Float64[np.ndarray, " draw"]:
        expected, n = np.zeros(len(totals)), np.zeros(len(totals))
        for at, question in blocks:
            size = len(question.labels)
            own, other = totals[:, at + 1 : at + 1 + size], totals[:, at + 1 + size : at + 1 + 2 * size]
            count = totals[:, at]
            by_chance = np.einsum("dl,lk,dk->d", own, question.credit, other)
            expected += np.divide(by_chance, count, out=np.zeros_like(count), where=count > 0)
            n += count
        with np.errstate(divide="ignore", invalid="ignore"):
            observed, expected = totals[:, 0] / n, expected / n
            return np.where(expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan)

    return moment_bootstrap(moments, [row.group for row in rows], statistic=statistic, seed=seed)


@dataclass(frozen=True, slots=True)
class _Question:
    name: str
    labels: tuple[str, ...]
    credit: Float64[np.ndarray, "label label"]
    has_sides: bool


def _columns(rows: Sequence[Compared]) -> dict[str, _Question]:
    seen: dict[str, set[str]] = {}
    first: dict[str, Compared] = {}
    for row in rows:
        seen.setdefault(row.question, set()).update([row.label, *row.reference])
        first.setdefault(row.question, row)
    return {name: _question(name, labels, first[name]) for name, labels in seen.items()}


def _question(name: str, labels: set[str], row: Compared) -> _Question:
    if row.is_scale:
        names = sorted(labels, key=int)
        values = np.array([float(label) for label in names])
        longest = max(float(np.ptp(values)), 1.0)
        return _Question(name, tuple(names), 1 - np.abs(values[:, None] - values) / longest, has_sides=False)
    names = sorted(labels | (set(OPPOSITE) if row.has_sides else set()))
    return _Question(name, tuple(names), np.eye(len(names)), has_sides=row.has_sides)


def _shares(labels: Sequence[str], question: _Question) -> Float64[np.ndarray, " label"]:
    """Share of each label; of sides, in both orders."""
    shares = np.zeros(len(question.labels))
    for label in labels:
        shares[question.labels.index(label)] += 1 / len(labels)
    if question.has_sides:
        swap = [question.labels.index(OPPOSITE.get(label, label)) for label in question.labels]
        shares = (shares + shares[swap]) / 2
    return shares


def _credit(row: Compared, question: _Question) -> float:
    own = question.labels.index(row.label)
    return float(np.mean([question.credit[own, question.labels.index(label)] for label in row.reference]))
