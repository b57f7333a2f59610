"""Scales: what a number means in its source. One data set rates naturalness from 1 to 3, another from 1 to 6.

Ratings become standard deviations from the mean of their source and attribute, measured on the training side alone,
with the sign turned where lower is better. Only then can one head learn an attribute from several sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.settings import Settings
from rewardsmith.preferences.ratings.rating import Rating

LOWER_IS_BETTER = "-"
"""Stands before the name of an attribute that counts something bad."""


class Scale(Settings):
    """The numbers of one attribute in one source, on the training side."""

    mean: float
    """Mean, in the source's units."""

    std: float = Field(gt=0)
    """Population standard deviation, in the source's units."""

    n: int
    """Ratings."""

    lowest: float
    """Least rating."""

    highest: float
    """Greatest rating."""

    sign: int = 1
    """-1 where lower is better."""

    def standardised(self, value: float) -> float:
        """±(value − mean) / std: higher is better."""
        return self.sign * (value - self.mean) / self.std

    def in_source_units(self, value: float) -> float:
        """The inverse of `standardised`."""
        return self.mean + self.sign * self.std * value


Scales = Mapping[str, Mapping[str, Scale]]
"""Source → attribute → scale."""


def signs_of(attributes: Sequence[str]) -> dict[str, int]:
    """Attribute → -1 where its name stands with a leading `-` (lower is better), else 1.

    Raises:
        SettingsError: A name is empty or stands there twice.
    """
    signs = {name.removeprefix(LOWER_IS_BETTER): -1 if name.startswith(LOWER_IS_BETTER) else 1 for name in attributes}
    if len(signs) != len(attributes) or "" in signs:
        raise SettingsError(
            "attributes are not distinct names",
            wanted="each attribute once, with `-` before it where lower is better",
            got=", ".join(attributes),
            where="attributes.names",
        )
    return signs


def scales_of(ratings: Iterable[Rating], signs: Mapping[str, int]) -> dict[str, dict[str, Scale]]:
    """The scale of each attribute in each source of the training side.

    An attribute whose ratings in a source are all equal, or of which there is one, has no scale there.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for rating in ratings:
        for name, value in rating.ratings.items():
            found.setdefault(rating.source, {}).setdefault(name, []).append(value)
    return {
        source: {
            name: _scale(np.array(values), signs.get(name, 1))
            for name, values in sorted(attributes.items())
            if max(values) > min(values)
        }
        for source, attributes in sorted(found.items())
    }


def attributes_in(scales: Scales) -> tuple[str, ...]:
    """The names that have a scale in some source, in the order of the sources."""
    return tuple(dict.fromkeys(name for attributes in scales.values() for name in attributes))


def targets(ratings: Sequence[Rating], names: Sequence[str], scales: Scales) -> Float64[np.ndarray, "rating attribute"]:
    """Standardised ratings; NaN where an attribute was not judged, or has no scale in the rating's source."""
    table = np.full((len(ratings), len(names)), np.nan)
    for row, rating in enumerate(ratings):
        known = scales.get(rating.source, {})
        for column, name in enumerate(names):
            if name in rating.ratings and name in known:
                table[row, column] = known[name].standardised(rating.ratings[name])
    return table


def require_attributes(names: Sequence[str], scales: Scales, *, where: str) -> None:
    """Every name has a scale.

    Raises:
        DataError: One has none: no training row carries it, or all its ratings are equal.
    """
    known = attributes_in(scales)
    for name in names:
        if name not in known:
            raise DataError(
                f"nothing to learn the attribute {name!r} from",
                wanted=f"one of {', '.join(known)}" if known else "ratings that differ",
                where=where,
                fix="name other attributes, or add rows that carry it",
            )


def _scale(values: np.ndarray, sign: int) -> Scale:
    return Scale(
        mean=float(values.mean()),
        std=float(values.std()),
        n=len(values),
        lowest=float(values.min()),
        highest=float(values.max()),
        sign=sign,
    )
