"""Which layout do these rows have? Found from the columns, and where those do not decide, from the values."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardsmith.core.errors import DataError, SettingsError, shorten

MAX_FIRST_ROWS = 64
_MIXED_SHARE = 0.2
_NEAREST = 3


def _always(_: Mapping[str, Any]) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rows of a layout look like.

    Attributes:
        required: Columns that each row has.
        forbidden: Columns that no row has, because with them it would be another layout.
        fits: Decides between layouts with the same columns by the types of the values.
        family: Layouts of one family may stand in one file; they are read alike.
    """

    required: frozenset[str]
    forbidden: frozenset[str] = frozenset()
    fits: Callable[[Mapping[str, Any]], bool] = _always
    family: str = ""

    def has_columns(self, columns: Iterable[str]) -> bool:
        """The required columns are there and the forbidden ones are not."""
        present = set(columns)
        return self.required <= present and not self.forbidden & present

    def __str__(self) -> str:
        return ", ".join(sorted(self.required))


def detect(first_rows: Sequence[Mapping[str, Any]], shapes: Mapping[str, Shape], *, where: str) -> str:
    """Name of the layout that the first rows have.

    Args:
        first_rows: Parsed rows, in order.
        shapes: Layouts by name; of two that fit one row, the one named first is taken.
        where: Source, for the error.

    Raises:
        DataError: No row fits any layout (the nearest are named), or the rows are of several.
    """
    found = Counter(name for row in first_rows if (name := _layout_of(row, shapes)))
    if not found:
        raise _wrong_columns(first_rows, shapes, where)
    best = found.most_common(1)[0][0]
    strangers = {name: n for name, n in found.items() if not _same_family(name, best, shapes)}
    if sum(strangers.values()) >= _MIXED_SHARE * found.total():
        raise DataError(
            "rows of several layouts in one source",
            wanted="one layout a source",
            got=", ".join(f"{name} ({n} of the first {len(first_rows)} rows)" for name, n in found.most_common()),
            where=where,
            fix="split the file by layout, or name one with `layout:`",
        )
    return best


def unknown_layout(name: str, shapes: Mapping[str, Shape], *, where: str) -> SettingsError:
    """The error for a layout that does not exist; the valid ones are listed nearest first."""
    ranked = sorted(shapes, key=lambda valid: -difflib.SequenceMatcher(None, name, valid).ratio())
    return SettingsError(
        f"unknown layout {name!r}", wanted=f"one of {', '.join(ranked)}", where=where, fix=f"try {ranked[0]!r}"
    )


def not_this_layout(
    name: str, first_rows: Sequence[Mapping[str, Any]], shapes: Mapping[str, Shape], *, where: str
) -> DataError:
    """The error for a named layout whose columns none of the first rows has."""
    return DataError(
        f"no row has the columns of layout {name!r}",
        wanted=str(shapes[name]),
        got=_columns_text(first_rows),
        where=where,
        fix="name another layout, or leave `layout:` out to have it found",
    )


def _layout_of(row: Mapping[str, Any], shapes: Mapping[str, Shape]) -> str | None:
    return next((name for name, shape in shapes.items() if shape.has_columns(row) and shape.fits(row)), None)


def _same_family(one: str, other: str, shapes: Mapping[str, Shape]) -> bool:
    return one == other or (shapes[one].family != "" and shapes[one].family == shapes[other].family)


def _wrong_columns(first_rows: Sequence[Mapping[str, Any]], shapes: Mapping[str, Shape], where: str) -> DataError:
    columns = sorted({str(column) for row in first_rows for column in row})
    ranked = sorted(shapes, key=lambda name: -_nearness(shapes[name], columns))[:_NEAREST]
    return DataError(
        "no known layout has these columns",
        wanted="for example " + "; ".join(f"{name}: {shapes[name]}" for name in ranked),
        got=_columns_text(first_rows),
        where=where,
        fix="rename the columns to a layout's (values of another type than a layout's do not fit either)",
    )


def _columns_text(first_rows: Sequence[Mapping[str, Any]]) -> str:
    columns = sorted({str(column) for row in first_rows for column in row})
    return "columns " + shorten(", ".join(columns), 160) if columns else "no columns"


def _nearness(shape: Shape, columns: Sequence[str]) -> float:
    """Share of the required columns that are there; a column with a similar name counts half."""
    present = sum(
        1.0 if column in columns else 0.5 * bool(difflib.get_close_matches(column, columns, n=1, cutoff=0.75))
        for column in shape.required
    )
    forbidden = len(shape.forbidden.intersection(columns))
    return (present - forbidden) / len(shape.required)
