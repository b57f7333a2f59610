"""What to label next: the pairs of a pool that teach most, and why each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

from rewardsmith.core.errors import SettingsError
from rewardsmith.numerics.acquisition import (
    disagreement,
    distance_to,
    k_center,
    mixed,
    pick,
    smallness_of_margin,
)
from rewardsmith.refresh.pool import Pool, Reading
from rewardsmith.refresh.settings import PARTS, ChooseSettings

LOT = "by lot"


@dataclass(frozen=True, slots=True)
class Chosen:
    """One pair to label.

    Attributes:
        pair: Its number in the pool.
        by: What it was chosen by: a name of `Choice`, or `by lot`.
        value: Acquisition value, higher is sooner; comparable among pairs that were chosen by the same.
        why: A sentence for whoever labels it.
    """

    pair: int
    by: str
    value: float
    why: str


def choose(
    pool: Pool,
    reading: Reading,
    settings: ChooseSettings,
    *,
    known: Float[np.ndarray, "labelled hidden"] | None,
    seed: int,
) -> list[Chosen]:
    """The pairs to label, best first, with those drawn by lot spread evenly among them.

    There are no more than there are pairs with two finite rewards.

    Args:
        known: Features of pairs that are labelled already; what `distance` and `diversity` keep away from.

    Raises:
        SettingsError: The model does not have what the choice needs.
    """
    usable = np.flatnonzero(np.isfinite(reading.rewards).all(axis=1))
    wanted = min(settings.pairs, len(usable))
    n_lot = wanted if settings.by == "random" else round(settings.lot_share * wanted)
    by_lot = np.random.default_rng(seed).permutation(usable)[:n_lot]
    left = usable[~np.isin(usable, by_lot)]
    chosen: list[Chosen] = []
    if wanted > n_lot:
        chosen = _chosen(pool, _part(reading, left), left, settings, n=wanted - n_lot, known=known)
    why = "Drawn by lot, so that accuracy on what is asked now can be measured."
    return _spread(chosen, [Chosen(int(pair), LOT, 0.0, why) for pair in by_lot])


def parts_of(reading: Reading, *, known: Float[np.ndarray, "labelled hidden"] | None) -> dict[str, np.ndarray]:
    """The acquisition values that the model has, by name; higher is sooner."""
    parts: dict[str, np.ndarray] = {"margin": smallness_of_margin(reading.margin)}
    if reading.members is not None and len(reading.members) > 1:
        parts["disagreement"] = disagreement(reading.members[:, :, 0] - reading.members[:, :, 1])
    if reading.features is not None and known is not None and len(known):
        parts["distance"] = distance_to(reading.features, known)
    return parts


def _spread(chosen: list[Chosen], by_lot: list[Chosen]) -> list[Chosen]:
    """Whoever stops half-way has labelled about half of each."""
    places = [(place + 0.5) / max(1, len(some)) for some in (chosen, by_lot) for place in range(len(some))]
    both = [*chosen, *by_lot]
    return [both[place] for place in sorted(range(len(both)), key=lambda place: places[place])]


def _chosen(
    pool: Pool,
    reading: Reading,
    places: Int64[np.ndarray, " pair"],
    settings: ChooseSettings,
    *,
    n: int,
    known: Float[np.ndarray, "labelled hidden"] | None,
) -> list[Chosen]:
    parts = parts_of(reading, known=known)
    if settings.by == "diversity":
        numbers, values = _diverse(_needed(reading.features, "diversity"), n, known)
    else:
        values = _values(parts, settings)
        groups = [pool.groups[place] for place in places.tolist()]
        numbers = pick(values, n, features=reading.features, closeness=settings.closeness, groups=groups)
        values = values[numbers]
    shares = {name: _share_below(each) for name, each in parts.items()}
    return [
        Chosen(int(places[number]), settings.by, float(value), _why(settings.by, int(number), reading, shares))
        for number, value in zip(numbers, values, strict=True)
    ]


def _values(parts: dict[str, np.ndarray], settings: ChooseSettings) -> Float64[np.ndarray, " pair"]:
    if settings.by != "mixed":
        return _needed(parts.get(settings.by), settings.by)
    weights: dict[str, float] = dict.fromkeys(parts, 1.0)
    if settings.weights is not None:
        weights = {name: weight for name, weight in settings.weights.items() if weight > 0}
        for name in weights:
            _needed(parts.get(name), name)
    return mixed(parts, weights)


def _diverse(
    features: Float[np.ndarray, "pair hidden"], n: int, known: Float[np.ndarray, "labelled hidden"] | None
) -> tuple[Int64[np.ndarray, " chosen"], Float64[np.ndarray, " chosen"]]:
    """The pairs that cover the rest, and how far each was from what was labelled or chosen before it."""
    numbers = k_center(features, n, known=known)
    before = np.empty((0, features.shape[1])) if known is None else known
    values = [
        float(distance_to(features[[number]], np.vstack([before, features[numbers[:place]]]))[0])
        for place, number in enumerate(numbers)
    ]
    # Nothing was labelled and nothing chosen: the first is at no distance.
    return numbers, np.where(np.isfinite(values), values, 0.0)


def _needed(values: np.ndarray | None, name: str) -> np.ndarray:
    if values is None:
        needs = {
            "disagreement": "an ensemble, whose members can disagree",
            "distance": "a model that shows its features, and labelled pairs (replay) to be far from",
            "diversity": "a model that shows its features",
        }
        raise SettingsError(
            f"nothing to choose by {name} with",
            wanted=needs[name],
            where="choose.by",
            fix="choose by mixed, which takes what there is, or by margin",
        )
    return values


def _part(reading: Reading, places: Int64[np.ndarray, " pair"]) -> Reading:
    return Reading(
        reading.rewards[places],
        None if reading.members is None else reading.members[:, places],
        None if reading.features is None else reading.features[places],
    )


def _share_below(values: np.ndarray) -> Float64[np.ndarray, " pair"]:
    """Of each pair, the share of all that come later."""
    order = np.sort(values)
    return np.searchsorted(order, values, side="left") / max(1, len(values))


def _why(by: str, number: int, reading: Reading, shares: dict[str, np.ndarray]) -> str:
    """What stands out most, in a sentence; of `mixed`, the part in which the pair is highest."""
    if by == "diversity":
        return "Unlike what was labelled before and what else is asked now."
    name = by
    if by == "mixed":
        name = max((each for each in PARTS if each in shares), key=lambda each: float(shares[each][number]))
    percent = int(100 * shares[name][number])
    match name:
        case "margin":
            gap = abs(float(reading.margin[number]))
            return f"The model can hardly tell: its rewards differ by {gap:.2f}, less than for {percent}% of the pairs."
        case "disagreement":
            return f"The members of the ensemble contradict each other, more than on {percent}% of the pairs."
        case _:
            return f"Farther from everything that was labelled than {percent}% of the pairs."
