"""What the wire formats share: texts, messages and token ids as they come, and the usage that replies tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic.config import JsonDict

from rewardsmith.core.conversation import Conversation, Message, assistant, user
from rewardsmith.core.errors import ModelError

_MAX_ID = 2**31 - 1


class ForeignRequest(BaseModel):
    """A request in somebody else's format: what we have no use for is ignored, since their clients send it."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, strict=True, use_attribute_docstrings=True, protected_namespaces=()
    )


class OwnRequest(BaseModel):
    """A request in our own format: a key that is not known is refused, since it is a mistake."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, protected_namespaces=()
    )


def one_of(*names: str) -> JsonDict:
    """`json_schema_extra` of a request that needs exactly one of these fields."""
    return {"oneOf": [{"required": [name]} for name in names]}


class Reply(BaseModel):
    """A reply, for the documentation; replies are written from plain values."""

    model_config = ConfigDict(use_attribute_docstrings=True, protected_namespaces=())


class Usage(Reply):
    """Tokens that were read."""

    prompt_tokens: int
    """Of all texts, after any cut."""

    total_tokens: int
    """The same: nothing is written."""

    completion_tokens: int = 0
    """Always 0."""


Text = Annotated[str, Field(min_length=1)]
"""A text as it is; the empty one has no tokens."""

# One wrong item says it: a million errors help nobody.
Texts = Annotated[list[Text], Field(min_length=1, fail_fast=True)]
TokenId = Annotated[int, Field(ge=0, le=_MAX_ID)]
TokenIds = Annotated[list[TokenId], Field(min_length=1, fail_fast=True)]
ManyTokenIds = Annotated[list[TokenIds], Field(min_length=1, fail_fast=True)]


def _kind_of_input(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, list):
        return "batch of ids"
    return "ids" if isinstance(first, int) else "texts"


TextOrIds = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[Texts, Tag("texts")]
    | Annotated[TokenIds, Tag("ids")]
    | Annotated[ManyTokenIds, Tag("batch of ids")],
    Discriminator(_kind_of_input),
]
"""One text or several, as they are or as token ids."""


class TextPart(ForeignRequest):
    """A piece of a message's content."""

    type: Literal["text"]
    """Only texts are read."""

    text: str


Content = Annotated[
    Annotated[str, Tag("text")] | Annotated[list[TextPart], Field(fail_fast=True), Tag("parts")],
    Discriminator(lambda value: "parts" if isinstance(value, list) else "text"),
]


class ForeignMessage(ForeignRequest):
    """A turn as chat clients send it."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    """`developer` is read as `system`."""

    content: Content
    """A text, or pieces of text that are joined."""


class OwnMessage(OwnRequest):
    """A turn."""

    role: Literal["system", "user", "assistant", "tool"]
    """Who speaks."""

    content: str
    """What is said."""


ForeignMessages = Annotated[list[ForeignMessage], Field(min_length=1, fail_fast=True)]
OwnMessages = Annotated[list[OwnMessage], Field(min_length=1, fail_fast=True)]


def texts_and_ids(value: str | list[Any]) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """A `TextOrIds` as texts and as token ids; one of them is empty."""
    if isinstance(value, str):
        return (value,), ()
    if isinstance(value[0], str):
        return tuple(value), ()
    return (), tuple(map(tuple, value)) if isinstance(value[0], list) else (tuple(value),)


def joined(content: str | Sequence[TextPart]) -> str:
    """A message's content as one text."""
    return content if isinstance(content, str) else "".join(part.text for part in content)


def conversation_of(messages: Sequence[ForeignMessage] | Sequence[OwnMessage], *, where: str) -> Conversation:
    """The conversation that `messages` are.

    Args:
        where: Key of the request, for the error.

    Raises:
        ModelError: It does not end with the assistant's turn, so that there is no answer to score.
    """
    if messages[-1].role != "assistant":
        raise ModelError(
            "a conversation to score ends with the answer",
            wanted="a last turn of role assistant",
            got=f"role {messages[-1].role}",
            where=where,
            fix="add the answer that is to be scored as the last turn",
        )
    return conversation_so_far(messages)


def conversation_so_far(messages: Sequence[ForeignMessage] | Sequence[OwnMessage]) -> Conversation:
    """The turns that `messages` are, whoever has the last one."""
    roles = ("system" if each.role == "developer" else each.role for each in messages)
    return tuple(Message(role, joined(each.content)) for role, each in zip(roles, messages, strict=True))


def pair(query: str, document: str) -> Conversation:
    """A query and what is to be scored for it: the user's turn and the answer."""
    return (user(query), assistant(document))
