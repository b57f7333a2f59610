"""Votes in words, for whoever decides between them. Answers are called by their places on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rewardsmith.annotate.answers import (
    Answer,
    AttributesAnswer,
    FirstErrorAnswer,
    PairAnswer,
    RankingAnswer,
    Side,
)
from rewardsmith.annotate.votes import Vote


@dataclass(frozen=True, slots=True)
class ToldVote:
    """One vote as the page tells it: who (a letter, not a name), what, why."""

    who: str
    said: str
    rationale: str


def told_votes(votes: Sequence[Vote], *, shown: Sequence[int]) -> tuple[ToldVote, ...]:
    """The votes that answer, in the order in which they were cast; each rater keeps a number.

    Args:
        shown: `shown[i]` is the response that stands at place i now.
    """
    places = {response: place for place, response in enumerate(shown, 1)}
    numbers: dict[str, int] = {}
    told = []
    for vote in votes:
        if vote.answer is None:
            continue
        number = numbers.setdefault(vote.rater, len(numbers) + 1)
        who = (
            f"{'Judge' if vote.origin == 'judge' else 'Rater'} {number}{' (adjudicator)' if vote.adjudication else ''}"
        )
        told.append(ToldVote(who, in_words(vote.answer, places=places), vote.rationale))
    return tuple(told)


def in_words(answer: Answer, *, places: Mapping[int, int]) -> str:
    """What an answer says.

    Args:
        places: Response → place on the page, from 1.
    """
    match answer:
        case PairAnswer(choice, axes):
            if choice is not None and not axes:
                return _side(choice, places)
            overall: dict[str, Side] = {} if choice is None else {"overall": choice}
            named: dict[str, Side] = {**overall, **axes}
            return ", ".join(f"{name}: {_side(side, places)}" for name, side in named.items())
        case RankingAnswer(ranks):
            groups: dict[int, list[int]] = {}
            for response, rank in enumerate(ranks):
                groups.setdefault(rank, []).append(places[response])
            return " > ".join(" = ".join(map(str, sorted(groups[rank]))) for rank in sorted(groups))
        case AttributesAnswer(values):
            return ", ".join(f"{name} {value}" for name, value in values.items())
        case FirstErrorAnswer(step):
            return "no step is wrong" if step is None else f"step {step + 1} is the first wrong one"


def _side(side: Side, places: Mapping[int, int]) -> str:
    match side:
        case "tie":
            return "about equal"
        case "first":
            return f"answer {places[0]}"
        case "second":
            return f"answer {places[1]}"
