"""Rows of any layout that people have → preferences, or the reason why a row is none.

One small module a family of layouts; `LAYOUTS` lists them all. To add one, write its reader and name it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from rewardsmith.core.errors import DataError, shorten
from rewardsmith.preferences import detect as detection
from rewardsmith.preferences.detect import MAX_FIRST_ROWS, Shape
from rewardsmith.preferences.layouts.compared import SHP, SUMMARIES
from rewardsmith.preferences.layouts.explicit import EXPLICIT, PAIR
from rewardsmith.preferences.layouts.implicit import IMPLICIT
from rewardsmith.preferences.layouts.ranked import RANKED, SIDES
from rewardsmith.preferences.layouts.rated import HELPSTEER, RATED, ULTRAFEEDBACK
from rewardsmith.preferences.layouts.reader import Layout, Reader
from rewardsmith.preferences.layouts.rows import Origin
from rewardsmith.preferences.layouts.stepwise import MATH_SHEPHERD, PRM800K, STEPS, STEPWISE, step_labels
from rewardsmith.preferences.layouts.template_input import unrendered
from rewardsmith.preferences.layouts.transcripts import TRANSCRIPTS
from rewardsmith.preferences.layouts.unpaired import UNPAIRED
from rewardsmith.preferences.outcome import RawRow, ReadRow, Reason, Rejection
from rewardsmith.preferences.settings import SourceSettings

LAYOUTS: dict[str, Layout] = {
    "pair": PAIR,
    "chosen-lists": SIDES,
    "explicit": EXPLICIT,
    "transcripts": TRANSCRIPTS,
    "implicit": IMPLICIT,
    "ranked": RANKED,
    "helpsteer": HELPSTEER,
    "rated": RATED,
    "ultrafeedback": ULTRAFEEDBACK,
    "summaries": SUMMARIES,
    "shp": SHP,
    "stepwise": STEPWISE,
    "steps": STEPS,
    "math-shepherd": MATH_SHEPHERD,
    "prm800k": PRM800K,
    "unpaired": UNPAIRED,
}
"""Layouts by name. Of two that fit a row, the one named first here is taken."""

_SHAPES: dict[str, Shape] = {name: layout.shape for name, layout in LAYOUTS.items()}
_MAX_KNOWN_COLUMNS = 1000
_MANY_ROWS = 8

__all__ = ["LAYOUTS", "layout_of", "read", "step_labels"]


def read(rows: Iterable[RawRow], source: SourceSettings) -> Iterator[ReadRow]:
    """What became of each row of a source.

    The layout is found from the first rows (at most 64 are held for it) or is `source.layout`. Every row is
    accounted for: it gives a `ReadRow` of its own, or its line is in `meta["lines"]` of its prompt's preference.
    Layouts that write one response a row (`rated`, `helpsteer`, `unpaired`) give their preferences at the end of the
    source; `layouts.gather` says what that costs.

    Raises:
        DataError: The rows have no known layout, or several; or no row carries the rating that was asked for.
        SettingsError: `source.layout` is unknown, or `source.rating` is needed and absent.
    """
    stream = iter(rows)
    first = list(islice(stream, MAX_FIRST_ROWS))
    origin = Origin.of(source)
    layout = LAYOUTS[layout_of(first, source)]
    head = [row.values for row in first if row.values is not None and layout.shape.has_columns(row.values)]
    return _read(chain(first, stream), layout.shape, layout.start(origin, head))


def layout_of(first_rows: Iterable[RawRow], source: SourceSettings) -> str:
    """Name of the layout of a source's first rows.

    Raises:
        DataError: None fits, several do, or the named one does not.
        SettingsError: `source.layout` is unknown.
    """
    if source.layout is not None and source.layout not in LAYOUTS:
        raise detection.unknown_layout(source.layout, _SHAPES, where=source.path)
    first = list(first_rows)
    parsed = [row.values for row in first if row.values is not None]
    if not parsed:
        raise DataError(
            "no row could be read",
            got=f"line {first[0].line}: {first[0].problem}" if first else "no rows",
            where=source.path,
            fix="check that this is the right file",
        )
    if source.layout is None:
        return detection.detect(parsed, _SHAPES, where=source.path)
    # A handful of rows may all be faulty, and each says so itself; many without the columns are another layout.
    if len(parsed) >= _MANY_ROWS and not any(_SHAPES[source.layout].has_columns(values) for values in parsed):
        raise detection.not_this_layout(source.layout, parsed, _SHAPES, where=source.path)
    return source.layout


def _read(rows: Iterable[RawRow], shape: Shape, reader: Reader) -> Iterator[ReadRow]:
    known: set[tuple[str, ...]] = set()
    for row in rows:
        if row.values is None:
            yield ReadRow(row, Rejection(Reason.UNREADABLE, row.problem))
            continue
        columns = tuple(row.values)
        if columns not in known:
            if not shape.has_columns(columns):
                yield ReadRow(row, _wrong_columns(columns, shape))
                continue
            if len(known) < _MAX_KNOWN_COLUMNS:
                known.add(columns)
        outcome = unrendered(row.values) or reader.add(row)
        if outcome is not None:
            yield ReadRow(row, outcome)
    yield from reader.finish()


def _wrong_columns(columns: Iterable[str], shape: Shape) -> Rejection:
    detail = f"columns {shorten(', '.join(columns), 120)} do not fit this source's layout, which has {shape}"
    forbidden = f" and no {', '.join(sorted(shape.forbidden))}" if shape.forbidden else ""
    return Rejection(Reason.UNREADABLE, detail + forbidden)
