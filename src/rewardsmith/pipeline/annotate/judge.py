"""Let an LLM judge vote in a labelling project."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rewardsmith.annotate.judge import Judge, can_judge, judge_tasks
from rewardsmith.annotate.quality.raters import RaterQuality, measure_raters
from rewardsmith.annotate.raters import Rater
from rewardsmith.annotate.store import LabelStore, open_store
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.finding import Estimate
from rewardsmith.core.progress import track
from rewardsmith.pipeline.judge import load_judge

_DIGITS = 8


def judge(
    database: str,
    project: str,
    folder: str | Path,
    *,
    name: str | None = None,
    most: int | None = None,
    cache: Path | None = None,
) -> dict[str, Any]:
    """Let the judge in `folder` vote on the tasks that it has not voted on.

    Each vote is kept as soon as it is there: interrupted, it goes on where it was. What it asked before comes from the
    cache of replies.

    Args:
        name: Of the judge among the raters; its folder's, with the digest of what it is, where absent.
        most: Tasks that it votes on now, those with votes of people first.
        cache: Folder that keeps replies.

    Returns:
        `rater`, `votes`, `skips` and `left` (tasks that cannot be judged) of this call; `consistent`, the share of its
        comparisons in which both orders agree, or null; and its agreement with the people: `others` and
        `others_beyond` chance, over all of its votes; and what it cost, as `usage`.

    Raises:
        ModelError: The folder holds no judge.
        DataError: There is no such project.
        SettingsError: The judge cannot answer what the project asks, or another judge has that name.
        JudgeError: Its model does not answer.
    """
    asked = load_judge(folder, cache=cache)
    with contextlib.closing(open_store(database)) as store:
        asks = store.project(project)
        rater = _rater(store, project, name or _name(asked, Path(folder)))
        votes = store.votes(project)
        done = {vote.task for vote in votes if vote.rater == rater.id}
        people = {vote.task for vote in votes if vote.origin == "human"}
        waiting = [task for task in store.tasks(project) if task.id not in done]
        can = sorted(filter(can_judge, waiting), key=lambda task: task.id not in people)[:most]
        said: list[bool] = []
        skips = 0
        for each in track(judge_tasks(asked, can, project=asks, rater=rater.id), "judging", total=len(can)):
            store.cast(project, each.vote)
            skips += each.vote.answer is None
            said += [] if each.is_consistent is None else [each.is_consistent]
        votes, tasks = store.votes(project), {task.id: task for task in store.tasks(project)}
    measured = next((row for row in measure_raters(votes, tasks) if row.rater == rater.id), None)
    return {
        "project": project,
        "rater": rater.name,
        "votes": len(can) - skips,
        "skips": skips,
        "left": sum(not can_judge(task) for task in waiting),
        "consistent": sum(said) / len(said) if said else None,
        **_agreement(measured),
        "usage": asdict(asked.usage),
    }


def _name(judge: Judge, folder: Path) -> str:
    return f"{folder.resolve().name}-{judge.provenance.model_digest[:_DIGITS]}"


def _rater(store: LabelStore, project: str, name: str) -> Rater:
    known = next((rater for rater in store.raters(project) if rater.name == name), None)
    if known is None:
        return store.add_rater(project, name, origin="judge")
    if known.origin != "judge":
        raise SettingsError(
            "a person has that name", wanted="a name of its own for the judge", got=name, where="--name"
        )
    return known


def _agreement(row: RaterQuality | None) -> dict[str, Any]:
    return {
        "others": None if row is None else _estimate(row.others),
        "others_beyond": None if row is None else _estimate(row.others_beyond),
    }


def _estimate(estimate: Estimate) -> dict[str, float] | None:
    if not estimate.n:
        return None
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}
