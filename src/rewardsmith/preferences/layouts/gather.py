"""The rows of each prompt, gathered until the source ends.

Memory: a prompt costs its text, the line number of each of its rows, and at most `max_responses` responses (of each
side, where there are two), however many rows it has. So a source costs the size of its distinct prompts times
`max_responses` responses, not its own size.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from rewardsmith.core.conversation import Conversation
from rewardsmith.preferences.layouts.sketch import Kept, Sketch
from rewardsmith.preferences.outcome import RawRow, ReadRow, Rejection


@dataclass(slots=True)
class PromptRows:
    """The rows of one prompt.

    Attributes:
        prompt: Its turns.
        first: The first of the rows.
        sides: Responses by side; a single side named `True` where there is one.
        places: File and line of every row, in order.
    """

    prompt: Conversation
    first: RawRow
    sides: dict[bool, Sketch]
    places: list[tuple[str, int]] = field(default_factory=list)

    @property
    def lines(self) -> list[int]:
        """Line of every row, in order."""
        return [line for _, line in self.places]

    def refused(self, rejection: Rejection) -> Iterator[ReadRow]:
        """Each row on its own, with the reason that the prompt gave no preference."""
        held = {(kept.row.file, kept.row.line): kept.row for kept in self._kept() if kept.row is not None}
        held[self.first.file, self.first.line] = self.first
        for file, line in self.places:
            row = held.get((file, line)) or RawRow(None, file, line, "the row's text was not kept in memory")
            yield ReadRow(row, rejection)

    def _kept(self) -> Iterator[Kept]:
        for sketch in self.sides.values():
            yield from sketch.responses()


class Gathering:
    """Rows by prompt, in the order in which the prompts first appeared.

    Args:
        limit: Responses to keep of one prompt and side.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._prompts: dict[Hashable, PromptRows] = {}

    def add(
        self, row: RawRow, *, source: str, prompt: Conversation, response: Conversation, value: float, side: bool = True
    ) -> None:
        """Put a row to its prompt's others (of the same source name)."""
        rows = self._prompts.get((source, prompt))
        if rows is None:
            rows = self._prompts[source, prompt] = PromptRows(prompt, row, {})
        if side not in rows.sides:
            rows.sides[side] = Sketch(self._limit)
        rows.sides[side].add(response, value, row=row)
        rows.places.append((row.file, row.line))

    def prompts(self) -> Iterator[PromptRows]:
        """What was gathered."""
        return iter(self._prompts.values())
