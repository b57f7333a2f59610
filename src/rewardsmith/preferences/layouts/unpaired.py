"""TRL's unpaired preferences: `prompt`, `completion`, `label` (bool). Rows of one prompt form pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rewardsmith.core.conversation import response_text
from rewardsmith.core.errors import shorten
from rewardsmith.preferences.detect import Shape
from rewardsmith.preferences.layouts.gather import Gathering, PromptRows
from rewardsmith.preferences.layouts.ranked import assemble_sides
from rewardsmith.preferences.layouts.reader import Layout
from rewardsmith.preferences.layouts.rows import Origin, Refusal, meta_of, prompt_turns, turns, values_of
from rewardsmith.preferences.outcome import RawRow, ReadRow, Reason, Rejection

_COLUMNS = frozenset({"prompt", "completion", "label"})
_WORDS = {"true": True, "1": True, "false": False, "0": False}


class UnpairedRows:
    """Gathers completions by prompt; each liked one is preferred to each disliked one of its prompt."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._gathering = Gathering(origin.settings.max_responses)

    def add(self, row: RawRow) -> Rejection | None:
        """Put the row to its prompt's others, or say why not."""
        values = values_of(row)
        try:
            completion = turns(values["completion"], "assistant", "completion")
            if not response_text(completion).strip():
                raise Refusal(Reason.EMPTY_SIDE, "the completion is empty")
            self._gathering.add(
                row,
                source=self._origin.source_of(values),
                prompt=prompt_turns(values["prompt"]),
                response=completion,
                value=0.0,
                side=_is_liked(values["label"]),
            )
        except Refusal as refusal:
            return refusal.rejection
        return None

    def finish(self) -> Iterator[ReadRow]:
        """One preference a prompt that has both labels; the rows of other prompts are unpaired."""
        for rows in self._gathering.prompts():
            if len(rows.sides) < 2:
                label = "true" if True in rows.sides else "false"
                detail = f"all {len(rows.places)} completion(s) of this prompt are labelled {label}"
                yield from rows.refused(Rejection(Reason.UNPAIRED, detail))
            else:
                yield from self._pair(rows)

    def _pair(self, rows: PromptRows) -> Iterator[ReadRow]:
        good, bad = rows.sides[True], rows.sides[False]
        meta = meta_of(values_of(rows.first), _COLUMNS) | {"lines": rows.lines}
        try:
            preference = assemble_sides(rows.first, self._origin, prompt=rows.prompt, good=good, bad=bad, meta=meta)
        except Refusal as refusal:
            yield from rows.refused(refusal.rejection)
        else:
            yield ReadRow(rows.first, preference)


def _is_liked(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = _WORDS.get(str(value).strip().casefold()) if isinstance(value, str | int) else None
    if known is None:
        raise Refusal(Reason.WRONG_TYPE, f"label is {shorten(value, 40)!r}, wanted true or false")
    return known


UNPAIRED = Layout(Shape(_COLUMNS), lambda origin, _: UnpairedRows(origin))
"""TRL's unpaired preferences."""
