"""Shift: does the reward hold on fresh answers, and how far are these from what it was trained on?

A reward model is used on what a policy writes after it was trained. The fresh slice holds such answers with human or
gold labels; the static one is the ordinary held-out set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.spatial.distance import cdist

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.data.label_curve import Featuriser
from rewardsmith.audit.heldout.accuracy import percent
from rewardsmith.audit.heldout.gap import sample_preferences
from rewardsmith.audit.observations import Observations, distinct_conversations, observe, ordered_pairs, score_once
from rewardsmith.audit.probes.measure import FEWEST_GROUPS
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate, Finding, Severity
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer
from rewardsmith.numerics.intervals import moment_bootstrap, share_bootstrap
from rewardsmith.numerics.ranking import pair_accuracy
from rewardsmith.numerics.testing import interval_p_value

DROP_LIMIT = 0.05
_LARGE_DROP = 0.15
DISTANCE_LIMIT = 1.25
_BINS = 4


@dataclass(frozen=True, slots=True)
class DistanceBin:
    """Pairs, static and fresh, at about the same distance from the training data.

    Attributes:
        distance: Mean distance, in units of the static pairs' mean.
        accuracy: Of these pairs.
        fresh: Share of them that is fresh.
    """

    distance: float
    accuracy: Estimate
    fresh: float


@dataclass(frozen=True, slots=True)
class Distance:
    """How far answers are from the nearest training answer, in the feature space of the scorer.

    Attributes:
        ratio: Mean distance of fresh pairs over that of static ones; 1 where they are equally near.
        bins: Four bins with as many pairs each, nearest first.
        train: Training conversations that were compared with.
    """

    ratio: Estimate
    bins: tuple[DistanceBin, ...]
    train: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A fresh slice beside the static held-out set.

    Attributes:
        static: Accuracy on the static pairs.
        fresh: Accuracy on the fresh ones.
        difference: Fresh minus static, resampling prompt groups, those that both slices hold together.
        distance: From the training data; absent without training data or features.
    """

    static: Estimate
    fresh: Estimate
    difference: Estimate
    distance: Distance | Absent


@dataclass(frozen=True, slots=True)
class _Slice:
    """The judged pairs of one slice."""

    preferences: list[Preference]
    rows: Observations
    credit: Float64[np.ndarray, " pair"]

    @property
    def names(self) -> list[str]:
        return [self.preferences[int(index)].group for index in self.rows.preference]


def measure_shift(
    scorer: Scorer,
    static: Sequence[Preference],
    fresh: Sequence[Preference],
    *,
    train: Sequence[Preference] | None = None,
    features: Featuriser | None = None,
    max_train: int = 400,
    max_pairs: int = 300,
    seed: int = 0,
) -> Shift:
    """Accuracy on `fresh` beside that on `static`, and the distance of both from `train`.

    Args:
        features: Feature vectors of conversations; `scorer.features` where absent.
        max_train: Training preferences whose features are computed, since each must be run through the model.
        max_pairs: Pairs of each slice whose features are computed.

    Raises:
        DataError: A slice has no pair with a label and finite rewards.
    """
    rewards = score_once(scorer, [*static, *fresh])
    both = [
        _judged(list(each), observe(list(each), rewards), name) for each, name in ((static, "static"), (fresh, "fresh"))
    ]
    featurise = features or getattr(scorer, "features", None)
    return Shift(
        static=share_bootstrap(both[0].credit, both[0].names, seed=seed),
        fresh=share_bootstrap(both[1].credit, both[1].names, seed=seed),
        difference=_difference(both[0], both[1], seed=seed),
        distance=_distance(both, train, featurise, max_train=max_train, max_pairs=max_pairs, seed=seed),
    )


def shift_findings(shift: Shift | Absent) -> list[Finding]:
    """`shift.fresh` (accuracy on the fresh slice), `shift.drop` and, where features are known, `shift.distance`."""
    if isinstance(shift, Absent):
        return []
    found = [_fresh(shift), _drop(shift)]
    return found if isinstance(shift.distance, Absent) else [*found, _far(shift.distance)]


def _judged(preferences: list[Preference], rows: Observations, name: str) -> _Slice:
    judged = rows.where(rows.judged)
    if not len(judged):
        raise DataError(f"no pair of the {name} slice can be judged", wanted="a pair with a label and finite rewards")
    return _Slice(preferences, judged, pair_accuracy(judged.margin))


def _difference(static: _Slice, fresh: _Slice, *, seed: int) -> Estimate:
    """Σ fresh credit / fresh pairs − Σ static credit / static pairs, by groups of both."""
    is_fresh = np.repeat([0.0, 1.0], [len(static.credit), len(fresh.credit)])
    credit = np.concatenate([static.credit, fresh.credit])
    moments = np.column_stack([credit * is_fresh, is_fresh, credit * (1 - is_fresh), 1 - is_fresh])
    return moment_bootstrap(
        moments,
        [*static.names, *fresh.names],
        statistic=lambda sums: _ratio(sums[:, :2]) - _ratio(sums[:, 2:]),
        seed=seed,
    )


def _ratio(sums: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)


def _distance(
    slices: Sequence[_Slice],
    train: Sequence[Preference] | None,
    featurise: Featuriser | None,
    *,
    max_train: int,
    max_pairs: int,
    seed: int,
) -> Distance | Absent:
    if not train:
        return Absent("The training data were not given.")
    if featurise is None:
        return Absent("The scorer shows no features.")
    known = distinct_conversations(sample_preferences(list(train), max_train, seed=seed))
    places = [_some(len(each.credit), max_pairs, seed=seed) for each in slices]
    pairs = [_conversations(each, some) for each, some in zip(slices, places, strict=True)]
    distances = [each.mean(axis=1) for each in _nearest(featurise, known, pairs)]
    groups = [[each.names[int(p)] for p in some] for each, some in zip(slices, places, strict=True)]
    credits = [each.credit[some] for each, some in zip(slices, places, strict=True)]
    return Distance(
        ratio=_distance_ratio(distances, [*groups[0], *groups[1]], seed=seed),
        bins=_bins(distances, credits, groups, seed=seed),
        train=len(known),
    )


def _some(count: int, most: int, *, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def _conversations(one: _Slice, places: np.ndarray) -> list[tuple[Conversation, Conversation]]:
    pairs = {(pair.row, pair.chosen, pair.rejected): pair.conversations for pair in ordered_pairs(one.preferences)}
    rows = one.rows
    return [pairs[int(rows.preference[p]), int(rows.chosen[p]), int(rows.rejected[p])] for p in places]


def _nearest(
    featurise: Featuriser, known: Sequence[Conversation], pairs: Sequence[Sequence[tuple[Conversation, Conversation]]]
) -> list[Float64[np.ndarray, "pair side"]]:
    """Euclidean distance of each answer to the nearest training answer that is not itself, each feature in units of
    its standard deviation over the training answers."""
    asked = list(dict.fromkeys([*known, *(answer for some in pairs for pair in some for answer in pair)]))
    vectors = np.asarray(featurise(asked), dtype=np.float64)
    deviation = vectors[: len(known)].std(axis=0)
    scaled = vectors / np.where(deviation > 0, deviation, 1.0)
    place = {conversation: number for number, conversation in enumerate(asked)}
    apart = cdist(scaled, scaled[: len(known)])
    apart[np.arange(len(known)), np.arange(len(known))] = np.inf
    nearest = apart.min(axis=1)
    return [np.array([[nearest[place[answer]] for answer in pair] for pair in some]) for some in pairs]


def _distance_ratio(distances: Sequence[np.ndarray], groups: Sequence[str], *, seed: int) -> Estimate:
    static, fresh = distances
    zero, one = np.zeros(len(static)), np.ones(len(fresh))
    columns = [[zero, fresh], [zero, one], [static, 0 * one], [1 + zero, 0 * one]]
    moments = np.column_stack([np.concatenate(column) for column in columns])

    def ratio(sums: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return _ratio(sums[:, :2]) / _ratio(sums[:, 2:])

    return moment_bootstrap(moments, groups, statistic=ratio, seed=seed)


def _bins(
    distances: Sequence[np.ndarray], credits: Sequence[np.ndarray], groups: Sequence[Sequence[str]], *, seed: int
) -> tuple[DistanceBin, ...]:
    unit = float(distances[0].mean()) or 1.0
    all_distances, all_credits = np.concatenate(distances), np.concatenate(credits)
    names = np.array([*groups[0], *groups[1]])
    is_fresh = np.arange(len(names)) >= len(distances[0])
    bins = np.array_split(np.argsort(all_distances, kind="stable"), _BINS)
    return tuple(
        DistanceBin(
            distance=float(all_distances[some].mean()) / unit,
            accuracy=share_bootstrap(all_credits[some], names[some], seed=seed),
            fresh=float(is_fresh[some].mean()),
        )
        for some in bins
        if len(some)
    )


def _fresh(shift: Shift) -> Finding:
    told = f"On the fresh slice the model prefers the chosen answer in {percent(shift.fresh)} of {shift.fresh.n} pairs"
    told += f", on the static held-out set in {percent(shift.static)}"
    severity: Severity = "info"
    if not shift.fresh.low > 0.5:
        severity = "critical" if shift.fresh.high < 0.5 else "warning"
        told += ": below chance" if severity == "critical" else ": not shown to be better than a coin"
    return Finding("shift.fresh", shift.fresh, severity, f"{told}.", limit=0.5, unit="share")


def _drop(shift: Shift) -> Finding:
    drop, fresh = shift.difference, shift.fresh
    told = f"{100 * drop.value:+.1f} points [{100 * drop.low:+.1f}, {100 * drop.high:+.1f}] from static to fresh pairs"
    if min(fresh.groups, shift.static.groups) < FEWEST_GROUPS:
        told = f"Too few prompts for a verdict (at least {FEWEST_GROUPS} of each slice are needed): {told}."
        return Finding("shift.drop", drop, "info", told, limit=-DROP_LIMIT, unit="share")
    severity: Severity = "info"
    if drop.value < -DROP_LIMIT:
        severity = "critical" if drop.value <= -_LARGE_DROP else "warning"
        told += ": the accuracy on the held-out set does not hold for what the model will be used on"
    p_value = interval_p_value(drop, null=0.0, alternative="less")
    return Finding("shift.drop", drop, severity, f"{told}.", limit=-DROP_LIMIT, p_value=p_value, unit="share")


def _far(distance: Distance) -> Finding:
    ratio, nearest, farthest = distance.ratio, distance.bins[0], distance.bins[-1]
    told = (
        f"Fresh answers are {ratio.value:.2f} times as far from the nearest of {distance.train} training answers as "
        f"static ones are; accuracy is {percent(nearest.accuracy)} in the nearest quarter of the pairs and "
        f"{percent(farthest.accuracy)} in the farthest"
    )
    if ratio.groups < FEWEST_GROUPS:
        told = f"Too few prompts for a verdict: {told}."
        return Finding("shift.distance", ratio, "info", told, limit=DISTANCE_LIMIT)
    severity: Severity = "warning" if ratio.value > DISTANCE_LIMIT else "info"
    p_value = interval_p_value(ratio, null=1.0, alternative="greater")
    return Finding("shift.distance", ratio, severity, f"{told}.", limit=DISTANCE_LIMIT, p_value=p_value)
