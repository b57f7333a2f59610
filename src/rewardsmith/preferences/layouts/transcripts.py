"""HH-RLHF: `chosen` and `rejected` are whole transcripts, turns marked `\\n\\nHuman:` and `\\n\\nAssistant:`.

The prompt is everything up to the **last** `\\n\\nAssistant:`. A split at the first one (TRL issue 1858) would
make the rest of the conversation part of the response.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rewardsmith.core.conversation import Conversation, Message
from rewardsmith.core.preference import Preference
from rewardsmith.preferences.detect import Shape
from rewardsmith.preferences.layouts import judgement
from rewardsmith.preferences.layouts.reader import by_row
from rewardsmith.preferences.layouts.rows import (
    Origin,
    Refusal,
    assemble,
    check_roles,
    meta_of,
    text,
    values_of,
)
from rewardsmith.preferences.outcome import RawRow, Reason

_HUMAN = "\n\nHuman:"
_ASSISTANT = "\n\nAssistant:"
_MARK = re.compile(r"\n\n(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}
_USED = judgement.USED | {"chosen", "rejected"}


def read_row(row: RawRow, origin: Origin) -> Preference:
    """One row.

    Raises:
        Refusal: See `Reason`.
    """
    values = values_of(row)
    chosen_prompt, chosen = split_transcript(text(values["chosen"], "chosen"))
    rejected_prompt, rejected = split_transcript(text(values["rejected"], "rejected"))
    # The order of these checks decides how a row with several faults is counted: the prompts first, because
    # nothing can be said about the responses where they differ.
    if chosen_prompt != rejected_prompt:
        raise Refusal(Reason.DIFFERENT_PROMPTS, "the transcripts differ before the last reply")
    prompt = parse_turns(chosen_prompt)
    check_roles(prompt)
    verdict = judgement.judgement(values)
    return assemble(
        row,
        origin,
        prompt=prompt,
        responses=((Message("assistant", chosen),), (Message("assistant", rejected),)),
        pairs=(verdict.pair,),
        votes=verdict.votes,
        raters=verdict.raters,
        meta=meta_of(values, _USED),
    )


def split_transcript(transcript: str) -> tuple[str, str]:
    """Everything before the last `Assistant:`, and the reply after it, both stripped at their ends.

    Raises:
        Refusal: No turn is the assistant's, or the last one is not.
    """
    prompt, mark, reply = transcript.rpartition(_ASSISTANT)
    if not mark:
        raise Refusal(Reason.WRONG_ROLES, "no assistant turn")
    if _HUMAN in reply:
        raise Refusal(Reason.WRONG_ROLES, "the last turn is not the assistant's")
    return prompt.rstrip(), reply.strip()


def parse_turns(transcript: str) -> Conversation:
    """The turns of a transcript, their texts stripped.

    Raises:
        Refusal: Text stands before the first turn.
    """
    before, *marked = _MARK.split("\n\n" + transcript.lstrip())
    if before.strip():
        raise Refusal(Reason.WRONG_ROLES, "text before the first turn")
    return tuple(
        Message(_ROLES[name], content.strip()) for name, content in zip(marked[::2], marked[1::2], strict=True)
    )


def is_open_transcript(prompt: str) -> bool:
    """A transcript that stops where the assistant's reply begins."""
    return prompt.lstrip().startswith("Human:") and prompt.rstrip().endswith(_ASSISTANT)


def _is_transcript(values: Mapping[str, Any]) -> bool:
    return all(
        isinstance(side := values[column], str) and _ASSISTANT in side and side.lstrip().startswith("Human:")
        for column in ("chosen", "rejected")
    )


TRANSCRIPTS = by_row(Shape(frozenset({"chosen", "rejected"}), frozenset({"prompt"}), fits=_is_transcript), read_row)
"""Anthropic/hh-rlhf."""
