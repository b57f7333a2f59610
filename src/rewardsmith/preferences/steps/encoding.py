"""Step traces to tokens under a limit of length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rewardsmith.core.errors import OverlengthError
from rewardsmith.preferences.steps.trace import StepTrace
from rewardsmith.text.steps import CUT, EncodedSteps, StepEncoder, shortened


def encode_traces(
    traces: Sequence[StepTrace],
    encoder: StepEncoder,
    *,
    max_tokens: int | None,
    policy: Literal["drop", "truncate", "raise"],
) -> list[EncodedSteps | None]:
    """The tokens of each trace; `None` where it does not fit.

    `truncate` cuts the prompt from the left, never a step: a trace whose steps do not fit by themselves is not used.

    Raises:
        OverlengthError: A trace is too long and the policy is `raise`.
    """
    found = encoder.encode([(trace.prompt, trace.steps) for trace in traces])
    if max_tokens is None:
        return list(found)
    if policy == "raise":
        _require_short(traces, found, max_tokens)
    bos_id = encoder.conversations.bos_id
    return [_within(each, max_tokens=max_tokens, bos_id=bos_id, cuts=policy == "truncate") for each in found]


def _within(encoded: EncodedSteps, *, max_tokens: int, bos_id: int | None, cuts: bool) -> EncodedSteps | None:
    if len(encoded.input_ids) <= max_tokens:
        return encoded
    short = shortened(encoded, max_tokens=max_tokens, bos_id=bos_id) if cuts else None
    return short if short is not None and short.start != CUT else None


def _require_short(traces: Sequence[StepTrace], found: Sequence[EncodedSteps], max_tokens: int) -> None:
    for trace, encoded in zip(traces, found, strict=True):
        if len(encoded.input_ids) > max_tokens:
            raise OverlengthError(
                "a step trace is too long",
                wanted=f"at most {max_tokens} tokens",
                got=f"{len(encoded.input_ids)} tokens",
                where=f"trace {trace.id!r}",
                fix="raise data.max_tokens, or set data.overlength to drop or truncate",
            )
