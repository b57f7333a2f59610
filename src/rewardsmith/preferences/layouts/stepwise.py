"""Step labels: sound data, but for a process reward model. They are checked, set aside and left as they are.

Layouts: TRL (`trl-lib/prm800k`, `trl-lib/math_shepherd`), rewardsmith's own (`problem`, `steps`, `labels`),
`peiyi9979/Math-Shepherd` (`input`, `label`, `task`) and OpenAI's PRM800K (`tasksource/PRM800K`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.core.errors import shorten
from rewardsmith.core.preference import Preference
from rewardsmith.preferences.detect import Shape
from rewardsmith.preferences.layouts.reader import by_row
from rewardsmith.preferences.layouts.rows import Origin, Refusal, items, prompt_turns, text, values_of
from rewardsmith.preferences.outcome import RawRow, Reason

UNLABELLED = -100
"""What trainers put in place of a label that must not count (the index that cross entropy ignores)."""

_STEP_LABELS = (1, 0, -1)
_SHEPHERD_TAG = "ки"


def step_labels(values: Sequence[Any]) -> tuple[int | None, ...]:
    """Labels of the steps: 1 good, 0 neutral, -1 bad, `None` not labelled.

    -100, null and NaN are *not labelled*. A cast to bool would make -100 true, and so count every unlabelled step as
    a good one (TRL pull request 2127). A boolean false is a bad step, not a neutral one.

    Raises:
        ValueError: A label is something else.
    """
    return tuple(_step_label(value) for value in values)


def _step_label(value: Any) -> int | None:
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, bool):
        return 1 if value else -1
    if isinstance(value, int | float) and value == UNLABELLED:
        return None
    if isinstance(value, int | float) and value in _STEP_LABELS:
        return int(value)
    raise ValueError(f"step label {shorten(value, 40)}, wanted 1, 0, -1, true, false, null or {UNLABELLED}")


def read_trl(row: RawRow, _: Origin) -> Preference:
    """`prompt`, `completions`, `labels`.

    Raises:
        Refusal: Always.
    """
    return _set_aside(row, problem="prompt", steps="completions")


def read_own(row: RawRow, _: Origin) -> Preference:
    """`problem`, `steps`, `labels`.

    Raises:
        Refusal: Always.
    """
    return _set_aside(row, problem="problem", steps="steps")


def read_math_shepherd(row: RawRow, _: Origin) -> Preference:
    """`input` with a tag after each step, and `label` with a sign in each tag's place.

    Raises:
        Refusal: Always.
    """
    values = values_of(row)
    steps = text(values["input"], "input").count(_SHEPHERD_TAG)
    lines = [line.rstrip()[-1:] for line in text(values["label"], "label").split("\n") if line.strip()]
    signs = sum(sign in ("+", "-") for sign in lines)
    if not steps or signs < steps:
        raise Refusal(Reason.WRONG_TYPE, f"{signs} signs for {steps} tagged steps")
    raise _stepwise(steps, labelled=steps)


def read_prm800k(row: RawRow, _: Origin) -> Preference:
    """`question.problem` and `label.steps[].completions[].rating`, in which null means not labelled.

    Raises:
        Refusal: Always.
    """
    values = values_of(row)
    question, label = values["question"], values["label"]
    if not isinstance(question, Mapping) or not isinstance(label, Mapping):
        raise Refusal(Reason.WRONG_TYPE, "question and label must be objects")
    prompt_turns(question.get("problem"), "question.problem")
    ratings = []
    for step in items(label.get("steps"), "label.steps"):
        completions = step.get("completions") if isinstance(step, Mapping) else None
        if completions is not None and not all(isinstance(completion, Mapping) for completion in completions):
            raise Refusal(Reason.WRONG_TYPE, "a step without completions")
        ratings.extend(completion.get("rating") for completion in completions or ())
    raise _stepwise(len(ratings), labelled=_count_labelled(ratings))


def _set_aside(row: RawRow, *, problem: str, steps: str) -> Preference:
    values = values_of(row)
    prompt_turns(values[problem], problem)
    texts, labels = items(values[steps], steps), items(values["labels"], "labels")
    if not all(isinstance(step, str) for step in texts):
        raise Refusal(Reason.WRONG_TYPE, f"{steps} must be a list of texts")
    if len(texts) != len(labels):
        raise Refusal(Reason.WRONG_TYPE, f"{len(labels)} labels for {len(texts)} {steps}")
    raise _stepwise(len(texts), labelled=_count_labelled(labels))


def _count_labelled(labels: Sequence[Any]) -> int:
    try:
        return sum(label is not None for label in step_labels(labels))
    except ValueError as error:
        raise Refusal(Reason.WRONG_TYPE, str(error)) from error


def _stepwise(steps: int, *, labelled: int) -> Refusal:
    return Refusal(Reason.STEPWISE, f"{steps} steps, {labelled} of them labelled")


STEPWISE = by_row(Shape(frozenset({"prompt", "completions", "labels"})), read_trl)
"""TRL's stepwise supervision."""

STEPS = by_row(Shape(frozenset({"problem", "steps", "labels"})), read_own)
"""rewardsmith's own step rows."""

MATH_SHEPHERD = by_row(Shape(frozenset({"input", "label", "task"})), read_math_shepherd)
"""peiyi9979/Math-Shepherd."""

PRM800K = by_row(Shape(frozenset({"question", "label", "labeler"})), read_prm800k)
"""openai/prm800k, tasksource/PRM800K."""
