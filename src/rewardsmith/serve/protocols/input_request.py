"""The fields that requests of vLLM's kind share: what is scored, by which model, and how it is cut."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.serve.protocols.wire import (
    ForeignMessages,
    ForeignRequest,
    TextOrIds,
    conversation_of,
    one_of,
    texts_and_ids,
)
from rewardsmith.serve.work import Ask


class CuttingRequest(ForeignRequest):
    """Which model, and whether what is too long is cut."""

    model: str | None = None
    """Name of the model; the first one where absent."""

    truncate_prompt_tokens: Annotated[int, Field(ge=-1, le=2**31 - 1)] | None = None
    """Cut longer texts to so many of their last tokens; −1 cuts to what the model takes. Without it they give 413."""

    truncation_side: Literal["left", "right"] | None = None
    """Only `left`: a reward is read at the end of the answer."""


class InputRequest(CuttingRequest):
    """Texts, token ids or one conversation."""

    model_config = ConfigDict(json_schema_extra=one_of("input", "messages"))

    input: TextOrIds | SkipJsonSchema[None] = None
    """Read as they are, through no template. A text that lacks the BOS that the model's template begins with gets it:
    clients of vLLM and SGLang take it off, since those servers put one there."""

    messages: ForeignMessages | SkipJsonSchema[None] = None
    """One conversation, rendered with the model's chat template."""

    add_special_tokens: bool | None = None
    """`false`: no BOS is put before a text that lacks it."""


def ask_of(request: InputRequest) -> Ask:
    """What `request` asks for.

    Raises:
        DataError: It has neither or both of `input` and `messages`.
        SettingsError: It asks for a cut that would lose the answer.
        ModelError: The conversation has no answer.
    """
    if (request.input is None) == (request.messages is None):
        raise DataError("nothing to score, or two things", wanted="either input or messages", where="input")
    truncate, max_tokens = cut_of(request)
    if request.messages is not None:
        conversation = conversation_of(request.messages, where="messages")
        return Ask(conversations=(conversation,), truncate=truncate, max_tokens=max_tokens)
    assert request.input is not None
    texts, ids = texts_and_ids(request.input)
    adds_bos = request.add_special_tokens is not False
    return Ask(texts=texts, ids=ids, truncate=truncate, max_tokens=max_tokens, adds_bos=adds_bos)


def cut_of(request: CuttingRequest) -> tuple[bool, int | None]:
    """Whether to truncate, and to how many tokens; `None` is what the model takes.

    Raises:
        SettingsError: Nothing would be left, or the end would be cut off.
    """
    n_tokens = request.truncate_prompt_tokens
    if n_tokens == 0:
        raise SettingsError(
            "nothing is left of a text", wanted="at least 1, or −1", got=0, where="truncate_prompt_tokens"
        )
    if n_tokens is not None and request.truncation_side == "right":
        raise SettingsError(
            "cut from the right, the answer loses its end, where the reward is read",
            wanted="left",
            got="right",
            where="truncation_side",
        )
    return n_tokens is not None, None if n_tokens == -1 else n_tokens
