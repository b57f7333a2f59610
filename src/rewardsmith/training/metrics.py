"""The figures of training and of held-out evaluation: sums and counts first, one division at the end.

A mean of batch means is wrong as soon as batches differ in size. So every batch gives `Totals`, totals are added over
batches and devices, and `figures` divides once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
from jaxtyping import Float

_MERGED_BY = {"reward_min": min, "reward_max": max}


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the model said about some pairs.

    Attributes:
        losses: `[pair]`, one loss a pair.
        weights: `[pair]`, weight of each in the loss.
        deltas: `[pair]`, reward of chosen minus reward of rejected.
        prob_chosen: `[pair]`, the label; .5 says that there is no right order.
        rewards: `[response]`, each distinct response once.
        tokens: Of the responses, each with its prompt.
        computed_tokens: What the network computed for them: padding counts, shared prompts count once.
    """

    losses: Float[np.ndarray, " pair"]
    weights: Float[np.ndarray, " pair"]
    deltas: Float[np.ndarray, " pair"]
    prob_chosen: Float[np.ndarray, " pair"]
    rewards: Float[np.ndarray, " response"]
    tokens: int = 0
    computed_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums and counts over pairs and responses; adding them in any grouping gives the same figures.

    Attributes:
        credits: Sum of the accuracy credits over `directed` pairs.
        directed: Pairs whose label has a direction (`prob_chosen` ≠ .5); ties and even votes have none.
        reward_ties: Directed pairs whose two rewards are equal.
        margins: Sum over directed pairs of the reward of the preferred minus that of the other.
    """

    weighted_loss: float = 0.0
    weight: float = 0.0
    credits: float = 0.0
    directed: int = 0
    reward_ties: int = 0
    margins: float = 0.0
    pairs: int = 0
    reward_sum: float = 0.0
    reward_min: float = math.inf
    reward_max: float = -math.inf
    responses: int = 0
    tokens: int = 0
    computed_tokens: int = 0

    def __add__(self, other: Totals) -> Totals:
        merged = {
            field.name: _MERGED_BY.get(field.name, _plus)(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
        }
        return Totals(**merged)

    def as_dict(self) -> dict[str, float]:
        """Plain numbers, for a checkpoint."""
        return asdict(self)


def totals_of(outcomes: Outcomes) -> Totals:
    """The totals of one batch, summed in float64.

    Accuracy credit of a directed pair, with the tie rule "half": 1 where the preferred response has the higher reward,
    ½ where the rewards are equal, 0 otherwise. A constant model thus gets one half, not zero.
    """
    losses, weights = outcomes.losses.astype(np.float64), outcomes.weights.astype(np.float64)
    direction = np.sign(outcomes.prob_chosen.astype(np.float64) - 0.5)
    margins = (outcomes.deltas.astype(np.float64) * direction)[direction != 0]
    rewards = outcomes.rewards.astype(np.float64)
    return Totals(
        weighted_loss=float(losses @ weights),
        weight=float(weights.sum()),
        credits=float(accuracy_credits(margins).sum()),
        directed=len(margins),
        reward_ties=int((margins == 0).sum()),
        margins=float(margins.sum()),
        pairs=len(losses),
        reward_sum=float(rewards.sum()),
        reward_min=float(rewards.min(initial=math.inf)),
        reward_max=float(rewards.max(initial=-math.inf)),
        responses=len(rewards),
        tokens=outcomes.tokens,
        computed_tokens=outcomes.computed_tokens,
    )


def accuracy_credits(margins: Float[np.ndarray, " pair"]) -> Float[np.ndarray, " pair"]:
    """1 for a positive margin, ½ for zero, 0 for a negative one (the tie rule "half")."""
    return 0.5 * (np.sign(margins) + 1.0)


def merged(parts: Iterable[Totals]) -> Totals:
    """The sum of `parts`."""
    return sum(parts, Totals())


def figures(totals: Totals) -> dict[str, float]:
    """The figures that logs and manifests print; NaN where there is nothing to divide by.

    loss = Σ weight·loss / Σ weight over all pairs; accuracy and margin_mean over the directed pairs; rewards over the
    distinct responses.
    """
    return {
        "loss": _ratio(totals.weighted_loss, totals.weight),
        "accuracy": _ratio(totals.credits, totals.directed),
        "margin_mean": _ratio(totals.margins, totals.directed),
        "reward_mean": _ratio(totals.reward_sum, totals.responses),
        "reward_min": totals.reward_min if totals.responses else math.nan,
        "reward_max": totals.reward_max if totals.responses else math.nan,
        "reward_ties": totals.reward_ties,
        "directed_pairs": totals.directed,
        "pairs": totals.pairs,
    }


def speeds(totals: Totals, seconds: float) -> dict[str, float]:
    """Throughput, and what the network computed for each token of a response with its prompt.

    Below 1, sharing saved more than padding cost.
    """
    return {
        "tokens_per_s": _ratio(totals.tokens, seconds),
        "pairs_per_s": _ratio(totals.pairs, seconds),
        "computed_share": _ratio(totals.computed_tokens, totals.tokens),
    }


def largest_reward(logged: Mapping[str, float], *, prefix: str = "") -> float:
    """The largest absolute reward that a line of the log tells of; NaN where it tells of none."""
    ends = (logged.get(f"{prefix}reward_min", math.nan), logged.get(f"{prefix}reward_max", math.nan))
    return max(abs(ends[0]), abs(ends[1]))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan


def _plus(a: float, b: float) -> float:
    return a + b
