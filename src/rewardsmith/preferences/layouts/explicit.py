"""`prompt`, `chosen`, `rejected`, each a string or a list of messages: TRL's explicit prompt, RewardBench, pairs.

Also UltraFeedback as the alignment handbook wrote it, where `chosen` and `rejected` repeat the prompt, and
prompts in HH-RLHF's transcript form (`Dahoas/rm-static`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.preference import Preference
from rewardsmith.preferences.detect import Shape
from rewardsmith.preferences.layouts import judgement
from rewardsmith.preferences.layouts.reader import by_row
from rewardsmith.preferences.layouts.rows import Origin, Refusal, assemble, meta_of, prompt_turns, turns, values_of
from rewardsmith.preferences.layouts.transcripts import is_open_transcript, parse_turns
from rewardsmith.preferences.outcome import RawRow, Reason

_USED = judgement.USED | {"prompt", "chosen", "rejected"}


def read_row(row: RawRow, origin: Origin) -> Preference:
    """One row.

    Raises:
        Refusal: See `Reason`.
    """
    values = values_of(row)
    prompt = _prompt(values["prompt"])
    verdict = judgement.judgement(values)
    return assemble(
        row,
        origin,
        prompt=prompt,
        responses=(_completion(values, prompt, "chosen"), _completion(values, prompt, "rejected")),
        pairs=(verdict.pair,),
        votes=verdict.votes,
        raters=verdict.raters,
        meta=meta_of(values, _USED),
    )


def _prompt(value: Any) -> Conversation:
    if isinstance(value, str) and is_open_transcript(value):
        return parse_turns(value.rstrip().removesuffix("Assistant:").rstrip())
    return prompt_turns(value)


def _completion(values: Mapping[str, Any], prompt: Conversation, column: str) -> Conversation:
    """The side's own turns; a prompt that it repeats is cut off."""
    side = turns(values[column], "assistant", column)
    if not side or side[0].role in ("assistant", "tool"):
        return side
    if side[: len(prompt)] != prompt:
        raise Refusal(Reason.DIFFERENT_PROMPTS, f"{column} does not begin with the prompt")
    return side[len(prompt) :]


def is_side(value: Any) -> bool:
    """A response as text or as messages."""
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, dict) for item in value))


def _has_sides(values: Mapping[str, Any]) -> bool:
    return is_side(values["chosen"]) and is_side(values["rejected"])


def _is_judged(values: Mapping[str, Any]) -> bool:
    return _has_sides(values) and (isinstance(values.get("label"), str) or values.get("votes") is not None)


_COLUMNS = frozenset({"prompt", "chosen", "rejected"})

EXPLICIT = by_row(Shape(_COLUMNS, fits=_has_sides, family="explicit"), read_row)
"""TRL's explicit prompt, and RewardBench."""

PAIR = by_row(Shape(_COLUMNS, fits=_is_judged, family="explicit"), read_row)
"""The same with `label` (`chosen`, `tie`) or `votes`."""
