"""TRL's implicit prompt: `chosen` and `rejected` are whole texts or conversations with a common beginning.

Conversations are `trl-lib/ultrafeedback_binarized`'s layout; its two scores give the margin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.preference import Preference
from rewardsmith.preferences.detect import Shape
from rewardsmith.preferences.layouts import judgement
from rewardsmith.preferences.layouts.explicit import is_side
from rewardsmith.preferences.layouts.reader import by_row
from rewardsmith.preferences.layouts.rows import Origin, Refusal, assemble, meta_of, turns, values_of
from rewardsmith.preferences.outcome import RawRow, Reason

_USED = judgement.USED | {"chosen", "rejected"}
_Split = tuple[Conversation, Conversation, Conversation]


def read_row(row: RawRow, origin: Origin) -> Preference:
    """One row.

    Raises:
        Refusal: See `Reason`.
    """
    values = values_of(row)
    prompt, chosen, rejected = _split(values["chosen"], values["rejected"])
    verdict = judgement.judgement(values)
    return assemble(
        row,
        origin,
        prompt=prompt,
        responses=(chosen, rejected),
        pairs=(verdict.pair,),
        votes=verdict.votes,
        raters=verdict.raters,
        meta=meta_of(values, _USED),
    )


def split_texts(chosen: str, rejected: str) -> tuple[str, str, str]:
    """Prompt, chosen and rejected: the common beginning is cut back to a whole word, and so that no side is empty.

    `The sky is blue.` and `The sky is black.` have `The sky is bl` in common; the prompt is `The sky is`.
    """
    limit = max(0, min(common_chars(chosen, rejected), len(chosen.rstrip()) - 1, len(rejected.rstrip()) - 1))
    while limit > 0 and not chosen[limit - 1].isspace():
        limit -= 1
    return chosen[:limit].strip(), chosen[limit:].strip(), rejected[limit:].strip()


def common_chars(one: str, other: str) -> int:
    """Length of the common beginning, by bisection: comparing slices is much faster than comparing characters."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def split_conversations(chosen: Conversation, rejected: Conversation) -> _Split:
    """The turns that both begin with, and what each has beyond them."""
    shared = 0
    for one, other in zip(chosen, rejected, strict=False):
        if one != other:
            break
        shared += 1
    return chosen[:shared], chosen[shared:], rejected[shared:]


def _split(chosen: Any, rejected: Any) -> _Split:
    if isinstance(chosen, str) and isinstance(rejected, str):
        return _split_strings(chosen, rejected)
    if isinstance(chosen, str) or isinstance(rejected, str):
        raise Refusal(Reason.WRONG_TYPE, "one side is text and the other is not")
    whole = turns(chosen, "assistant", "chosen"), turns(rejected, "assistant", "rejected")
    if whole[0] == whole[1]:
        raise Refusal(Reason.IDENTICAL, "2 equal conversations")
    prompt, first, second = split_conversations(*whole)
    if not first or not second:
        raise Refusal(Reason.EMPTY_SIDE, "one conversation is the beginning of the other")
    if first[0].role != "assistant" or second[0].role != "assistant":
        raise Refusal(Reason.DIFFERENT_PROMPTS, "the conversations differ before a reply of the assistant")
    return prompt, first, second


def _split_strings(chosen: str, rejected: str) -> _Split:
    if not chosen.strip() or not rejected.strip():
        raise Refusal(Reason.EMPTY_SIDE, "a response is empty")
    if chosen == rejected:
        raise Refusal(Reason.IDENTICAL, "2 equal texts")
    prompt, first, second = split_texts(chosen, rejected)
    return (user(prompt),) if prompt else (), (assistant(first),), (assistant(second),)


def _has_sides(values: Mapping[str, Any]) -> bool:
    return is_side(values["chosen"]) and is_side(values["rejected"])


IMPLICIT = by_row(Shape(frozenset({"chosen", "rejected"}), frozenset({"prompt"}), fits=_has_sides), read_row)
"""TRL's implicit prompt."""
