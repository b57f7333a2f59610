"""Score health: rewards that are no numbers, that never differ, that drift away, or that round into ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewardsmith.audit.observations import Observations
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.numerics.intervals import wilson

DRIFT_LIMIT = 50.0
TIE_SHARE_LIMIT = 0.05


@dataclass(frozen=True, slots=True)
class Health:
    """What the raw rewards look like, before anything is concluded from them.

    Attributes:
        rewards: Number of rewards looked at (two a pair).
        nonfinite: How many of them are NaN or infinite.
        lowest: Smallest finite reward; NaN where there is none.
        highest: Largest finite reward.
        mean: Mean of the finite rewards.
        deviation: Their standard deviation.
        tied: Share of the pairs whose two finite rewards are exactly equal.
        label_ties: Number of pairs that the raters called equal.
    """

    rewards: int
    nonfinite: int
    lowest: float
    highest: float
    mean: float
    deviation: float
    tied: Estimate
    label_ties: int


def measure_health(rows: Observations) -> Health:
    """Summarise the rewards of `rows`."""
    rewards = np.concatenate([rows.chosen_reward, rows.rejected_reward])
    finite = rewards[np.isfinite(rewards)]
    margin = rows.margin[np.isfinite(rows.margin)]
    nan = float("nan")
    return Health(
        rewards=len(rewards),
        nonfinite=len(rewards) - len(finite),
        lowest=float(finite.min()) if len(finite) else nan,
        highest=float(finite.max()) if len(finite) else nan,
        mean=float(finite.mean()) if len(finite) else nan,
        deviation=float(finite.std()) if len(finite) else nan,
        tied=wilson(int((margin == 0).sum()), len(margin)),
        label_ties=int(rows.tie.sum()),
    )


def health_findings(health: Health) -> list[Finding]:
    """`health.finite`, `health.constant`, `health.ties` and `health.drift`."""
    return [_finite(health), _constant(health), _ties(health), _drift(health)]


def _finite(health: Health) -> Finding:
    share = wilson(health.nonfinite, health.rewards)
    if not health.nonfinite:
        return Finding("health.finite", share, "info", f"All {health.rewards} rewards are finite.", limit=0.0)
    return Finding(
        "health.finite",
        share,
        "critical",
        f"{health.nonfinite} of {health.rewards} rewards are NaN or infinite; their pairs are left out of every "
        "figure below. A model trained or run in half precision, or left padding without position ids, does this.",
        limit=0.0,
    )


def _constant(health: Health) -> Finding:
    spread = _exact(health.deviation, health.rewards - health.nonfinite)
    if health.rewards > health.nonfinite and health.lowest == health.highest:
        return Finding(
            "health.constant",
            spread,
            "critical",
            f"Every reward is {health.lowest:g}: the model says nothing. The head may be missing from the checkpoint, "
            "or a softmax over one output turned every score into 1.",
            limit=0.0,
        )
    summary = (
        f"Rewards run from {health.lowest:.2f} to {health.highest:.2f}, standard deviation {health.deviation:.2f}."
    )
    return Finding("health.constant", spread, "info", summary, limit=0.0)


def _ties(health: Health) -> Finding:
    share = health.tied
    if share.n and share.value == 1:
        summary = "Both rewards are exactly equal in every pair: the model cannot tell any two responses apart."
        return Finding("health.ties", share, "critical", summary, limit=TIE_SHARE_LIMIT)
    if share.value > TIE_SHARE_LIMIT:
        return Finding(
            "health.ties",
            share,
            "warning",
            f"Both rewards are exactly equal in {share.value:.1%} of the pairs (each counts as half right). bf16 "
            "scores, a sigmoid, or two responses cut to the same text round distinct rewards into ties.",
            limit=TIE_SHARE_LIMIT,
        )
    summary = f"Both rewards are exactly equal in {share.value:.1%} of the pairs."
    return Finding("health.ties", share, "info", summary, limit=TIE_SHARE_LIMIT)


def _drift(health: Health) -> Finding:
    largest = max(abs(health.lowest), abs(health.highest))
    estimate = _exact(largest, health.rewards - health.nonfinite)
    if largest > DRIFT_LIMIT:
        return Finding(
            "health.drift",
            estimate,
            "warning",
            f"Rewards reach {largest:.0f} in size. Bradley–Terry leaves the offset free, so logits can drift; centre "
            "them (a centring penalty of about 0.01) or normalise them before a policy is trained on them.",
            limit=DRIFT_LIMIT,
        )
    summary = f"The largest reward in size is {largest:.2f}; no drift."
    return Finding("health.drift", estimate, "info", summary, limit=DRIFT_LIMIT)


def _exact(value: float, n: int) -> Estimate:
    """A description of these rewards, not an inference: the interval is the value itself."""
    return Estimate(value=value, low=value, high=value, n=n, groups=n)
