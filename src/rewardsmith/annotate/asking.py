"""What to ask next: arrays of scores → a priority for each task, and why in a sentence.

Nothing here knows a model. The formulas are those of `numerics.acquisition`; what is added is that a task may hold one
response, two or many, that a batch should not hold the same thing twice, and that a person reads the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64
from pydantic import Field
from scipy.special import expit

from rewardsmith.annotate.tasks import Task
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.settings import Settings
from rewardsmith.numerics import acquisition

Part = Literal["disagreement", "margin", "information_gain", "diversity"]
Acquisition = Literal["mixed", "disagreement", "margin", "information_gain", "diversity", "random"]

PARTS: tuple[Part, ...] = get_args(Part)
_NOTABLE = 0.5


class AskingSettings(Settings):
    """How tasks are put in order."""

    by: Acquisition = "mixed"
    """`disagreement`: where the models' margins differ. `margin`: where the model can hardly tell. `information_gain`:
    where a vote says most about which model is right. `diversity`: what lies far from everything voted on. `mixed`:
    ranks by several, those that the scores allow. `random`: a lot, to compare with."""

    batch: int = Field(default=64, ge=1)
    """Tasks that are chosen together, so that no two of them resemble each other; the rest follows by value."""

    closeness: float = Field(default=0.95, gt=0, le=1)
    """Largest cosine between the features of two tasks of the batch."""

    weights: Mapping[Part, float] = Field(
        default_factory=lambda: {"disagreement": 1.0, "margin": 1.0, "diversity": 1.0}
    )
    """Of `mixed`; a part that the scores do not allow is left out."""

    temperature: float = Field(default=1.0, gt=0)
    """What margins are divided by before they become probabilities (`information_gain`)."""

    seed: int = 0
    """Of the lot."""


@dataclass(frozen=True, slots=True)
class TaskScores:
    """What one model, or several, say of the responses of tasks, in the order of the tasks.

    Attributes:
        rewards: Of all responses of all tasks, one task after the other; a row a model.
        counts: Responses of each task.
        features: Of each task: what its responses' features have as their mean. `None` where nobody knows them.

    Raises:
        DataError: The shapes do not fit together, or a reward is not finite.
    """

    rewards: Float[np.ndarray, "member response"]
    counts: Int[np.ndarray, " task"]
    features: Float[np.ndarray, "task hidden"] | None = None

    def __post_init__(self) -> None:
        if self.rewards.ndim != 2 or self.rewards.shape[1] != int(self.counts.sum()) or (self.counts < 1).any():
            wanted = f"[member, {int(self.counts.sum())}], at least one response a task"
            raise DataError("rewards that do not fit the tasks", wanted=wanted, got=self.rewards.shape)
        if self.features is not None and len(self.features) != len(self.counts):
            raise DataError("features that do not fit the tasks", wanted=f"{len(self.counts)}", got=len(self.features))
        if not np.isfinite(self.rewards).all():
            raise DataError("a reward that is no finite number", fix="score the tasks again")


def what_to_ask(
    tasks: Sequence[Task], scores: TaskScores, *, settings: AskingSettings, answered: Collection[str] = ()
) -> dict[str, tuple[float, str]]:
    """Task → (priority, why), of each task that is open, the first to be asked first in order.

    The batch has priorities above 1, the rest below; both fall in the order in which they should be asked.

    Args:
        scores: In the order of `tasks`.
        answered: Tasks that have their votes: they get no priority, and what they look like is known.

    Raises:
        DataError: The scores do not fit the tasks.
        SettingsError: `settings.by` needs what the scores lack: several models, two responses, or features.
    """
    if len(tasks) != len(scores.counts):
        raise DataError("scores that do not fit the tasks", wanted=f"{len(tasks)} tasks", got=len(scores.counts))
    is_open = np.array([task.id not in answered for task in tasks], dtype=bool)
    places = np.flatnonzero(is_open)
    if not len(places):
        return {}
    parts = _parts(scores, settings, is_open=is_open)
    groups = [tasks[int(place)].group or tasks[int(place)].id for place in places]
    order, share = _ordered(parts, scores, settings=settings, groups=groups, is_open=is_open)
    n_first = min(settings.batch, len(order))
    asked: dict[str, tuple[float, str]] = {}
    for place, at in enumerate(map(int, order)):
        priority = 2.0 - place / n_first if place < n_first else 1.0 - (place - n_first + 1) / (len(order) + 1)
        asked[tasks[int(places[at])].id] = (priority, _why(parts, share, at=at, is_start=bool(is_open.all())))
    return asked


def _parts(
    scores: TaskScores, settings: AskingSettings, *, is_open: Bool[np.ndarray, " task"]
) -> dict[str, Float64[np.ndarray, " open"]]:
    """The values that the order goes by, of the open tasks."""
    if settings.by == "random":
        return {}
    lacking = _lacking(scores)
    if settings.by == "mixed":
        wanted: list[str] = [name for name in PARTS if settings.weights.get(name, 0.0) > 0 and name not in lacking]
        if not wanted:
            raise _cannot("mixed", "; ".join(f"{name} needs {why}" for name, why in lacking.items()))
    elif settings.by in lacking:
        raise _cannot(settings.by, lacking[settings.by])
    else:
        wanted = [settings.by]
    return {name: _values(name, scores, settings=settings, is_open=is_open) for name in wanted}


def _lacking(scores: TaskScores) -> dict[str, str]:
    """Part → what the scores lack for it."""
    lacking: dict[str, str] = {}
    if not len(scores.rewards):
        lacking["margin"] = "a model"
    if len(scores.rewards) < 2:
        lacking |= {"disagreement": "at least two models", "information_gain": "at least two models"}
    if (scores.counts < 2).any():
        lacking |= {"margin": "two responses a task", "information_gain": "two responses a task"}
    if scores.features is None:
        lacking["diversity"] = "features of the tasks"
    return lacking


def _cannot(by: str, lacking: str) -> SettingsError:
    return SettingsError(
        f"tasks cannot be asked by {by}", wanted=lacking, where="by", fix="name an ensemble, or another way to ask"
    )


def _values(
    part: str, scores: TaskScores, *, settings: AskingSettings, is_open: Bool[np.ndarray, " task"]
) -> Float64[np.ndarray, " open"]:
    if part == "diversity":
        assert scores.features is not None
        distance = acquisition.distance_to(scores.features[is_open], scores.features[~is_open])
        return distance if (~is_open).any() else _cover(scores.features, settings.batch)
    margins, owner = _comparisons(scores, is_open)
    match part:
        case "disagreement":
            values = acquisition.disagreement(margins)
        case "margin":
            values = acquisition.smallness_of_margin(margins.mean(axis=0))
        case _:
            values = acquisition.information_gain(expit(margins / settings.temperature))
    best = np.full(int(is_open.sum()), -np.inf)
    np.maximum.at(best, owner, values)
    return best


def _cover(features: Float[np.ndarray, "task hidden"], n: int) -> Float64[np.ndarray, " task"]:
    """Where nothing was voted on yet: above 1 the n tasks that cover the rest, the first one highest; below, the
    distance to the nearest of them as a share of the farthest."""
    chosen = acquisition.k_center(features, n)
    values = acquisition.distance_to(features, features[chosen])
    values /= max(float(values.max()), 1e-12)
    values[chosen] = 1.0 + np.arange(len(chosen), 0, -1)
    return values


def _comparisons(
    scores: TaskScores, is_open: Bool[np.ndarray, " task"]
) -> tuple[Float64[np.ndarray, "member comparison"], Int64[np.ndarray, " comparison"]]:
    """Margins of all pairs of responses of each open task, and which open task each belongs to.

    A task with one response is compared with the mean of all single responses of the same model: how far the models
    agree that it is good or bad.
    """
    rewards = scores.rewards.astype(np.float64)
    starts = np.r_[0, np.cumsum(scores.counts)[:-1]]
    singles = starts[scores.counts == 1]
    middle = rewards[:, singles].mean(axis=1) if len(singles) else np.zeros(len(rewards))
    columns, owner = [], []
    for at, task in enumerate(np.flatnonzero(is_open)):
        start, count = int(starts[task]), int(scores.counts[task])
        if count == 1:
            columns.append(rewards[:, start] - middle)
            owner.append(at)
        for i in range(start, start + count):
            for j in range(i + 1, start + count):
                columns.append(rewards[:, i] - rewards[:, j])
                owner.append(at)
    return np.stack(columns, axis=1), np.array(owner, dtype=np.int64)


def _ordered(
    parts: Mapping[str, Float64[np.ndarray, " open"]],
    scores: TaskScores,
    *,
    settings: AskingSettings,
    groups: Sequence[str],
    is_open: Bool[np.ndarray, " task"],
) -> tuple[Int64[np.ndarray, " open"], dict[str, Float64[np.ndarray, " open"]]]:
    """All open tasks in order, and for each part the share of them that a task lies above."""
    n = len(groups)
    if not parts:
        return np.random.default_rng(settings.seed).permutation(n), {}
    by_name: dict[str, float] = {str(name): weight for name, weight in settings.weights.items()}
    weights = {name: by_name[name] if settings.by == "mixed" else 1.0 for name in parts}
    values = acquisition.mixed(parts, weights)
    features = None if scores.features is None else scores.features[is_open]
    first = acquisition.pick(values, settings.batch, features=features, closeness=settings.closeness, groups=groups)
    rest = np.setdiff1d(np.arange(n), first)
    rest = rest[np.argsort(-values[rest], kind="stable")]
    return np.concatenate([first, rest]), {name: _below(each) for name, each in parts.items()}


def _below(values: Float64[np.ndarray, " open"]) -> Float64[np.ndarray, " open"]:
    """Share of the others that are lower."""
    ordered = np.sort(values)
    return np.searchsorted(ordered, values, side="left") / max(1, len(values) - 1)


def _why(
    parts: Mapping[str, Float64[np.ndarray, " open"]],
    share: Mapping[str, Float64[np.ndarray, " open"]],
    *,
    at: int,
    is_start: bool,
) -> str:
    """One or two reasons, the strongest first."""
    if not parts:
        return "drawn by lot"
    ranked = sorted(share, key=lambda name: -share[name][at])
    notable = [name for name in ranked if share[name][at] >= _NOTABLE][:2] or ranked[:1]
    return "; ".join(
        _reason(name, float(parts[name][at]), share=float(share[name][at]), is_start=is_start) for name in notable
    )


def _reason(part: str, value: float, *, share: float, is_start: bool) -> str:
    others = f"{share:.0%} of the open tasks"
    match part:
        case "disagreement":
            return f"the models disagree more than on {others}"
        case "margin":
            return f"the answers' rewards are closer ({-value:.2g} apart) than on {others}"
        case "information_gain":
            return f"a vote says more about which model is right ({value:.2g} nats) than on {others}"
        case "diversity" if is_start:
            return f"stands for prompts that nobody voted on yet, sooner than {others}"
        case _:
            return f"farther from everything voted on than {others}"
