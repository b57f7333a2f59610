"""What a judge's model is asked and what comes back, whether it lies in this process or behind an endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from rewardsmith.core.conversation import Conversation
from rewardsmith.scoring.families.judge.usage import Usage


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote.

    Attributes:
        text: May be empty.
        prompt_tokens: As the model counts them; `None` where it does not say.
        completion_tokens: The same of the reply.
    """

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Chat(Protocol):
    """A model that answers messages."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Whatever decides its replies, as JSON."""
        ...

    @property
    def concurrency(self) -> int:
        """How many questions it takes at once."""
        ...

    @property
    def usage(self) -> Usage:
        """What was asked so far."""
        ...

    def complete(self, messages: Conversation) -> Reply:
        """Its reply to `messages`, which end with a user's turn.

        Raises:
            JudgeError: There is none.
        """
        ...


@runtime_checkable
class OptionReader(Protocol):
    """A model in this process, which shows how likely it finds the ways to go on."""

    def option_log_probs(self, messages: Conversation, *, prefix: str, options: Sequence[str]) -> tuple[float, ...]:
        """Natural log-probability of each option as the next token of a reply that begins with `prefix`."""
        ...

    def count_tokens(self, messages: Conversation) -> int:
        """Tokens of `messages`, the opening of the reply included."""
        ...

    @property
    def max_prompt_tokens(self) -> int | None:
        """Longest prompt that leaves room for a reply; `None` where there is no limit."""
        ...
