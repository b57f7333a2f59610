"""Does agreement change while people label?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rewardsmith.annotate.quality.agreement import Agreement, agreement_on
from rewardsmith.annotate.quality.items import Item, counted, items_of, questions_of
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import Vote


@dataclass(frozen=True, slots=True)
class Window:
    """Items that were settled in one stretch of time.

    Attributes:
        start: Time of the first one's last vote, seconds since 1970.
        end: Time of the last one's.
        agreement: Of the items between.
    """

    start: float
    end: float
    agreement: Agreement


def agreement_over_time(
    votes: Sequence[Vote],
    tasks: Mapping[str, Task],
    *,
    question: str | None = None,
    windows: int = 8,
    fewest: int = 10,
    seed: int = 0,
) -> tuple[Window, ...]:
    """Agreement of humans in stretches of equally many items, in order of the items' last votes.

    Args:
        question: The one that is asked first where absent.
        windows: Most stretches.
        fewest: Items that a stretch has at least; so there may be fewer stretches, or one.
    """
    opinions = counted(votes, origin="human")
    last: dict[str, float] = {}
    for vote in opinions:
        last[vote.task] = max(last.get(vote.task, vote.time), vote.time)
    items = [item for item in items_of(opinions, tasks) if len(item.labels) >= 2]
    if not items:
        return ()
    asked = question or questions_of(items)[0]
    shown = sorted((item for item in items if item.question == asked), key=lambda item: (last[item.task], item.task))
    if not shown:
        return ()
    stretches = max(1, min(windows, len(shown) // fewest))
    return tuple(
        _window([shown[place] for place in places], last, question=asked, seed=seed)
        for places in np.array_split(np.arange(len(shown)), stretches)
    )


def _window(items: Sequence[Item], last: Mapping[str, float], *, question: str, seed: int) -> Window:
    start, end = last[items[0].task], last[items[-1].task]
    return Window(start, end, agreement_on(items, question=question, part="window", seed=seed))
