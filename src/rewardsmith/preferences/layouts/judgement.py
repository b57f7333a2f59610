"""The columns beside `chosen` and `rejected` that say how sure, how much better, or by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardsmith.core.errors import shorten
from rewardsmith.core.preference import Pair
from rewardsmith.preferences.layouts.rows import Refusal, items, number
from rewardsmith.preferences.outcome import Reason
from rewardsmith.preferences.votes import VOTES, majority

USED = frozenset({"label", "votes", "margin", "prob_chosen", "raters"})
_COLUMNS = USED | {"score_chosen", "score_rejected"}
_RATER_KEYS = ("raters", "annotators", "annotator_ids")
_LABELS = ("chosen", "tie", "abstain")


@dataclass(frozen=True, slots=True)
class Judgement:
    """The pair (0 preferred to 1) and the votes behind it."""

    pair: Pair
    votes: tuple[str, ...] = ()
    raters: tuple[str, ...] = ()


_PLAIN = Judgement(Pair(0, 1))


def judgement(values: Mapping[str, Any]) -> Judgement:
    """What `label`, `votes`, `margin` and `prob_chosen` say; a plain preference where there are none.

    The label goes before the votes: votes decide only about a tie, and only where no label does. Their share
    becomes a soft label later, with `votes.soften`, where the settings ask for it.

    Raises:
        Refusal: Nobody voted, or a value is of another type than the layout's.
    """
    if _COLUMNS.isdisjoint(values):
        return _PLAIN
    votes = _votes(values.get("votes"))
    label = _label(values.get("label"))
    verdict = majority(votes)
    nobody = label == "abstain" or (values.get("votes") is not None and verdict is None and (votes or not label))
    if nobody:
        raise Refusal(Reason.ABSTENTION, f"{len(votes)} votes, none of them cast")
    tie = label == "tie" or (label is None and verdict == "tie")
    pair = Pair(0, 1, prob_chosen=0.5 if tie else _prob(values.get("prob_chosen")), margin=_margin(values), tie=tie)
    return Judgement(pair, votes, _raters(values, len(votes)))


def _label(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or value not in _LABELS:
        raise Refusal(Reason.WRONG_TYPE, f"label is {shorten(value, 40)}, wanted one of {', '.join(_LABELS)}")
    return value


def _votes(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    votes = tuple(items(value, "votes"))
    for vote in votes:
        if vote not in VOTES:
            raise Refusal(Reason.WRONG_TYPE, f"a vote is {shorten(vote, 40)}, wanted one of {', '.join(VOTES)}")
    return votes


def _prob(value: Any) -> float:
    prob = number(value, "prob_chosen")
    if prob is None:
        return 1.0
    if not 0 <= prob <= 1:
        raise Refusal(Reason.WRONG_TYPE, f"prob_chosen is {prob}, wanted 0 to 1")
    return prob


def _margin(values: Mapping[str, Any]) -> float | None:
    """`margin`, else the difference of the two scores where it agrees with the label."""
    margin = number(values.get("margin"), "margin")
    if margin is not None:
        return margin
    better = number(values.get("score_chosen"), "score_chosen")
    worse = number(values.get("score_rejected"), "score_rejected")
    return better - worse if better is not None and worse is not None and better >= worse else None


def _raters(values: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """The raters' names, where the row (or its `meta`) lists as many as there are votes."""
    meta = values.get("meta")
    places = (values, meta) if isinstance(meta, Mapping) else (values,)
    for place in places:
        for key in _RATER_KEYS:
            names = place.get(key)
            if count and isinstance(names, Sequence) and not isinstance(names, str) and len(names) == count:
                return tuple(str(name) for name in names)
    return ()
