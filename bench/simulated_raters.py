"""Tasks of known truth and raters of known habits: what the quality figures are tested on.

Of each pair one answer is better by d ~ N(0, 1). A rater sees it with logistic noise: the first answer wins with
probability σ(skill·d + place + length), where place is for what stands first on the screen and length for the longer
answer. Nobody's real votes are like this; what is planted is known, which is the point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rewardsmith.annotate.answers import PairAnswer, Side
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import Vote
from rewardsmith.core.conversation import assistant, user


@dataclass(frozen=True)
class Habits:
    """How one rater votes.

    Attributes:
        skill: Logits a standard deviation of quality: 0 is a coin, 2 is right in three of four random pairs.
        place: Logits for the answer shown first.
        length: Logits for the longer answer.
        ties: Share of votes that call the two equal, however different they are.
        seconds: Seconds a word.
    """

    skill: float = 2.0
    place: float = 0.0
    length: float = 0.0
    ties: float = 0.05
    seconds: float = 0.3


PLANTED: Mapping[str, tuple[str, Habits]] = {
    "place": ("position", Habits(place=2.0)),
    "last": ("position", Habits(place=-2.0)),
    "length": ("length", Habits(length=2.5)),
    "coin": ("agreement", Habits(skill=0.0)),
    "hurry": ("speed", Habits(seconds=0.04)),
}
"""Habits that a flag should find: name → the flag, and the habits."""


@dataclass(frozen=True)
class Simulated:
    """A project with its truth.

    Attributes:
        tasks: By id.
        better: Task → the better side.
        votes: In order of time.
    """

    tasks: dict[str, Task]
    better: dict[str, Side]
    votes: list[Vote]


def honest(count: int, *, seed: int = 0) -> dict[str, Habits]:
    """Raters without bad habits, of unequal skill and pace."""
    rng = np.random.default_rng(seed)
    return {
        f"honest{number}": Habits(
            skill=float(rng.uniform(1.5, 4.0)), ties=float(rng.uniform(0, 0.1)), seconds=float(rng.uniform(0.2, 0.5))
        )
        for number in range(count)
    }


def simulate(
    raters: Mapping[str, Habits],
    *,
    n_tasks: int = 200,
    overlap: int | None = None,
    longer_better: float = 0.6,
    gold: int = 0,
    repeats: int = 0,
    seed: int = 0,
) -> Simulated:
    """A labelled project.

    Args:
        overlap: Raters a task, drawn at random; all of them where absent.
        longer_better: Share of tasks whose longer answer is the better one.
        gold: So many more tasks with a known answer, which every rater gets.
        repeats: So many tasks that every rater who had them gets once more.
    """
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=n_tasks + gold)
    tasks, better = {}, {}
    for number, difference in enumerate(quality):
        first_longer = (rng.random() < longer_better) == (difference > 0)
        task = _task(number, rng, first_longer=first_longer, gold=number >= n_tasks, first_better=difference > 0)
        tasks[task.id], better[task.id] = task, "first" if difference > 0 else "second"
    names, votes = list(raters), []
    for number, task in enumerate(tasks.values()):
        size = len(names) if overlap is None or task.gold is not None else overlap
        for name in rng.permutation(names)[:size].tolist():
            again = 2 if number < repeats else 1
            for time in range(again):
                votes.append(_vote(task, name, raters[name], rng, difference=quality[number], repeat=time > 0))
    return Simulated(tasks, better, votes)


def _task(number: int, rng: np.random.Generator, *, first_longer: bool, gold: bool, first_better: bool) -> Task:
    short = int(rng.integers(5, 40))
    words = [short + int(rng.integers(3, 30)), short]
    sides = words if first_longer else words[::-1]
    return Task(
        id=f"t{number}",
        kind="pair",
        prompt=(user(f"Question {number}"),),
        responses=tuple((assistant(" ".join(["word"] * count)),) for count in sides),
        gold=PairAnswer("first" if first_better else "second") if gold else None,
        source="simulated",
        group=f"g{number // 2}",
    )


def _vote(task: Task, rater: str, habits: Habits, rng: np.random.Generator, *, difference: float, repeat: bool) -> Vote:
    shown = (0, 1) if rng.random() < 0.5 else (1, 0)
    lengths = [len(response[0].content) for response in task.responses]
    logit = habits.skill * difference + (habits.place if shown[0] == 0 else -habits.place)
    logit += habits.length if lengths[0] > lengths[1] else -habits.length
    said: Side = "first" if rng.random() < 1 / (1 + np.exp(-logit)) else "second"
    if rng.random() < habits.ties:
        said = "tie"
    words = sum(len(turns[0].content.split()) for turns in task.responses)
    return Vote(
        id=f"{task.id}-{rater}-{int(repeat)}",
        project="simulated",
        task=task.id,
        rater=rater,
        answer=PairAnswer(said),
        shown=shown,
        guidelines=1,
        seconds=float(habits.seconds * (words + 10) * rng.lognormal(0.0, 0.6)),
        time=float(int(task.id[1:]) * 10 + repeat),
        repeat=repeat,
        gold=task.gold is not None,
    )
