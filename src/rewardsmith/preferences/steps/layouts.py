"""Rows of the stepwise layouts → step traces, or the reason why a row is none.

The layouts are those that `preferences.layouts.stepwise` knows (and sets aside, as they hold no preferences). Each may
say more than it must: `final_correct` (true, false, null), `id`, `prompt_id`, `source`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError, shorten
from rewardsmith.preferences import detect as detection
from rewardsmith.preferences.detect import MAX_FIRST_ROWS, Shape
from rewardsmith.preferences.layouts.rows import Origin, Refusal, group_name, items, prompt_turns, text, values_of
from rewardsmith.preferences.layouts.stepwise import MATH_SHEPHERD, PRM800K, STEPS, STEPWISE, step_labels
from rewardsmith.preferences.outcome import RawRow, Reason, Rejection
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.preferences.steps.trace import StepTrace

_SHEPHERD_TAG = "ки"
_SHEPHERD_FIRST = "Step 1:"

TraceReader = Callable[[RawRow, Origin], list[StepTrace]]
"""The traces of one row, at least one, or a `Refusal`."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """A row, and the traces in it or why there are none."""

    row: RawRow
    outcome: tuple[StepTrace, ...] | Rejection


def read_steps(rows: Iterator[RawRow], source: SourceSettings) -> Iterator[StepRow]:
    """What became of each row of a source, whose layout is found from the first rows or is `source.layout`.

    Raises:
        DataError: The rows have no stepwise layout, or several.
        SettingsError: `source.layout` is no stepwise one.
    """
    first = list(islice(rows, MAX_FIRST_ROWS))
    name = _layout_of(first, source)
    origin, shape, read = Origin.of(source), _SHAPES[name], _READERS[name]
    for row in chain(first, rows):
        yield StepRow(row, _outcome(row, origin, shape=shape, read=read))


def _outcome(row: RawRow, origin: Origin, *, shape: Shape, read: TraceReader) -> tuple[StepTrace, ...] | Rejection:
    if row.values is None:
        return Rejection(Reason.UNREADABLE, row.problem)
    if not shape.has_columns(row.values):
        return Rejection(Reason.UNREADABLE, f"columns {shorten(', '.join(row.values), 120)}, wanted {shape}")
    try:
        return tuple(read(row, origin))
    except Refusal as refusal:
        return refusal.rejection


def _layout_of(first: Sequence[RawRow], source: SourceSettings) -> str:
    if source.layout is not None and source.layout not in _SHAPES:
        raise detection.unknown_layout(source.layout, _SHAPES, where=source.path)
    parsed = [row.values for row in first if row.values is not None]
    if not parsed:
        problem = f"line {first[0].line}: {first[0].problem}" if first else "no rows"
        raise DataError("no row could be read", got=problem, where=source.path, fix="check that this is the right file")
    return source.layout or detection.detect(parsed, _SHAPES, where=source.path)


def _read_trl(row: RawRow, origin: Origin) -> list[StepTrace]:
    return [_listed(row, origin, problem="prompt", steps="completions")]


def _read_own(row: RawRow, origin: Origin) -> list[StepTrace]:
    return [_listed(row, origin, problem="problem", steps="steps")]


def _read_math_shepherd(row: RawRow, origin: Origin) -> list[StepTrace]:
    """`input` holds problem and steps, a tag after each step; `label` is the same with a sign for each tag."""
    values = values_of(row)
    whole, signed = text(values["input"], "input"), text(values["label"], "label")
    pieces = whole.split(_SHEPHERD_TAG)
    labels: list[int | None] = [*_signs(pieces[:-1], signed)]
    problem, first, rest = pieces[0].partition(_SHEPHERD_FIRST)
    if not first:
        raise Refusal(Reason.WRONG_TYPE, f"input has no {_SHEPHERD_FIRST!r}")
    steps = [first + rest, *pieces[1:-1]]
    if pieces[-1].strip():
        # An answer that was cut off before its last tag.
        steps, labels = [*steps, pieces[-1]], [*labels, None]
    return [_trace(row, origin, prompt=prompt_turns(problem.strip(), "input"), steps=steps, labels=labels)]


def _signs(before: Sequence[str], signed: str) -> list[int]:
    """The sign that stands in `signed` after each of the texts `before`, which follow each other there."""
    labels, place = [], 0
    for piece in before:
        sign = signed[place + len(piece) : place + len(piece) + 1]
        if not signed.startswith(piece, place) or sign not in ("+", "-"):
            raise Refusal(Reason.WRONG_TYPE, f"label does not repeat input with a sign for tag {len(labels) + 1}")
        labels.append(1 if sign == "+" else -1)
        place += len(piece) + 1
    if not labels:
        raise Refusal(Reason.WRONG_TYPE, "no step is tagged")
    return labels


def _read_prm800k(row: RawRow, origin: Origin) -> list[StepTrace]:
    """The way that the labeller took, and each other completion as a trace that ends with it.

    The steps before such an end are unlabelled there: their labels stand in the trace that they belong to, once.
    """
    values = values_of(row)
    question, label = values["question"], values["label"]
    if not isinstance(question, Mapping) or not isinstance(label, Mapping):
        raise Refusal(Reason.WRONG_TYPE, "question and label must be objects")
    prompt = prompt_turns(question.get("problem"), "question.problem")
    way: list[tuple[str, int | None]] = []
    ends: list[list[tuple[str, int | None]]] = []
    for step in items(label.get("steps"), "label.steps"):
        taken, others = _completions(step)
        ends += [[(each, None) for each, _ in way] + [other] for other in others]
        if taken is None:
            break
        way.append(taken)
    found = [each for each in (way, *ends) if each]
    if not found:
        raise Refusal(Reason.WRONG_TYPE, "label.steps has no completion")
    return [
        _trace(
            row,
            origin,
            prompt=prompt,
            steps=[each for each, _ in steps],
            labels=[rating for _, rating in steps],
            suffix="" if number == 0 else f"#{number}",
        )
        for number, steps in enumerate(found)
    ]


def _completions(step: Any) -> tuple[tuple[str, int | None] | None, list[tuple[str, int | None]]]:
    """The completion that the solution went on with (the labeller's own where none was chosen), and the others.

    With a single completion and no choice, the solution ended there.
    """
    if not isinstance(step, Mapping):
        raise Refusal(Reason.WRONG_TYPE, "a step is no object")
    rated = [_rated(each) for each in step.get("completions") or ()]
    chosen, human = step.get("chosen_completion"), step.get("human_completion")
    if isinstance(chosen, int) and 0 <= chosen < len(rated):
        return rated[chosen], rated[:chosen] + rated[chosen + 1 :]
    if human is not None:
        return _rated(human), rated
    return (rated[0], []) if len(rated) == 1 else (None, rated)


def _rated(completion: Any) -> tuple[str, int | None]:
    if not isinstance(completion, Mapping):
        raise Refusal(Reason.WRONG_TYPE, "a completion is no object")
    return text(completion.get("text"), "completions.text"), _labels([completion.get("rating")])[0]


def _listed(row: RawRow, origin: Origin, *, problem: str, steps: str) -> StepTrace:
    values = values_of(row)
    texts = [text(each, steps) for each in items(values[steps], steps)]
    labels = _labels(items(values["labels"], "labels"))
    if len(texts) != len(labels):
        raise Refusal(Reason.WRONG_TYPE, f"{len(labels)} labels for {len(texts)} {steps}")
    return _trace(row, origin, prompt=prompt_turns(values[problem], problem), steps=texts, labels=labels)


def _labels(values: Sequence[Any]) -> Sequence[int | None]:
    try:
        return step_labels(values)
    except ValueError as error:
        raise Refusal(Reason.WRONG_TYPE, str(error)) from error


def _trace(
    row: RawRow,
    origin: Origin,
    *,
    prompt: Conversation,
    steps: Sequence[str],
    labels: Sequence[int | None],
    suffix: str = "",
) -> StepTrace:
    """The trace of checked parts.

    Raises:
        Refusal: There is no step, one is blank or no Unicode text, or nothing is known about any of them.
    """
    values = values_of(row)
    final = values.get("final_correct")
    if final is not None and not isinstance(final, bool):
        raise Refusal(Reason.WRONG_TYPE, f"final_correct is {shorten(final, 40)}, wanted true, false or null")
    stripped = tuple(step.strip() for step in steps)
    if not stripped or not all(stripped):
        blank = f"step {stripped.index('')} is empty" if stripped else "there is no step"
        raise Refusal(Reason.EMPTY_SIDE, blank)
    if any(_has_surrogate(each) for each in (*stripped, *(turn.content for turn in prompt))):
        raise Refusal(Reason.WRONG_TYPE, "text with a lone surrogate, which is no Unicode text")
    if final is None and all(label is None for label in labels):
        raise Refusal(Reason.ABSTENTION, "no step has a label, and final_correct is not there")
    return StepTrace(
        prompt=prompt,
        steps=stripped,
        labels=tuple(labels),
        final_correct=final,
        id=origin.id_of(row) + suffix,
        group=group_name(row, prompt),
        source=origin.source_of(values),
    )


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)


_SHAPES: dict[str, Shape] = {
    "stepwise": STEPWISE.shape,
    "steps": STEPS.shape,
    "math-shepherd": MATH_SHEPHERD.shape,
    "prm800k": PRM800K.shape,
}
_READERS: dict[str, TraceReader] = {
    "stepwise": _read_trl,
    "steps": _read_own,
    "math-shepherd": _read_math_shepherd,
    "prm800k": _read_prm800k,
}
