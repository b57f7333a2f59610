"""Put the tasks of a labelling project in order, by what models say of their responses."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from rewardsmith.annotate.asking import AskingSettings, TaskScores, what_to_ask
from rewardsmith.annotate.coverage import Coverage, coverage, prompt_features
from rewardsmith.annotate.quality.disputes import is_disputed
from rewardsmith.annotate.quality.items import counted
from rewardsmith.annotate.store import open_store
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import Vote
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError
from rewardsmith.core.progress import track
from rewardsmith.core.scores import Scorer
from rewardsmith.scoring.load import load_scorer

_TASKS_AT_ONCE = 64


@runtime_checkable
class _Featured(Protocol):
    """A scorer that shows what its last layer reads."""

    def features(self, conversations: Sequence[Conversation]) -> Float[np.ndarray, "conversation hidden"]: ...


def ask(
    database: str,
    project: str,
    *,
    models: Sequence[str | Path] = (),
    settings: AskingSettings,
    cache: Path | None = None,
    most: int | None = None,
) -> dict[str, Any]:
    """Score the project's tasks, and set the priority and the reason of each that still needs votes.

    Tests of the raters stay as they are.

    Args:
        models: Scorers; several, or an ensemble, can disagree. Without one, tasks are told apart by the words of their
            prompts.
        cache: Folder that keeps rewards.
        most: Tasks that are told of in the reply.

    Returns:
        `asked` (how many), `by`, the first of them as `next`, and the `coverage` of regions.

    Raises:
        DataError: There is no such project, or no task that needs votes.
        SettingsError: The way to ask needs what the models do not give.
        ModelError: A model cannot be loaded.
    """
    with contextlib.closing(open_store(database)) as store:
        asks, votes = store.project(project), store.votes(project)
        tasks = [task for task in store.tasks(project) if task.gold is None or not asks.gold_share]
        n_votes = Counter(vote.task for vote in counted(votes, origin="human"))
        answered = {task for task, count in n_votes.items() if count >= asks.overlap}
        scorers = [load_scorer(model, overlength="truncate", cache=cache) for model in models]
        scores = scores_of(tasks, scorers)
        asked = what_to_ask(tasks, scores, settings=settings, answered=answered)
        if not asked:
            raise DataError("no task needs a vote", where=project, fix="add tasks with `rewardsmith annotate add`")
        store.set_priorities(project, asked)
    own: dict[str, list[Vote]] = {}
    for vote in votes:
        own.setdefault(vote.task, []).append(vote)
    disputed = {task for task, votes_on in own.items() if is_disputed(votes_on, asks)}
    assert scores.features is not None
    covered = coverage(tasks, scores.features, n_votes=n_votes, disputed=disputed, seed=settings.seed)
    shown = list(asked.items())[:most]
    return {
        "project": project,
        "asked": len(asked),
        "by": settings.by,
        "next": [{"task": task, "priority": priority, "why": why} for task, (priority, why) in shown],
        "coverage": _regions(covered),
    }


def scores_of(tasks: Sequence[Task], scorers: Sequence[Scorer]) -> TaskScores:
    """The rewards of all responses by each scorer, the members of an ensemble one by one, and features of the tasks:
    those of the first scorer that shows any, else of the prompts' words."""
    counts = np.array([len(task.responses) for task in tasks], dtype=np.int64)
    rewards: list[np.ndarray] = []
    features: np.ndarray | None = None
    for scorer in scorers:
        rewards.extend(_rewards(scorer, tasks))
        if features is None and isinstance(scorer, _Featured):
            features = _features(scorer, tasks)
    stacked = np.stack(rewards) if rewards else np.zeros((0, int(counts.sum())), dtype=np.float32)
    return TaskScores(stacked, counts, prompt_features(tasks) if features is None else features)


def _rewards(scorer: Scorer, tasks: Sequence[Task]) -> list[np.ndarray]:
    """One array of all responses a member; tasks are never cut apart, since some scorers compare within a prompt."""
    parts = [scorer.score(_conversations(some)) for some in track(_pieces(tasks), "scoring tasks")]
    if parts and parts[0].members is not None:
        return list(np.concatenate([part.members for part in parts if part.members is not None], axis=1))
    return [np.concatenate([part.rewards for part in parts])] if parts else []


def _features(scorer: _Featured, tasks: Sequence[Task]) -> np.ndarray:
    means = []
    for some in track(_pieces(tasks), "reading features"):
        rows = scorer.features(_conversations(some))
        ends = np.cumsum([len(task.responses) for task in some])[:-1]
        means.extend(part.mean(axis=0) for part in np.split(rows, ends))
    return np.stack(means)


def _pieces(tasks: Sequence[Task]) -> list[Sequence[Task]]:
    return [tasks[start : start + _TASKS_AT_ONCE] for start in range(0, len(tasks), _TASKS_AT_ONCE)]


def _conversations(tasks: Sequence[Task]) -> list[Conversation]:
    return [task.conversation(place) for task in tasks for place in range(len(task.responses))]


def _regions(covered: Coverage) -> list[dict[str, Any]]:
    return [{**asdict(region), "words": list(region.words), "state": region.state} for region in covered.regions]
