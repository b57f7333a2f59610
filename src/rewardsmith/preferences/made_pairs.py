"""Pairs that nobody judged: a response that fits its prompt beats one that was given to another prompt, and a whole
response beats its own beginning.

Their labels follow from how they are made. They are wrong where a response fits any prompt, as a refusal does, or where
its beginning says enough. And the beginning is always the shorter side, so such pairs teach that longer is better.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from rewardsmith.core.conversation import Conversation, Message
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.keys import group_hash
from rewardsmith.preferences.layouts.rows import MADE
from rewardsmith.preferences.table import PreferenceTable

Kind = Literal["other_answer", "cut_answer"]

_FEWEST_WORDS = 12
_LEAST_KEPT, _MOST_KEPT = 0.3, 0.7
_WORD = re.compile(r"\S+")
_SENTENCE_ENDS = ".!?…:;。！？\"'”’)]}`*"


def made_pairs(
    table: PreferenceTable, *, shares: Mapping[Kind, float], salt: str
) -> Iterator[tuple[int, Preference | None]]:
    """The pairs made from the preferences of a training set, each with the number of the one that it was made from.

    `None` in the place of a pair that cannot be made: nothing was decided, there is no other prompt, or the response is
    too short to be cut. Which preferences serve is decided by a hash of their ids, so that the choice hardly moves when
    data are added.

    Args:
        shares: Of the preferences that serve, for each kind.
        salt: Mixed into the hash.
    """
    others = _serving(table, "other_answer", share=shares["other_answer"], salt=salt)
    for place, number in enumerate(others):
        partner = _partner(others, place, table.groups)
        yield number, None if partner is None else against_other(table[number], table[partner])
    for number in _serving(table, "cut_answer", share=shares["cut_answer"], salt=salt):
        whole = table[number]
        yield number, against_cut(whole, share=_kept_share(whole.id, salt))


def against_other(preference: Preference, other: Preference) -> Preference | None:
    """The best response of `preference` beats that of `other`, which answers another prompt.

    `None` where one of the two has no best response, or where the two say the same.
    """
    own, theirs = best_response(preference), best_response(other)
    if own is None or theirs is None or preference.responses[own] == other.responses[theirs]:
        return None
    return _made(preference, own, other.responses[theirs], kind="other_answer", answer_of=other.id)


def against_cut(preference: Preference, *, share: float) -> Preference | None:
    """The best response of `preference` beats about the first `share` of its words.

    The cut stands inside a sentence. `None` where there is no best response, or it has fewer than 12 words.
    """
    own = best_response(preference)
    if own is None:
        return None
    *before, last = preference.responses[own]
    beginning = cut_text(last.content, share=share)
    if beginning is None:
        return None
    return _made(preference, own, (*before, Message(last.role, beginning)), kind="cut_answer", kept=round(share, 3))


def best_response(preference: Preference) -> int | None:
    """The response that wins the most comparisons, the first of several; `None` where nothing was decided."""
    wins = np.zeros(len(preference.responses), np.int64)
    for pair in preference.pairs:
        if not pair.tie and pair.prob_chosen != 0.5:
            wins[pair.chosen if pair.prob_chosen > 0.5 else pair.rejected] += 1
    return int(wins.argmax()) if wins.any() else None


def cut_text(text: str, *, share: float) -> str | None:
    """The first words of `text`, about `share` of them, not ending where a sentence does; `None` of a short text."""
    words = list(_WORD.finditer(text))
    if len(words) < _FEWEST_WORDS:
        return None
    kept = max(1, int(share * len(words)))
    while kept > 1 and words[kept - 1].group()[-1] in _SENTENCE_ENDS:
        kept -= 1
    return text[: words[kept - 1].end()]


def _made(preference: Preference, own: int, worse: Conversation, *, kind: Kind, **meta: object) -> Preference:
    return Preference(
        prompt=preference.prompt,
        responses=(preference.responses[own], worse),
        pairs=(Pair(0, 1),),
        id=f"{preference.id}~{kind}",
        group=preference.group,
        source=preference.source,
        meta={MADE: {"kind": kind, "from": preference.id, **meta}},
    )


def _serving(table: PreferenceTable, kind: Kind, *, share: float, salt: str) -> list[int]:
    """Numbers of the preferences that serve, in the order of their hashes."""
    if share == 0:
        return []
    hashes = [_number(kind, name, salt) for name in table.ids]
    serving = [number for number, value in enumerate(hashes) if value < share * 2**64]
    return sorted(serving, key=lambda number: (hashes[number], number))


def _partner(order: Sequence[int], place: int, groups: Sequence[str]) -> int | None:
    """The next one of another prompt group, around the circle."""
    for step in range(1, len(order)):
        other = order[(place + step) % len(order)]
        if groups[other] != groups[order[place]]:
            return other
    return None


def _kept_share(name: str, salt: str) -> float:
    return _LEAST_KEPT + (_MOST_KEPT - _LEAST_KEPT) * _number("kept", name, salt) / 2**64


def _number(purpose: str, name: str, salt: str) -> int:
    return group_hash(f"{purpose}\0{name}", salt)
