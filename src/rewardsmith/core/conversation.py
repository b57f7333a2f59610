"""A conversation: who said what, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ROLES = ("system", "user", "assistant", "tool")


class Message(NamedTuple):
    """One turn. `role` is one of `ROLES`."""

    role: str
    content: str


Conversation = tuple[Message, ...]
"""Turns in order. A conversation to be scored ends with the assistant's turn."""


def user(content: str) -> Message:
    """A user's turn."""
    return Message("user", content)


def assistant(content: str) -> Message:
    """An assistant's turn."""
    return Message("assistant", content)


def to_dicts(conversation: Conversation) -> list[dict[str, str]]:
    """The list of `{"role", "content"}` that chat templates and TRL take."""
    return [{"role": role, "content": content} for role, content in conversation]


def from_dicts(messages: Sequence[Mapping[str, Any]]) -> Conversation:
    """The inverse of `to_dicts`; other keys of a message are ignored.

    Raises:
        KeyError: `role` or `content` is missing.
        TypeError: One of them is not a string.
        ValueError: The role is not one of `ROLES`.
    """
    turns = []
    for message in messages:
        role, content = message["role"], message["content"]
        if not isinstance(role, str) or not isinstance(content, str):
            raise TypeError(f"role and content must be strings, got {role!r} and {type(content).__name__}")
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}; known roles: {', '.join(ROLES)}")
        turns.append(Message(role, content))
    return tuple(turns)


def response_text(conversation: Conversation) -> str:
    """The text of the last assistant turn, or an empty string where there is none."""
    for role, content in reversed(conversation):
        if role == "assistant":
            return content
    return ""
