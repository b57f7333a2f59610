"""Preferences of one question and two answers each."""

from __future__ import annotations

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair, Preference


def preferences(count: int) -> list[Preference]:
    return [
        Preference(
            prompt=(user(f"question {number}"),),
            responses=((assistant("right"),), (assistant("wrong"),)),
            pairs=(Pair(0, 1),),
            id=str(number),
            group=str(number),
            source="here",
        )
        for number in range(count)
    ]
