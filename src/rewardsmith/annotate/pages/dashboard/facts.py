"""What the dashboard shows, measured from the store now and then."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rewardsmith.annotate.coverage import Coverage, coverage, prompt_features
from rewardsmith.annotate.quality.items import counted
from rewardsmith.annotate.quality.report import QualityReport, quality_report
from rewardsmith.annotate.raters import Rater
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import LabelStore
from rewardsmith.annotate.tasks import Task

_LEAST_AGE_S = 2.0
_AGE_FOR_WORK = 20.0
"""What took a second to measure is shown for twenty: raters at work must not wait for an owner who reloads."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A project at one moment.

    Attributes:
        project: Its settings.
        tasks: By id, in the order in which they were added.
        raters: By id.
        report: What the votes are worth.
        n_votes: Task → people's votes that count.
        coverage: Regions of prompts.
        time: When it was measured, seconds since 1970.
    """

    project: ProjectSettings
    tasks: Mapping[str, Task]
    raters: Mapping[str, Rater]
    report: QualityReport
    n_votes: Mapping[str, int]
    coverage: Coverage
    time: float

    def open_tasks(self) -> list[Task]:
        """The tasks that need a vote, in the order in which they are asked: by priority, then by fewest votes; of equal
        ones a lot decides for each rater, and here the order of the file."""
        has_tests = self.project.gold_share > 0
        waiting = [
            (place, task)
            for place, task in enumerate(self.tasks.values())
            if self.n_votes.get(task.id, 0) < self.project.overlap and not (has_tests and task.gold is not None)
        ]
        return [
            task for _, task in sorted(waiting, key=lambda at: (-at[1].priority, self.n_votes.get(at[1].id, 0), at[0]))
        ]


class Watch:
    """The facts of each project of a store, measured again when they are asked for and old.

    Args:
        store: Where they come from.
        least_age_s: Facts younger than this are shown again.
    """

    def __init__(self, store: LabelStore, *, least_age_s: float = _LEAST_AGE_S) -> None:
        self._store = store
        self._least_age_s = least_age_s
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Facts, float]] = {}

    def facts(self, project: str) -> Facts:
        """The facts of a project; one reader measures at a time, and the others wait and see the same.

        Raises:
            DataError: There is no such project.
        """
        with self._lock:
            known = self._known.get(project)
            if known is not None and time.monotonic() < known[1]:
                return known[0]
            started = time.monotonic()
            facts = measure(self._store, project)
            took = time.monotonic() - started
            self._known[project] = (facts, started + took + max(self._least_age_s, _AGE_FOR_WORK * took))
            return facts


def measure(store: LabelStore, project: str) -> Facts:
    """The facts of a project as they are now.

    Raises:
        DataError: There is no such project.
    """
    settings = store.project(project)
    tasks = {task.id: task for task in store.tasks(project)}
    votes, raters = store.votes(project), {rater.id: rater for rater in store.raters(project)}
    report = quality_report(settings, votes, tasks, raters=raters)
    n_votes = Counter(vote.task for vote in counted(votes, origin="human"))
    listed = list(tasks.values())
    return Facts(
        project=settings,
        tasks=tasks,
        raters=raters,
        report=report,
        n_votes=n_votes,
        coverage=coverage(listed, prompt_features(listed), n_votes=n_votes, disputed=frozenset(report.disputed)),
        time=time.time(),
    )
