"""What to label next: how much each unlabelled pair would teach, from arrays of scores; higher is sooner.

Nothing here knows a model. Several pairs are chosen at once, and the best ones by themselves resemble each other, so
`pick` takes away from a pair what an earlier pick of the same batch already says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.special import entr
from scipy.stats import rankdata

from rewardsmith.core.errors import DataError


def disagreement(margins: Float[np.ndarray, "member pair"]) -> Float64[np.ndarray, " pair"]:
    """Standard deviation of the members' margins, each member first divided by its own root mean square.

    A member's scale is arbitrary: without the division the loudest member would be the disagreement.

    Raises:
        DataError: Fewer than two members, or a number that is not finite.
    """
    _require_members(margins)
    scale = np.sqrt(np.mean(margins.astype(np.float64) ** 2, axis=1, keepdims=True))
    return (margins / np.where(scale > 0, scale, 1.0)).std(axis=0)


def smallness_of_margin(margin: Float[np.ndarray, " pair"]) -> Float64[np.ndarray, " pair"]:
    """−|Δ|: the pair that the model can tell least (uncertainty sampling; Lewis & Gale 1994)."""
    return -np.abs(margin.astype(np.float64))


def information_gain(prob_first: Float[np.ndarray, "member pair"]) -> Float64[np.ndarray, " pair"]:
    """What a label would tell about which member is right, in nats (BALD; Houlsby et al. 2011, arXiv:1112.5745).

    H(mean p) − mean H(p): high where the members are sure and contradict each other, nought where all are unsure alike.

    Args:
        prob_first: Each member's probability that the first answer is the better one.

    Raises:
        DataError: Fewer than two members, or a probability outside [0, 1].
    """
    _require_members(prob_first)
    if prob_first.size and not (prob_first.min() >= 0 and prob_first.max() <= 1):
        raise DataError("not a probability", wanted="numbers from 0 to 1", where="prob_first")
    probabilities = prob_first.astype(np.float64)
    # A mean that is rounded past its parts would make a gain of −1e-17.
    return np.maximum(_entropy(probabilities.mean(axis=0)) - _entropy(probabilities).mean(axis=0), 0.0)


def distance_to(
    features: Float[np.ndarray, "pair hidden"], known: Float[np.ndarray, "labelled hidden"]
) -> Float64[np.ndarray, " pair"]:
    """Euclidean distance of each pair to the nearest labelled one; infinite where none is labelled."""
    nearest = np.full(len(features), np.inf)
    for one in known.astype(np.float64):
        nearest = np.minimum(nearest, np.linalg.norm(features - one, axis=1))
    return nearest


def k_center(
    features: Float[np.ndarray, "pair hidden"], n: int, *, known: Float[np.ndarray, "labelled hidden"] | None = None
) -> Int64[np.ndarray, " chosen"]:
    """Indices of n pairs that cover the rest: each the farthest from the labelled and the chosen ones.

    The greedy rule, within twice the best radius (Gonzalez 1985; core-sets for active learning, Sener & Savarese 2018,
    arXiv:1708.00489). Where nothing is labelled the first is the one nearest to the mean. Ties go to the lower index.
    """
    n = min(n, len(features))
    if n == 0:
        return np.empty(0, dtype=np.int64)
    features = features.astype(np.float64)
    has_known = known is not None and len(known)
    if has_known and known is not None:
        nearest = distance_to(features, known)
        chosen = [int(np.argmax(nearest))]
    else:
        nearest = np.full(len(features), np.inf)
        chosen = [int(np.argmin(np.linalg.norm(features - features.mean(axis=0), axis=1)))]
    while len(chosen) < n:
        nearest = np.minimum(nearest, np.linalg.norm(features - features[chosen[-1]], axis=1))
        # Of points that coincide with chosen ones all distances are nought; those chosen must not come again.
        nearest[chosen] = -1.0
        chosen.append(int(np.argmax(nearest)))
    return np.array(chosen, dtype=np.int64)


def mixed(
    values: Mapping[str, Float[np.ndarray, " pair"]], weights: Mapping[str, float]
) -> Float64[np.ndarray, " pair"]:
    """Weighted mean of ranks in [0, 1]: scales of the parts are arbitrary, their orders are not.

    Raises:
        DataError: A weight names no value or is negative, all are nought, or lengths differ.
    """
    unknown = sorted(set(weights) - set(values))
    if unknown:
        raise DataError("a weight of nothing", wanted=", ".join(sorted(values)), got=", ".join(unknown))
    total = sum(weights.values())
    if any(weight < 0 for weight in weights.values()) or total <= 0:
        raise DataError("no such weights", wanted="at least 0, not all 0", got=dict(weights))
    if len({len(values[name]) for name in weights}) != 1:
        raise DataError("values of different lengths", got={name: len(each) for name, each in values.items()})
    return np.sum([weight / total * _ranks(values[name]) for name, weight in weights.items()], axis=0)


def pick(
    values: Float[np.ndarray, " pair"],
    n: int,
    *,
    features: Float[np.ndarray, "pair hidden"] | None = None,
    closeness: float = 0.95,
    groups: Sequence[object] | None = None,
) -> Int64[np.ndarray, " chosen"]:
    """Indices of the n highest values, best first, without near-duplicates in one batch.

    Args:
        values: What `disagreement` and its like say; ties go to the lower index.
        n: How many; fewer where there are fewer that are not alike. Those that were passed over as alike fill up last.
        features: Pairs whose cosine with a chosen one is above `closeness` are passed over.
        closeness: Largest cosine within a batch.
        groups: Prompt group of each pair: one a group is taken before a second.
    """
    order = np.argsort(-np.asarray(values, dtype=np.float64), kind="stable")
    directions = None if features is None else _directions(features)
    chosen: list[int] = []
    passed: list[int] = []
    seen: set[object] = set()
    for index in map(int, order):
        if len(chosen) == n:
            break
        alike = (
            directions is not None
            and bool(chosen)
            and float((directions[chosen] @ directions[index]).max()) > closeness
        )
        if alike or (groups is not None and groups[index] in seen):
            passed.append(index)
            continue
        chosen.append(index)
        if groups is not None:
            seen.add(groups[index])
    return np.array((chosen + passed)[: min(n, len(order))], dtype=np.int64)


def _require_members(values: Float[np.ndarray, "member pair"]) -> None:
    if len(values) < 2:
        raise DataError("one member cannot disagree", wanted="at least 2 members", got=len(values))
    if not np.isfinite(values).all():
        raise DataError("not a finite number among the members' values")


def _entropy(probability: Float64[np.ndarray, " *any"]) -> Float64[np.ndarray, " *any"]:
    return entr(probability) + entr(1 - probability)


def _ranks(values: Float[np.ndarray, " pair"]) -> Float64[np.ndarray, " pair"]:
    if len(values) < 2:
        return np.zeros(len(values))
    return (rankdata(values, method="average") - 1) / (len(values) - 1)


def _directions(features: Float[np.ndarray, "pair hidden"]) -> Float64[np.ndarray, "pair hidden"]:
    norms = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    return features / np.where(norms > 0, norms, 1.0)
