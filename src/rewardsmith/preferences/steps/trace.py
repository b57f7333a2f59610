"""A step trace: one problem, one solution cut into steps, and what is known about each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError

GOOD, NEUTRAL, BAD = 1, 0, -1


@dataclass(frozen=True, slots=True)
class StepTrace:
    """One solution.

    Attributes:
        prompt: Turns up to the solution.
        steps: At least one text, none of them blank, without blanks around them.
        labels: One a step: 1 good, 0 neutral, −1 bad, `None` where nobody judged it.
        final_correct: Whether the final answer is right; `None` where nobody says.
        id: Unique within a data set.
        group: Prompt group. Traces of one group never stand on both sides of a split.
        source: Name of the data set, for per-source figures.

    Raises:
        DataError: There is no step, or the labels are not of their number.
    """

    prompt: Conversation
    steps: tuple[str, ...]
    labels: tuple[int | None, ...]
    final_correct: bool | None
    id: str
    group: str
    source: str

    def __post_init__(self) -> None:
        if not self.steps or len(self.steps) != len(self.labels):
            raise DataError(
                "steps and labels do not fit",
                wanted="at least one step, and a label for each",
                got=f"{len(self.steps)} steps, {len(self.labels)} labels",
                where=f"trace {self.id!r}",
            )


def first_error(labels: Sequence[int | None]) -> int | None:
    """Number of the first step that was judged bad, from 0; −1 where steps were judged and none was bad.

    A neutral step is no error. `None` where no step was judged: then nobody knows.
    """
    if all(label is None for label in labels):
        return None
    return next((number for number, label in enumerate(labels) if label == BAD), -1)
