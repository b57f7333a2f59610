"""What a judge is worth on labelled pairs: agreement with the labels, consistency over the order, cost, round by round.

A label that is a tie is left out. A pair that the judge calls a tie, or that it decides by the place and not by the
answer, earns half, as a coin would. A pair without a verdict earns nothing and stands among the pairs: what could not
be judged was not judged right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rewardsmith.audit.observations import OrderedPair, ordered_pairs
from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.intervals import group_bootstrap, paired_difference, share_bootstrap
from rewardsmith.scoring.families.judge.ask import Opinion
from rewardsmith.scoring.families.judge.pairwise import Comparison, PairwiseJudge
from rewardsmith.scoring.families.judge.pointwise import PointwiseJudge
from rewardsmith.scoring.families.judge.usage import Usage


@dataclass(frozen=True, slots=True)
class JudgedRound:
    """All pairs in one round.

    Attributes:
        accuracy: Mean credit of the pairs.
        change: Mean credit minus that of the round before any critique, on the same pairs; absent of that round.
        ties: Share of the pairs that the judge could not tell apart: called a tie, scored alike, or inconsistent.
        inconsistency: Share of the pairs on which the two orders disagree (pairwise).
        first_place: Share of the verdicts for the answer shown first, ties half; ½ without a leaning (pairwise).
        one_order: Mean credit with the chosen answer shown first in half of the pairs and last in the others, as if
            only one order had been asked (pairwise).
        debiased: Mean credit by the sign of the log-odds in which the place cancels out (pairwise, by log-odds).
        debiased_change: The same minus that of the round before any critique, on the same pairs.
        no_verdict: Pairs without a verdict.
    """

    accuracy: Estimate
    change: Estimate | None
    ties: Estimate
    no_verdict: int
    inconsistency: Estimate | None = None
    first_place: Estimate | None = None
    one_order: Estimate | None = None
    debiased: Estimate | None = None
    debiased_change: Estimate | None = None


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """A judge on labelled pairs.

    Attributes:
        rounds: Before any critique, and after each round of it.
        usage: What the judge was asked for so far, and what it cost.
        truncated: Conversations that were cut.
    """

    rounds: tuple[JudgedRound, ...]
    usage: Usage
    truncated: int


def judge_pairs(
    judge: PairwiseJudge | PointwiseJudge, preferences: Sequence[Preference], *, seed: int = 0
) -> JudgedPairs:
    """Have `judge` decide every pair of `preferences` that has a label; a missing verdict is counted, never raised.

    Raises:
        DataError: There is no such pair.
        JudgeError: The judge's model does not answer.
    """
    pairs = [pair for pair in ordered_pairs(preferences) if not pair.tie]
    if not pairs:
        raise DataError("no labelled pair to judge", got=f"{len(preferences)} preferences")
    groups = [pair.preference.group for pair in pairs]
    if isinstance(judge, PairwiseJudge):
        rounds = _compared(judge, pairs, groups, seed=seed)
    else:
        rounds = _rated(judge, pairs, groups, seed=seed)
    return JudgedPairs(rounds, judge.usage, judge.n_truncated)


def _compared(
    judge: PairwiseJudge, pairs: Sequence[OrderedPair], groups: Sequence[str], *, seed: int
) -> tuple[JudgedRound, ...]:
    found = judge.compare([pair.conversations for pair in pairs])
    by_log_odds = judge.questioner.settings.reads == "log_odds"
    first, first_debiased = (credit([each[0] for each in found]) for credit in (_credits, _debiased))
    rounds = []
    for number in range(len(found[0])):
        now = [each[number] for each in found]
        credits, debiased = _credits(now), _debiased(now)
        known = [place for place, each in enumerate(now) if each.is_judged]
        named = [groups[place] for place in known]
        judged = [now[place] for place in known]
        rounds.append(
            JudgedRound(
                accuracy=share_bootstrap(credits, groups, seed=seed),
                change=paired_difference(credits, first, groups, seed=seed) if number else None,
                ties=share_bootstrap(_flags(each.choice == 0 for each in judged), named, seed=seed),
                no_verdict=len(now) - len(known),
                inconsistency=share_bootstrap(_flags(not each.is_consistent for each in judged), named, seed=seed),
                first_place=group_bootstrap(
                    np.array([each.first_place_share for each in judged], dtype=np.float64), named, seed=seed
                ),
                one_order=share_bootstrap(_one_order(now), groups, seed=seed),
                debiased=share_bootstrap(debiased, groups, seed=seed) if by_log_odds else None,
                debiased_change=paired_difference(debiased, first_debiased, groups, seed=seed)
                if by_log_odds and number
                else None,
            )
        )
    return tuple(rounds)


def _rated(
    judge: PointwiseJudge, pairs: Sequence[OrderedPair], groups: Sequence[str], *, seed: int
) -> tuple[JudgedRound, ...]:
    opinions = judge.rate([conversation for pair in pairs for conversation in pair.conversations])
    rounds, first = [], np.empty(0)
    for number in range(judge.questioner.settings.rounds + 1):
        margins = [_margin(*(opinions[each][number] for each in pair.conversations)) for pair in pairs]
        credits = np.array([_credit(None if margin is None else int(np.sign(margin))) for margin in margins])
        known = [place for place, margin in enumerate(margins) if margin is not None]
        first = first if number else credits
        rounds.append(
            JudgedRound(
                accuracy=share_bootstrap(credits, groups, seed=seed),
                change=paired_difference(credits, first, groups, seed=seed) if number else None,
                ties=share_bootstrap(
                    _flags(margins[place] == 0 for place in known), [groups[place] for place in known], seed=seed
                ),
                no_verdict=len(pairs) - len(known),
            )
        )
    return tuple(rounds)


def _margin(chosen: Opinion, rejected: Opinion) -> float | None:
    return None if chosen.value is None or rejected.value is None else chosen.value - rejected.value


def _credit(choice: int | None) -> float:
    """1 for the chosen answer, 0 for the rejected one, ½ for a tie; 0 without a verdict."""
    return 0.0 if choice is None else (1 + choice) / 2


def _credits(comparisons: Sequence[Comparison]) -> np.ndarray:
    return np.array([_credit(each.choice) for each in comparisons])


def _one_order(comparisons: Sequence[Comparison]) -> np.ndarray:
    """Credits as if each pair had been shown in one order, which alternates from pair to pair."""
    shown = [(each.forward.value, 1) if n % 2 == 0 else (each.backward.value, -1) for n, each in enumerate(comparisons)]
    return np.array([_credit(None if value is None else int(np.sign(value)) * side) for value, side in shown])


def _debiased(comparisons: Sequence[Comparison]) -> np.ndarray:
    signs = [None if each.log_odds is None else int(np.sign(each.log_odds)) for each in comparisons]
    return np.array([_credit(sign) for sign in signs])


def _flags(values: Iterable[bool]) -> np.ndarray:
    return np.array([float(value) for value in values], dtype=np.float64)
