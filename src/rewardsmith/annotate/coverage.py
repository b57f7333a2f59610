"""Which regions of prompt space have votes, disagreement, or nothing: clusters of features, counted.

scikit-learn is imported where it is used: it takes seconds, for which a server's first page need not wait.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float64, Int64

from rewardsmith.annotate.tasks import Task
from rewardsmith.core.errors import DataError

State = Literal["nothing", "votes", "disagreement"]

_MOST_REGIONS = 12
_FITTED_ROWS = 4000
_HASHED = 1 << 13
_DIMENSIONS = 32
_WORDS = 4
_WORD = re.compile(r"[^\W\d_]{3,20}")
_DISPUTED_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Region:
    """Tasks whose prompts resemble each other.

    Attributes:
        number: From 1, the largest first.
        n_tasks: Tasks in it.
        n_voted: Those of them with a vote.
        n_votes: Votes on them.
        n_disputed: Tasks whose votes have no clear majority.
        words: What its prompts say more often than others.
        example: Id of the task nearest to its middle.
    """

    number: int
    n_tasks: int
    n_voted: int
    n_votes: int
    n_disputed: int
    words: tuple[str, ...]
    example: str

    @property
    def state(self) -> State:
        """`nothing` was voted on, there are `votes`, or a fifth of the tasks with votes is in `disagreement`."""
        if not self.n_voted:
            return "nothing"
        return "disagreement" if self.n_disputed >= _DISPUTED_SHARE * self.n_voted else "votes"

    @property
    def share_voted(self) -> float:
        """Share of its tasks with a vote."""
        return self.n_voted / self.n_tasks


@dataclass(frozen=True, slots=True)
class Coverage:
    """All regions, and the region of each task.

    Attributes:
        regions: The largest first.
        of_task: Task → number of its region.
    """

    regions: tuple[Region, ...]
    of_task: Mapping[str, int]


def coverage(
    tasks: Sequence[Task],
    features: Float[np.ndarray, "task hidden"],
    *,
    n_votes: Mapping[str, int],
    disputed: Collection[str],
    regions: int | None = None,
    seed: int = 0,
) -> Coverage:
    """Count votes and disputes in clusters of `features` (k-means).

    Args:
        features: Of each task: a model's, or `prompt_features`.
        n_votes: Task → votes; tasks without one may be missing.
        disputed: Tasks whose votes have no clear majority.
        regions: How many; √(n/2) of n tasks, at most 12, where absent. Fewer where fewer features differ.

    Raises:
        DataError: There are not as many features as tasks.
    """
    if len(tasks) != len(features):
        raise DataError("features that do not fit the tasks", wanted=f"{len(tasks)} rows", got=len(features))
    if not tasks:
        return Coverage((), {})
    labels, centres = _clusters(features.astype(np.float64), regions or suited_regions(len(tasks)), seed=seed)
    sizes = np.bincount(labels, minlength=len(centres))
    found = []
    of_task: dict[str, int] = {}
    documents = [_words_in(task) for task in tasks]
    everywhere = Counter(word for words in documents for word in words)
    for number, cluster in enumerate(np.argsort(-sizes, kind="stable"), start=1):
        places = np.flatnonzero(labels == cluster)
        ids = [tasks[int(place)].id for place in places]
        of_task |= dict.fromkeys(ids, number)
        nearest = places[np.argmin(np.linalg.norm(features[places] - centres[cluster], axis=1))]
        found.append(
            Region(
                number=number,
                n_tasks=len(ids),
                n_voted=sum(n_votes.get(id, 0) > 0 for id in ids),
                n_votes=sum(n_votes.get(id, 0) for id in ids),
                n_disputed=sum(id in disputed for id in ids),
                words=_telling([documents[place] for place in places], everywhere, len(tasks)),
                example=tasks[int(nearest)].id,
            )
        )
    return Coverage(tuple(found), of_task)


def suited_regions(n_tasks: int) -> int:
    """How many regions suit so many tasks: √(n/2), from 1 to 12."""
    return int(min(_MOST_REGIONS, max(1, round((n_tasks / 2) ** 0.5))))


def prompt_features(tasks: Sequence[Task]) -> Float64[np.ndarray, "task hidden"]:
    """Features of the prompts without a model: a latent semantic analysis of their words (Deerwester et al. 1990).

    The components are fitted on at most 4,000 prompts, evenly drawn. Rows have length 1, or 0 where no word is known.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.preprocessing import normalize

    if not tasks:
        return np.zeros((0, 1))
    words = HashingVectorizer(n_features=_HASHED, stop_words="english", alternate_sign=False)
    hashed: Any = words.transform([_prompt_text(task) for task in tasks])
    sample = hashed[_evenly(len(tasks))]
    n_components = min(_DIMENSIONS, max(1, sample.shape[0] - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        svd = TruncatedSVD(n_components=n_components, random_state=0).fit(sample)
    return np.asarray(normalize(svd.transform(hashed)), dtype=np.float64)


def _clusters(
    features: Float64[np.ndarray, "task hidden"], regions: int, *, seed: int
) -> tuple[Int64[np.ndarray, " task"], Float64[np.ndarray, "region hidden"]]:
    from sklearn.cluster import KMeans

    # Equal prompts may differ in the last bit of their features, and would look like several.
    distinct = len(np.unique(features.round(9), axis=0))
    chosen = features[_evenly(len(features))]
    count = min(regions, distinct, len(np.unique(chosen.round(9), axis=0)))
    fitted = KMeans(n_clusters=count, n_init="auto", random_state=seed).fit(chosen)
    return np.asarray(fitted.predict(features), dtype=np.int64), np.asarray(fitted.cluster_centers_, dtype=np.float64)


def _evenly(n: int) -> Int64[np.ndarray, " drawn"]:
    """Places of at most `_FITTED_ROWS` of n rows."""
    return np.linspace(0, n - 1, min(n, _FITTED_ROWS)).astype(np.int64)


def _telling(documents: Sequence[set[str]], everywhere: Counter[str], n_all: int) -> tuple[str, ...]:
    """Words of a region that say what it is about: by how much more often they stand in it than in all prompts."""
    inside = Counter(word for words in documents for word in words)
    n = len(documents)
    lift = {word: count * np.log((count / n) / (everywhere[word] / n_all)) for word, count in inside.items()}
    # Where there is one region only, no word tells it from others, and the commonest ones must do.
    ranked = sorted(inside, key=lambda word: (-lift[word], -inside[word], word))
    return tuple(ranked[:_WORDS])


def _words_in(task: Task) -> set[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return {word for word in _WORD.findall(_prompt_text(task).casefold()) if word not in ENGLISH_STOP_WORDS}


def _prompt_text(task: Task) -> str:
    return "\n".join(content for role, content in task.prompt if role == "user") or " ".join(
        content for _, content in task.prompt
    )
