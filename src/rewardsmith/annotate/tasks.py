"""Tasks: what a rater is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rewardsmith.annotate.answers import Answer, TaskKind, answer_from_dict, answer_to_dict
from rewardsmith.core.conversation import Conversation, from_dicts, to_dicts
from rewardsmith.core.errors import DataError

__all__ = ["Task", "TaskKind", "task_from_dict", "task_to_dict"]

# Ids stand in addresses, in logs and in a column of a database, which takes neither a NUL nor half a surrogate pair.
_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")


@dataclass(frozen=True, slots=True)
class Task:
    """One question to a rater.

    Attributes:
        id: Unique within a project.
        kind: `pair` has two responses, `ranking` K ≥ 2, `attributes` and `first_error` one.
        prompt: Turns up to the response.
        responses: Continuations, each one or more turns.
        steps: The steps of the one response, for `first_error`.
        gold: The right answer where it is known: what raters are tested with.
        source: Name of the data set.
        group: Prompt group, for intervals and splits.
        priority: Higher ones are asked first.
        why: What the page says of the priority.
        meta: Whatever else is known.

    Raises:
        DataError: The number of responses or steps is not one of the kind's, or the id is no line of 1–200 characters.
    """

    id: str
    kind: TaskKind
    prompt: Conversation
    responses: tuple[Conversation, ...]
    steps: tuple[str, ...] = ()
    gold: Answer | None = None
    source: str = ""
    group: str = ""
    priority: float = 0.0
    why: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise DataError("bad id of a task", wanted="1 to 200 characters, none of them a control one", got=self.id)
        n = len(self.responses)
        wanted, fits = {
            "pair": ("2 responses", n == 2),
            "ranking": ("2 responses or more", n >= 2),
            "attributes": ("1 response", n == 1),
            "first_error": ("1 response with its steps", n == 1 and bool(self.steps)),
        }[self.kind]
        if not fits:
            got = f"{n} responses, {len(self.steps)} steps"
            raise DataError(f"not a task of kind {self.kind}", wanted=wanted, got=got, where=f"task {self.id}")

    def conversation(self, response: int) -> Conversation:
        """The whole conversation that ends with response number `response`."""
        return self.prompt + self.responses[response]


def task_to_dict(task: Task) -> dict[str, Any]:
    """The task as JSON has it; `task_from_dict` gives it back."""
    return {
        "id": task.id,
        "kind": task.kind,
        "prompt": to_dicts(task.prompt),
        "responses": [to_dicts(response) for response in task.responses],
        "steps": list(task.steps),
        "gold": None if task.gold is None else answer_to_dict(task.gold),
        "source": task.source,
        "group": task.group,
        "priority": task.priority,
        "why": task.why,
        "meta": dict(task.meta),
    }


def task_from_dict(value: Mapping[str, Any]) -> Task:
    """The inverse of `task_to_dict`.

    Raises:
        DataError: It is no task.
    """
    try:
        gold = value.get("gold")
        return Task(
            id=value["id"],
            kind=value["kind"],
            prompt=from_dicts(value["prompt"]),
            responses=tuple(from_dicts(response) for response in value["responses"]),
            steps=tuple(value.get("steps", ())),
            gold=None if gold is None else answer_from_dict(value["kind"], gold),
            source=value.get("source", ""),
            group=value.get("group", ""),
            priority=float(value.get("priority", 0.0)),
            why=value.get("why", ""),
            meta=dict(value.get("meta", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            "not a task", wanted="an object as task_to_dict writes it", got=f"{type(error).__name__}: {error}"
        ) from error
