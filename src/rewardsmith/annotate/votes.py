"""Votes: one rater's answer to one task, with all that is known of how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rewardsmith.annotate.answers import Answer

Origin = Literal["human", "judge"]


@dataclass(frozen=True, slots=True)
class NewVote:
    """What a client sends.

    Attributes:
        id: A UUID that the client made: the same id again is the same vote.
        task: Id of the task.
        rater: Id of the rater.
        answer: In the task's own order of responses; `None` skips the task.
        seconds: From the first sight of the task to the vote.
        rationale: Why, in the rater's words.
        adjudication: The vote decides a dispute.
        shown: `shown[i]` is the response that stood at place i. Absent: as offered. Only a judge's is taken: of people
            the store knows what they were shown.
        offer: Number of the offer that is answered, where the client knows it; else the latest one of the task. A task
            that is offered again may stand in another order, while the rater still has the older page.
    """

    id: str
    task: str
    rater: str
    answer: Answer | None
    seconds: float = 0.0
    rationale: str = ""
    adjudication: bool = False
    shown: tuple[int, ...] | None = None
    offer: int | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote that stands.

    Attributes:
        id: Made by the client.
        project: Name of the project.
        task: Id of the task.
        rater: Id of the rater.
        answer: In the task's own order of responses; `None` for a skip.
        shown: `shown[i]` is the response that stood at place i.
        guidelines: Version of the guidelines that the rater had.
        seconds: From the first sight of the task to the vote, as the client says.
        time: When it was cast, seconds since 1970.
        rationale: Why, in the rater's words.
        repeat: The rater had answered the task before, and was not told.
        gold: The task was a test: its answer was known.
        origin: Whether a human or an LLM judge cast it.
        adjudication: It decides a dispute.
    """

    id: str
    project: str
    task: str
    rater: str
    answer: Answer | None
    shown: tuple[int, ...]
    guidelines: int
    seconds: float
    time: float
    rationale: str = ""
    repeat: bool = False
    gold: bool = False
    origin: Origin = "human"
    adjudication: bool = False
