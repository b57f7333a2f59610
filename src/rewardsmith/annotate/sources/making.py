"""Material → tasks of a project's kind."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rewardsmith.annotate.answers import (
    Answer,
    AttributesAnswer,
    FirstErrorAnswer,
    PairAnswer,
    RankingAnswer,
    require_fits,
)
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.sources.material import Material, distinct, taken
from rewardsmith.annotate.sources.outcome import NO_LABEL, NOTHING_TO_COMPARE, Left
from rewardsmith.annotate.sources.settings import AddSettings
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.conversation import response_text, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import DataError
from rewardsmith.text.steps import split_steps

_ID_DIGITS = 24


def tasks_of(material: Material, project: ProjectSettings, *, settings: AddSettings) -> Iterator[Task | Left]:
    """What `material` gives to a project: several tasks, one, or the reason why none.

    An id is the material's own; of a part of it, or where it has none, the digest of what is asked. So the same file
    added twice gives the same tasks.
    """
    usable = distinct(material)
    if not usable.responses:
        yield Left("empty-side", detail="no response is left that has a text")
        return
    for part in _parts(usable, project, settings=settings):
        if isinstance(part, Left):
            yield part
            continue
        # Only what is not cut into parts can have the row's own id.
        is_whole = len(part.responses) == len(material.responses)
        task = _task(part, project, id=material.id if is_whole else "")
        if not settings.gold:
            yield task
            continue
        gold = _gold(part, project, task=task)
        yield Left(NO_LABEL, detail=f"task {task.id}") if gold is None else replace(task, gold=gold)


def content_key(task: Task) -> str:
    """Digest of what a task asks, whatever the order of its responses: equal for tasks that ask the same."""
    return digest_json([task.kind, to_dicts(task.prompt), sorted(map(_digest, task.responses)), list(task.steps)])


def _parts(material: Material, project: ProjectSettings, *, settings: AddSettings) -> Iterator[Material | Left]:
    """What one task each asks about."""
    n = len(material.responses)
    match project.kind:
        case "pair" | "ranking" if n < 2:
            yield Left(NOTHING_TO_COMPARE, detail="one distinct response to this prompt")
        case "pair":
            for i, j in _pairs(material, project, settings=settings):
                yield taken(material, [i, j])
        case "ranking":
            places = sorted(range(n), key=lambda place: _digest(material.responses[place]))[: settings.most_responses]
            yield taken(material, sorted(places))
        case "attributes":
            for place in range(n):
                yield taken(material, [place])
        case "first_error":
            yield from _solutions(material, settings)


def _solutions(material: Material, settings: AddSettings) -> Iterator[Material]:
    if material.steps:
        yield material
        return
    for place in range(len(material.responses)):
        one = taken(material, [place])
        yield replace(one, steps=split_steps(response_text(one.responses[0]), settings.splitting))


def _pairs(material: Material, project: ProjectSettings, *, settings: AddSettings) -> Sequence[tuple[int, int]]:
    """At most `pairs_a_prompt` pairs of places, drawn by lot: first such that no response comes twice."""
    n = len(material.responses)
    if n == 2:
        return [(0, 1)]
    known = material.verdicts if settings.gold else None
    every = [pair for pair in itertools.combinations(range(n), 2) if known is None or pair in known]
    lot = random.Random(f"{project.seed}:{_digest_all(material)}")
    lot.shuffle(every)
    used: set[int] = set()
    apart = []
    for pair in every:
        if used.isdisjoint(pair):
            used.update(pair)
            apart.append(pair)
    return (apart + [pair for pair in every if pair not in apart])[: settings.pairs_a_prompt]


def _task(material: Material, project: ProjectSettings, *, id: str) -> Task:
    made = Task(
        id=id or "-",
        kind=project.kind,
        prompt=material.prompt,
        responses=material.responses,
        steps=material.steps,
        source=material.source,
        group=material.group,
        priority=material.priority,
        why=material.why,
        meta=material.meta,
    )
    return made if id else replace(made, id=content_key(made)[:_ID_DIGITS])


def _gold(material: Material, project: ProjectSettings, *, task: Task) -> Answer | None:
    """The source's own answer; `None` where it is not clear, or does not fit what the project asks."""
    answer: Answer | None
    match project.kind:
        case "pair":
            verdict = material.verdicts.get((0, 1))
            answer = None if verdict is None else PairAnswer(verdict)
        case "ranking":
            answer = _ranks(material)
        case "attributes":
            answer = _whole_ratings(material.ratings[0] if material.ratings else {}, project)
        case "first_error":
            answer = _first_error(material.step_labels)
    if answer is None:
        return None
    try:
        require_fits(answer, task, project)
    except DataError:
        return None
    return answer


def _ranks(material: Material) -> RankingAnswer | None:
    """1 + how many are better; only where each is compared with each, without a circle."""
    n = len(material.responses)
    if len(material.verdicts) < n * (n - 1) // 2:
        return None
    beaten = [0] * n
    for (i, j), verdict in material.verdicts.items():
        beaten[i] += verdict == "second"
        beaten[j] += verdict == "first"
    for (i, j), verdict in material.verdicts.items():
        order = "tie" if beaten[i] == beaten[j] else "first" if beaten[i] < beaten[j] else "second"
        if order != verdict:
            return None
    return RankingAnswer(tuple(1 + count for count in beaten))


def _whole_ratings(ratings: Mapping[str, float], project: ProjectSettings) -> AttributesAnswer | None:
    found = {name: ratings.get(name) for name in project.attributes}
    if any(value is None or not float(value).is_integer() for value in found.values()):
        return None
    return AttributesAnswer({name: int(value) for name, value in found.items() if value is not None})


def _first_error(labels: Sequence[int | None]) -> FirstErrorAnswer | None:
    """The first bad step. Where a step before it, or in a solution without one any step, was not judged, nobody knows
    which is the first."""
    for place, label in enumerate(labels):
        if label is None:
            return None
        if label < 0:
            return FirstErrorAnswer(place)
    return FirstErrorAnswer(None) if labels else None


def _digest(response: Sequence[tuple[str, str]]) -> str:
    return digest_json([list(turn) for turn in response])


def _digest_all(material: Material) -> str:
    return digest_json([to_dicts(material.prompt), sorted(map(_digest, material.responses))])
