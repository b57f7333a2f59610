"""What a task's page shows: pure functions of the task, the project and the order of the answers on the screen.

A rater is told nothing of a task but its texts: neither its source and group nor whether it is a test or a repeat, and
answers are numbered by their places, so that the order of the data, which may be the order of preference, is nowhere in
the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.tasks import Task, TaskKind
from rewardsmith.core.conversation import Conversation

_QUESTIONS: dict[TaskKind, str] = {
    "pair": "Which answer is better?",
    "ranking": "Rank the answers, 1 is the best",
    "attributes": "Rate the answer",
    "first_error": "Which step is the first wrong one?",
}
_COMMON_KEYS = (("s", "skip"), ("u", "undo the last vote"), ("g", "guidelines"), ("?", "this list"))
_KEYS: dict[TaskKind, tuple[tuple[str, str], ...]] = {
    "pair": (("1 2", "answer 1, answer 2"), ("t", "about equal")),
    "ranking": (
        ("1 2 3", "answers by their numbers, the best first"),
        ("t", "the next one ties"),
        ("⌫", "take one back"),
    ),
    "attributes": (("0 … 9", "value of the marked question"),),
    "first_error": (("1 … 9", "first wrong step"), ("↑ ↓", "step by step"), ("n", "no step is wrong")),
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a pair: the field of the form, and how it is called."""

    field: str
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """One attribute: the field of the form, how it is called, lowest and highest value."""

    field: str
    label: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class View:
    """What the templates are given of a task.

    Attributes:
        task: Its id.
        kind: Which template shows it.
        question: What the page asks.
        prompt: Turns up to the response.
        answers: The responses in the order shown.
        steps: Of a solution, in its place.
        questions: Of a pair.
        scales: Of attributes.
        keys: Keys and what they do.
        is_instant: One press is the whole vote.
    """

    task: str
    kind: TaskKind
    question: str
    prompt: Conversation
    answers: tuple[Conversation, ...]
    steps: tuple[str, ...]
    questions: tuple[Question, ...]
    scales: tuple[Scale, ...]
    keys: tuple[tuple[str, str], ...]
    is_instant: bool


def view_of(task: Task, project: ProjectSettings, *, shown: Sequence[int]) -> View:
    """The page of `task`.

    Args:
        shown: `shown[i]` is the response that stands at place i.
    """
    is_instant = task.kind == "pair" and project.overall and not project.axes and project.rationale != "required"
    send = () if is_instant else (("Enter", "send"),)
    return View(
        task=task.id,
        kind=task.kind,
        question=_QUESTIONS[task.kind],
        prompt=task.prompt,
        answers=tuple(task.responses[place] for place in shown),
        steps=task.steps,
        questions=_questions(project),
        scales=tuple(
            Scale(f"value:{name}", _spoken(name), low, high) for name, (low, high) in project.attributes.items()
        ),
        keys=(*_KEYS[task.kind], *send, *_COMMON_KEYS),
        is_instant=is_instant,
    )


def _questions(project: ProjectSettings) -> tuple[Question, ...]:
    axes = tuple(Question(f"axis:{axis}", _spoken(axis)) for axis in project.axes)
    return (*axes, Question("choice", "Overall")) if project.overall else axes


def _spoken(name: str) -> str:
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
