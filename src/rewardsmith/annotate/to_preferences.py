"""Votes → rows that `rewardsmith data` and `train` read: soft labels, with every vote and who cast it beside them.

Pairs become rows of the layout `pair`, rankings `ranked`, attributes `rated`, first wrong steps `steps` (docs/data.md).
Raters stand there by their ids, not by their names.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from scipy.stats import rankdata

from rewardsmith.annotate.answers import AttributesAnswer, FirstErrorAnswer, RankingAnswer
from rewardsmith.annotate.quality.aggregate import Label, Method, aggregate
from rewardsmith.annotate.quality.items import (
    NO_ERROR,
    OPPOSITE,
    OVERALL,
    Item,
    counted,
    items_of,
    opinions,
    questions_of,
)
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import Origin, Vote
from rewardsmith.core.conversation import to_dicts
from rewardsmith.core.errors import DataError
from rewardsmith.numerics.rater_strength import weighted_scores

Row = dict[str, Any]

_SAID: Mapping[str, str] = {"first": "chosen", "second": "rejected", "tie": "tie"}


@dataclass(frozen=True, slots=True)
class LabelRows:
    """Rows for a file, and what became of every task.

    Attributes:
        rows: One a labelled task (of rankings as pairs: one a comparison), in the order of the tasks.
        counts: Tasks by fate: `labelled`, `undecided`, `without votes`, `tests`; they add up to all tasks.
        question: What the labels answer.
        method: How several votes became one label.
        weights: What the method thinks of each rater; empty for the majority.
    """

    rows: tuple[Row, ...]
    counts: Mapping[str, int]
    question: str
    method: Method
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Context:
    """What the row of a task is made of beside its labels."""

    question: str
    method: Method
    weights: Mapping[str, float]
    votes: Mapping[str, Sequence[Vote]]
    decided: Mapping[str, Vote]


def label_rows(
    votes: Sequence[Vote],
    tasks: Mapping[str, Task],
    *,
    method: Method = "majority",
    question: str | None = None,
    origin: Origin | None = "human",
    as_pairs: bool = False,
) -> LabelRows:
    """The labels of all tasks as rows for training.

    `prob_chosen` is the label's probability by the method, a tie counting half. An adjudicator's vote decides the
    direction and weighs as much as all the other votes together, so that a dispute stays less sure than a verdict that
    nobody doubted. Skips stay in the rows as `abstain`. Tests with a known answer are left out.

    Args:
        method: See `quality.aggregate.aggregate`; attributes and first wrong steps know the majority only.
        question: `overall` or an axis, for pairs; what is asked first where absent. Attributes go out together.
        origin: Whose votes: humans' unless asked otherwise; `None` counts judges as raters among others.
        as_pairs: Write a ranking as its comparisons, each with its votes and soft label.

    Raises:
        DataError: No vote answers the question, or the method does not go with the tasks.
    """
    items = items_of(counted(votes, origin=origin), tasks)
    asked = _question(items, question, kinds={task.kind for task in tasks.values()})
    about = [item for item in items if asked is None or item.question == asked]
    if not about:
        got = f"{len(votes)} votes"
        raise DataError("no vote to export", wanted=f"votes on {asked or 'the tasks'}", got=got, fix="see who labels")
    made = [aggregate(list(some), method) for _, some in _by_question(about)]
    labels: dict[str, list[Label]] = {}
    for label in (label for each in made for label in each.labels):
        labels.setdefault(label.item.task, []).append(label)
    context = _Context(
        question=asked or "",
        method=method,
        weights=made[0].weights,
        votes=_by_task([vote for vote in votes if origin in (None, vote.origin)]),
        decided={vote.task: vote for vote in votes if vote.adjudication and vote.answer is not None},
    )
    rows = {
        name: list(_rows(tasks[name], labels[name], context, as_pairs=as_pairs)) for name in tasks if name in labels
    }
    return LabelRows(
        rows=tuple(row for own in rows.values() for row in own),
        counts=_fates(tasks, rows, tests={vote.task for vote in votes if vote.gold}),
        question=context.question,
        method=method,
        weights=context.weights,
    )


def _fates(tasks: Iterable[str], rows: Mapping[str, Sequence[Row]], *, tests: set[str]) -> dict[str, int]:
    fates: Counter[str] = Counter({"labelled": 0, "undecided": 0, "without votes": 0, "tests": 0})
    for name in tasks:
        if name in rows:
            fates["labelled" if rows[name] else "undecided"] += 1
        else:
            fates["tests" if name in tests else "without votes"] += 1
    return dict(fates)


def _question(items: Sequence[Item], question: str | None, *, kinds: set[str]) -> str | None:
    """The question that is answered; `None` for all of them, as attributes stand in one row."""
    if kinds == {"attributes"}:
        if question is not None:
            raise DataError("attributes go out together", wanted="no axis", got=question, fix="leave it out")
        return None
    known = questions_of(items)
    if question is not None and known and question not in known:
        raise DataError("no vote on this question", wanted=", ".join(known), got=question, fix="name one of these")
    return question or (known[0] if known else OVERALL)


def _by_question(items: Sequence[Item]) -> Iterator[tuple[str, Iterator[Item]]]:
    return groupby(sorted(items, key=lambda item: item.question), key=lambda item: item.question)


def _by_task(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    found: dict[str, list[Vote]] = {}
    for vote in sorted(votes, key=lambda each: (each.time, each.id)):
        if not (vote.repeat or vote.gold or vote.adjudication):
            found.setdefault(vote.task, []).append(vote)
    return found


def _rows(task: Task, labels: Sequence[Label], context: _Context, *, as_pairs: bool) -> Iterator[Row]:
    match task.kind:
        case "pair":
            yield _pair(task, labels[0], context, row_id=task.id)
        case "ranking" if as_pairs:
            for label in labels:
                yield _pair(task, label, context, row_id="{}#{}-{}".format(task.id, *label.item.sides))
        case "ranking":
            yield _ranking(task, labels, context)
        case "attributes":
            yield _rated(task, labels, context)
        case "first_error":
            row = _steps(task, labels[0], context)
            if row is not None:
                yield row


def _pair(task: Task, label: Label, context: _Context, *, row_id: str) -> Row:
    prob_first, is_tie = label.prob_first, _called_tie(label)
    verdict = _verdict(task, label, context)
    if verdict is not None:
        prob_first = (prob_first + {"first": 1.0, "second": 0.0, "tie": 0.5}[verdict]) / 2
        is_tie = verdict == "tie"
        forward = verdict != "second"
    else:
        is_tie = is_tie or math.isclose(prob_first, 0.5, abs_tol=1e-9)
        forward = is_tie or prob_first > 0.5
    one, other = label.item.sides if forward else label.item.sides[::-1]
    said = [_said(vote, label, forward=forward) for vote in context.votes.get(task.id, ())]
    prob = prob_first if forward else 1 - prob_first
    return (
        _start(task, row_id)
        | {"chosen": to_dicts(task.responses[one]), "rejected": to_dicts(task.responses[other])}
        | {"label": "tie" if is_tie else "chosen"}
        | ({} if is_tie else {"prob_chosen": round(prob, 6)})
        | {"votes": [vote for vote, _ in said], "raters": [rater for _, rater in said]}
        | _end(task, context)
    )


def _called_tie(label: Label) -> bool:
    """More raters say tie than either side. Dawid–Skene's own tie also takes in what raters are divided on, and that
    is better said by a soft label near ½, which nothing drops."""
    said = Counter(label.item.labels)
    return said["tie"] > max(said["first"], said["second"])


def _verdict(task: Task, label: Label, context: _Context) -> str | None:
    """The adjudicator's word on this item, where there is one."""
    vote = context.decided.get(task.id)
    if vote is None or vote.answer is None:
        return None
    words = {(question, sides): said for question, sides, said in opinions(vote.answer)}
    return words.get((label.item.question, label.item.sides))


def _said(vote: Vote, label: Label, *, forward: bool) -> tuple[str, str]:
    """What a vote says of the chosen side, and whose it is."""
    words = {} if vote.answer is None else {(one, two): said for one, two, said in opinions(vote.answer)}
    word = words.get((label.item.question, label.item.sides))
    if word is None:
        return "abstain", vote.rater
    return _SAID[word if forward else OPPOSITE.get(word, word)], vote.rater


def _ranking(task: Task, labels: Sequence[Label], context: _Context) -> Row:
    verdict = context.decided.get(task.id)
    if verdict is not None and isinstance(verdict.answer, RankingAnswer):
        ranks = list(verdict.answer.ranks)
    else:
        worth = (
            _strength_worth(task, labels, context) if context.weights and context.method == "bradley-terry" else None
        )
        scores = _win_worth(task, labels) if worth is None else worth
        ranks = [int(rank) for rank in rankdata(-np.round(scores, 9), method="min")]
    own = {
        vote.rater: list(vote.answer.ranks)
        for vote in context.votes.get(task.id, ())
        if isinstance(vote.answer, RankingAnswer)
    }
    responses = [to_dicts(response) for response in task.responses]
    return _start(task, task.id) | {"responses": responses, "ranks": ranks} | _end(task, context, {"votes": own})


def _win_worth(task: Task, labels: Sequence[Label]) -> np.ndarray:
    """Expected wins of each response against the others, a tie counting half (Borda's count of the majority)."""
    wins = np.zeros(len(task.responses))
    for label in labels:
        one, other = label.item.sides
        wins[one] += label.prob_first
        wins[other] += 1 - label.prob_first
    return wins


def _strength_worth(task: Task, labels: Sequence[Label], context: _Context) -> np.ndarray:
    """The most probable worths in the light of all comparisons of this task and the strengths of its raters."""
    rows = [
        (label.item.sides, {"first": 1.0, "second": 0.0, "tie": 0.5}[said], context.weights[rater])
        for label in labels
        for said, rater in zip(label.item.labels, label.item.raters, strict=True)
    ]
    pairs, credits, strengths = zip(*rows, strict=True)
    return weighted_scores(list(pairs), np.array(credits), np.array(strengths), items=len(task.responses))


def _rated(task: Task, labels: Sequence[Label], context: _Context) -> Row:
    verdict = context.decided.get(task.id)
    if verdict is not None and isinstance(verdict.answer, AttributesAnswer):
        ratings = {name: float(value) for name, value in verdict.answer.values.items()}
    else:
        ratings = {label.item.question: float(np.mean([int(one) for one in label.item.labels])) for label in labels}
    said = {
        vote.rater: dict(vote.answer.values)
        for vote in context.votes.get(task.id, ())
        if isinstance(vote.answer, AttributesAnswer)
    }
    response = {"response": to_dicts(task.responses[0]), "ratings": ratings}
    return _start(task, task.id) | response | _end(task, context, {"votes": said})


def _steps(task: Task, label: Label, context: _Context) -> Row | None:
    """Steps before the first wrong one are good, those after it unlabelled; `None` where votes name several alike."""
    verdict = context.decided.get(task.id)
    best = label.best
    if verdict is not None and isinstance(verdict.answer, FirstErrorAnswer):
        best = NO_ERROR if verdict.answer.step is None else str(verdict.answer.step)
    if best is None:
        return None
    wrong = len(task.steps) if best == NO_ERROR else int(best)
    marks = [1 if step < wrong else -1 if step == wrong else None for step in range(len(task.steps))]
    said = {
        vote.rater: vote.answer.step
        for vote in context.votes.get(task.id, ())
        if isinstance(vote.answer, FirstErrorAnswer)
    }
    return (
        {key: value for key, value in _start(task, task.id).items() if key != "prompt"}
        | {"problem": to_dicts(task.prompt), "steps": list(task.steps), "labels": marks}
        | _end(task, context, {"votes": said})
    )


def _start(task: Task, row_id: str) -> Row:
    group = {"prompt_id": task.group} if task.group else {}
    return {"id": row_id} | group | {"prompt": to_dicts(task.prompt)}


def _end(task: Task, context: _Context, more: Mapping[str, Any] | None = None) -> Row:
    votes = context.votes.get(task.id, ())
    judges = sorted({vote.rater for vote in votes if vote.origin == "judge"})
    made: Row = {"question": context.question} if context.question else {}
    made |= {"method": context.method, **(more or {})}
    if judges:
        made["judges"] = judges
    if task.id in context.decided:
        made["adjudicated_by"] = context.decided[task.id].rater
    source = {"source": task.source} if task.source else {}
    return source | {"meta": {**task.meta, "annotate": made}}
