"""Rows of preference data → material: pairs, rankings and lists of responses, judged or not.

The readers of `preferences.layouts` do the work. Labels are taken out before they read, unless labels are wanted: a row
that nobody voted on, or that all called a tie, is no preference, and the very thing to ask about.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from rewardsmith.annotate.sources.material import Material, verdicts_of
from rewardsmith.annotate.sources.outcome import Left
from rewardsmith.core.errors import shorten
from rewardsmith.core.preference import Preference
from rewardsmith.preferences import layouts
from rewardsmith.preferences.checks import check
from rewardsmith.preferences.layouts.judgement import USED as JUDGEMENT
from rewardsmith.preferences.outcome import RawRow, Rejection
from rewardsmith.preferences.settings import DataSettings, SourceSettings

_SETTINGS = DataSettings(ties="keep")
_LABEL_COLUMNS = {
    "pair": JUDGEMENT,
    "explicit": JUDGEMENT,
    "implicit": JUDGEMENT,
    "ranked": frozenset({"ranks", "ratings"}),
}
_WHY_CHARS = 300


def labelled_material(
    rows: Sequence[RawRow], source: SourceSettings, *, with_labels: bool
) -> Iterator[Material | Left]:
    """The material of each row, or why there is none.

    Args:
        source: Its `layout` is set.
        with_labels: Read the labels too; rows without a clear one then go.

    Raises:
        DataError: A rating is needed and no row has it.
        SettingsError: Several ratings are there, and `source.rating` names none.
    """
    stripped = frozenset() if with_labels else _LABEL_COLUMNS.get(source.layout or "", frozenset())
    # A pair without its label has the columns of another layout, which is read alike.
    reading = source.model_copy(update={"layout": "explicit"}) if stripped and source.layout == "pair" else source
    own_ids = {row.file + f":{row.line}": (row.values or {}).get("id") for row in rows}
    for item in layouts.read((_without(row, stripped) for row in rows), reading):
        outcome = item.outcome if isinstance(item.outcome, Rejection) else check(item.outcome, _SETTINGS)
        if isinstance(outcome, Rejection):
            yield Left(outcome.reason.value, f"{item.row.file}:{item.row.line}", outcome.detail)
            continue
        own = own_ids.get(f"{item.row.file}:{item.row.line}")
        material = _material(outcome, id="" if own is None else str(own))
        yield material if with_labels else replace(material, verdicts={})


def _material(preference: Preference, *, id: str) -> Material:
    meta = {key: value for key, value in preference.meta.items() if key not in ("why", "priority")}
    return Material(
        prompt=preference.prompt,
        responses=preference.responses,
        group=preference.group,
        source=preference.source,
        id=id,
        verdicts=verdicts_of(preference),
        why=why_of(preference.meta.get("why")),
        priority=priority_of(preference.meta.get("priority")),
        meta=meta,
    )


def why_of(value: object) -> str:
    """What a row says of why it should be asked, as one short line."""
    return "" if value is None else shorten(value, _WHY_CHARS)


def priority_of(value: Any) -> float:
    """How soon a row should be asked; 0 where it does not say, or says no number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else 0.0


def _without(row: RawRow, columns: frozenset[str]) -> RawRow:
    if not columns or row.values is None:
        return row
    return replace(row, values={key: value for key, value in row.values.items() if key not in columns})
