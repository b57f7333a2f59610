"""Solutions in steps → material, labelled or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rewardsmith.annotate.sources.labelled import priority_of, why_of
from rewardsmith.annotate.sources.material import Material
from rewardsmith.annotate.sources.outcome import Left
from rewardsmith.core.conversation import assistant
from rewardsmith.preferences.outcome import RawRow, Rejection
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.preferences.steps.layouts import read_steps

STEP_LAYOUTS = ("stepwise", "steps", "math-shepherd", "prm800k")
"""Layouts whose rows hold steps."""

_UNLABELLED = "unlabelled"


def has_unlabelled_steps(values: Mapping[str, Any] | None) -> bool:
    """Whether a row holds a problem and steps, and nobody's labels."""
    return values is not None and {"problem", "steps"} <= values.keys() and "labels" not in values


def step_material(rows: Sequence[RawRow], source: SourceSettings) -> Iterator[Material | Left]:
    """Each solution, or why there is none. Rows of `problem` and `steps` need no labels.

    Raises:
        DataError: The rows have no stepwise layout.
    """
    for item in read_steps(iter([_readable(row) for row in rows]), source):
        values = item.row.values or {}
        if isinstance(item.outcome, Rejection):
            yield Left(item.outcome.reason.value, f"{item.row.file}:{item.row.line}", item.outcome.detail)
            continue
        for trace in item.outcome:
            yield Material(
                prompt=trace.prompt,
                responses=((assistant("\n".join(trace.steps)),),),
                group=trace.group,
                source=trace.source,
                id=trace.id if values.get("id") else "",
                steps=trace.steps,
                step_labels=() if _UNLABELLED in values else trace.labels,
                why=why_of(values.get("why")),
                priority=priority_of(values.get("priority")),
            )


def _readable(row: RawRow) -> RawRow:
    """A row that nobody labelled, with labels and a mark: its layout refuses what nothing is known of."""
    steps = None if row.values is None else row.values.get("steps")
    if row.values is None or not isinstance(steps, list):
        return row
    labels = row.values.get("labels")
    is_labelled = isinstance(labels, list) and any(label is not None for label in labels)
    if is_labelled or not (labels is None or isinstance(labels, list)):
        return row
    return replace(row, values={**row.values, "labels": [0] * len(steps), _UNLABELLED: True})
