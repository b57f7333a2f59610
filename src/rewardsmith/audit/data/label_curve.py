"""Would more labels help? Accuracy over the number of training pairs, by a probe that is cheap to fit many times.

A linear Bradley–Terry probe on frozen features is fitted on nested samples of the training groups and judged on the
held-out pairs. It is not the model: it says how fast the *data* stop adding, seen through these features.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64
from sklearn.model_selection import GroupKFold

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.data.linear_probe import fit_probe
from rewardsmith.audit.observations import distinct_conversations, ordered_pairs
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.intervals import paired_difference, share_bootstrap
from rewardsmith.numerics.ranking import pair_accuracy

Featuriser = Callable[[Sequence[Conversation]], np.ndarray]
"""Conversations → `[conversation, hidden]`."""

FeatureKind = Literal["base", "tuned"]

Reading = Literal["more labels help", "flat", "cannot tell"]

FRACTIONS = (1 / 8, 1 / 4, 1 / 2, 1.0)
FLAT_LIMIT = 0.01
_SEEDS = 5
_PRIOR_VARIANCES = (1e-4, 1e-3, 1e-2, 1e-1)
_FEWEST_GROUPS = 64
_FEWEST_JUDGED = 40


@dataclass(frozen=True, slots=True)
class Features:
    """Where features come from.

    Attributes:
        featurise: Conversations → `[conversation, hidden]`.
        kind: `base`: of the untrained model. `tuned`: of the model under audit, which has seen every training label,
            so that a flat curve says nothing.
    """

    featurise: Featuriser
    kind: FeatureKind


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Held-out accuracy of probes fitted on one share of the training groups.

    Attributes:
        pairs: Mean number of training pairs.
        accuracy: Mean over the samples; the interval is that of the held-out groups.
        spread: Standard deviation over the samples; 0 where there is only one (all of the data).
    """

    pairs: float
    accuracy: Estimate
    spread: float


@dataclass(frozen=True, slots=True)
class LabelCurve:
    """Accuracy over the number of training pairs.

    Attributes:
        points: From the smallest share to all pairs.
        gain: Accuracy at all pairs minus that at half of them. The interval holds the noise of the held-out pairs
            and that of which half was drawn.
        reading: What the gain says.
        features: Kind of the features.
        limited_from: Training preferences there were, where only a sample of them was used.
    """

    points: tuple[CurvePoint, ...]
    gain: Estimate
    reading: Reading
    features: FeatureKind
    limited_from: int | None = None


@dataclass(frozen=True, slots=True)
class _Probed:
    """Standardised feature differences of pairs, and their groups."""

    differences: Float64[np.ndarray, "pair feature"]
    group: Int64[np.ndarray, " pair"]

    @property
    def groups(self) -> Int64[np.ndarray, " group"]:
        return np.unique(self.group)


def measure_label_curve(
    train: Sequence[Preference],
    heldout: Sequence[Preference],
    features: Features,
    *,
    seed: int,
    samples: int = _SEEDS,
) -> LabelCurve | Absent:
    """Fit probes on 1/8, 1/4, 1/2 and all of the training groups, and judge each on the held-out pairs.

    Args:
        features: Frozen features; the callable is called once, with every distinct conversation.
        samples: Nested samples drawn of the training groups.
    """
    by_conversation = _featurise_once(features.featurise, [*train, *heldout])
    fitted, judged = _differences(train, by_conversation), _differences(heldout, by_conversation)
    if len(fitted.groups) < _FEWEST_GROUPS or len(judged.group) < _FEWEST_JUDGED:
        return Absent(
            f"{len(fitted.groups)} training groups and {len(judged.group)} held-out pairs are too few for a curve; "
            f"at least {_FEWEST_GROUPS} and {_FEWEST_JUDGED} are needed."
        )
    fitted, judged = _standardise(fitted, judged)
    variance = _pick_variance(fitted)
    sizes, credits = _fit_nested(fitted, judged, variance=variance, samples=samples, seed=seed)
    gain = _gain(credits, judged, seed=seed)
    points = tuple(
        CurvePoint(
            pairs=float(np.mean(size)),
            accuracy=share_bootstrap(credit.mean(axis=0), judged.group, seed=seed),
            spread=float(credit.mean(axis=1).std(ddof=1)) if len(credit) > 1 else 0.0,
        )
        for size, credit in zip(sizes, credits, strict=True)
    )
    return LabelCurve(points=points, gain=gain, reading=read_gain(gain, features=features.kind), features=features.kind)


def read_gain(gain: Estimate, *, features: FeatureKind) -> Reading:
    """`more labels help` where the last doubling surely gained; `flat` where it surely gained less than a point.

    Tuned features hold every training label already, so they can never show that a curve is flat.
    """
    if gain.low > 0:
        return "more labels help"
    if gain.high < FLAT_LIMIT and features == "base":
        return "flat"
    return "cannot tell"


def label_curve_findings(curve: LabelCurve | Absent) -> list[Finding]:
    """`labels.gain`: always `info`, since more labels are never wrong."""
    if isinstance(curve, Absent):
        return []
    gain, last = curve.gain, curve.points[-1]
    measured = (
        f"From {curve.points[-2].pairs:.0f} to {last.pairs:.0f} pairs a linear probe on {curve.features} features "
        f"gained {100 * gain.value:+.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    )
    return [Finding("labels.gain", gain, "info", f"{measured}: {_advice(curve)}", limit=FLAT_LIMIT)]


def _advice(curve: LabelCurve) -> str:
    match curve.reading:
        case "more labels help":
            return "more labels of this kind help."
        case "flat":
            return "more labels of this kind would add less than a point a doubling, as far as these features can see."
        case "cannot tell" if curve.features == "tuned":
            return "these features have seen all training labels, so a small gain does not mean that labels are enough."
        case _:
            return "these held-out pairs cannot tell whether more labels would help."


def _featurise_once(featurise: Featuriser, preferences: Sequence[Preference]) -> dict[Conversation, np.ndarray]:
    conversations = distinct_conversations(preferences)
    rows = np.asarray(featurise(conversations), dtype=np.float64)
    return dict(zip(conversations, rows, strict=True))


def _differences(preferences: Sequence[Preference], features: dict[Conversation, np.ndarray]) -> _Probed:
    codes: dict[str, int] = {}
    differences, groups = [], []
    for pair in ordered_pairs(preferences):
        chosen, rejected = pair.conversations
        difference = features[chosen] - features[rejected]
        if not pair.tie and np.isfinite(difference).all():
            differences.append(difference)
            groups.append(codes.setdefault(pair.preference.group, len(codes)))
    width = len(next(iter(features.values()), ()))
    return _Probed(np.array(differences, dtype=np.float64).reshape(-1, width), np.array(groups, dtype=np.int64))


def _standardise(fitted: _Probed, judged: _Probed) -> tuple[_Probed, _Probed]:
    """Root mean square 1 over the training pairs; not centred, since a difference has a sign."""
    scale = np.sqrt((fitted.differences**2).mean(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    return (
        dataclasses.replace(fitted, differences=fitted.differences / scale),
        dataclasses.replace(judged, differences=judged.differences / scale),
    )


def _pick_variance(fitted: _Probed) -> float:
    """The prior variance with the best accuracy in three grouped folds of the training pairs."""
    folds = list(GroupKFold(n_splits=3).split(fitted.differences, groups=fitted.group))

    def held(variance: float) -> float:
        right = [
            float((fitted.differences[out] @ fit_probe(fitted.differences[inside], prior_variance=variance) > 0).mean())
            for inside, out in folds
        ]
        return float(np.mean(right))

    return max(_PRIOR_VARIANCES, key=held)


def _fit_nested(
    fitted: _Probed, judged: _Probed, *, variance: float, samples: int, seed: int
) -> tuple[list[list[int]], list[Float64[np.ndarray, "sample pair"]]]:
    """Number of training pairs, and credit of each held-out pair, for each share and sample."""
    orders = [np.random.default_rng([seed, sample]).permutation(fitted.groups) for sample in range(samples)]
    sizes, credits = [], []
    for fraction in FRACTIONS:
        masks = [np.isin(fitted.group, order[: round(fraction * len(order))]) for order in orders]
        masks = masks[:1] if fraction == 1.0 else masks
        weights = [fit_probe(fitted.differences[mask], prior_variance=variance) for mask in masks]
        sizes.append([int(mask.sum()) for mask in masks])
        credits.append(np.stack([pair_accuracy(judged.differences @ weight) for weight in weights]))
    return sizes, credits


def _gain(credits: list[Float64[np.ndarray, "sample pair"]], judged: _Probed, *, seed: int) -> Estimate:
    half, whole = credits[-2], credits[-1][0]
    paired = paired_difference(whole, half.mean(axis=0), judged.group, seed=seed)
    # All of the data are one sample too; its noise is at most that of the halves, which can be seen.
    drawn = 1.96 * float(half.mean(axis=1).std(ddof=1)) if len(half) > 1 else 0.0
    return dataclasses.replace(
        paired,
        low=paired.value - hypot(paired.value - paired.low, drawn),
        high=paired.value + hypot(paired.high - paired.value, drawn),
    )
