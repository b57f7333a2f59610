"""A language model that is a rule: log-odds that are known, so that what is made of them can be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.scoring.families.judge.endpoint import goodness, shown

from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.scoring.families.judge.reply import Reply
from rewardsmith.scoring.families.judge.usage import Usage


class RuledReader:
    """Prefers the better answer by one nat for each `good`, and the place A by `lean` nats.

    Args:
        lean: Towards the answer that is shown first.
        max_prompt_tokens: Words that it takes.
    """

    concurrency = 1
    usage = Usage()

    def __init__(self, *, lean: float = 0.0, max_prompt_tokens: int | None = None) -> None:
        self.lean = lean
        self.max_prompt_tokens = max_prompt_tokens
        self.asked: list[Conversation] = []

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"lean": self.lean}

    def complete(self, messages: Conversation) -> Reply:
        return Reply(f"I have read {len(messages)} messages.")

    def option_log_probs(self, messages: Conversation, *, prefix: str, options: Sequence[str]) -> tuple[float, ...]:
        self.asked.append(messages)
        first, second = shown(to_dicts(messages))
        assert prefix == "Verdict:"
        assert list(options) == ["A", "B"]
        return (goodness(first) - goodness(second) + self.lean - 2.0, -2.0)

    def count_tokens(self, messages: Conversation) -> int:
        return sum(len(message.content.split()) for message in messages)
