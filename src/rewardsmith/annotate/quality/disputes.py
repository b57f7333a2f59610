"""When do the votes on a task not settle it?"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from rewardsmith.annotate.answers import Answer, AttributesAnswer, FirstErrorAnswer, PairAnswer, RankingAnswer
from rewardsmith.annotate.quality.items import counted
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.votes import Vote


def is_disputed(votes: Sequence[Vote], settings: ProjectSettings) -> bool:
    """Whether a task has the votes that it should have, and no strict majority among them.

    Human votes count, one a rater, without skips, repeats and tests; once an adjudicator has voted there is no dispute.
    What more than half of the raters must share: of a pair the overall vote, or, where there is none, the vote on each
    axis; of a ranking its best responses; of a solution the step; of an attribute a value within 1 of the median.

    Args:
        votes: All votes on one task.
    """
    if any(vote.adjudication and vote.answer is not None for vote in votes):
        return False
    answers = [vote.answer for vote in counted(votes, origin="human") if vote.answer is not None]
    if len(answers) < max(2, settings.overlap):
        return False
    return not _is_settled(answers)


def _is_settled(answers: Sequence[Answer]) -> bool:
    match answers[0]:
        case PairAnswer(choice=None):
            pairs = [answer for answer in answers if isinstance(answer, PairAnswer)]
            return all(_has_majority([pair.axes.get(axis) for pair in pairs]) for axis in pairs[0].axes)
        case PairAnswer():
            return _has_majority([answer.choice for answer in answers if isinstance(answer, PairAnswer)])
        case RankingAnswer():
            return _has_majority([_best(answer.ranks) for answer in answers if isinstance(answer, RankingAnswer)])
        case FirstErrorAnswer():
            return _has_majority([answer.step for answer in answers if isinstance(answer, FirstErrorAnswer)])
        case AttributesAnswer(values):
            rated = [answer.values for answer in answers if isinstance(answer, AttributesAnswer)]
            return all(_is_close([each[name] for each in rated if name in each]) for name in values)


def _best(ranks: Sequence[int]) -> tuple[int, ...]:
    return tuple(place for place, rank in enumerate(ranks) if rank == min(ranks))


def _has_majority(labels: Sequence[object]) -> bool:
    return 2 * Counter(labels).most_common(1)[0][1] > len(labels)


def _is_close(values: Sequence[int]) -> bool:
    middle = statistics.median(values)
    return 2 * sum(abs(value - middle) <= 1 for value in values) > len(values)
