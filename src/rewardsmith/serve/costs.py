"""How many tokens a request has, as far as can be told without a tokenizer."""

from __future__ import annotations

import math
from itertools import pairwise

from rewardsmith.core.conversation import Conversation
from rewardsmith.serve.work import Answer, Ask

_TOKENS_PER_CHARACTER = 0.3
_TOKENS_PER_TEXT = 4
_MEMORY = 0.05
"""Weight of the newest request in the learnt ratio."""


class Costs:
    """Estimates tokens from characters, by a ratio that it learns from answers.

    Args:
        shares_prompts: Answers that follow each other and have one prompt pay for it once.
    """

    def __init__(self, *, shares_prompts: bool = False) -> None:
        self._shares_prompts = shares_prompts
        self._ratio = _TOKENS_PER_CHARACTER

    def of(self, ask: Ask) -> list[int]:
        """Tokens of each text of `ask`, at least one each."""
        if ask.ids:
            return [max(1, len(ids)) for ids in ask.ids]
        return [_TOKENS_PER_TEXT + math.ceil(self._ratio * count) for count in self._characters(ask)]

    def learn(self, ask: Ask, answer: Answer) -> None:
        """The tokens of `ask` were those of `answer`."""
        if ask.ids or answer.n_truncated or not answer.n_tokens:
            return
        count = sum(map(_length, ask.conversations)) + sum(map(len, ask.texts))
        if count:
            ratio = min(2.0, max(0.0, sum(answer.n_tokens) - _TOKENS_PER_TEXT * len(ask)) / count)
            self._ratio += _MEMORY * (ratio - self._ratio)

    def _characters(self, ask: Ask) -> list[int]:
        if ask.texts:
            return [len(text) for text in ask.texts]
        counts = [_length(each) for each in ask.conversations]
        if not self._shares_prompts:
            return counts
        shared = [before[:-1] == after[:-1] for before, after in pairwise(ask.conversations)]
        return counts[:1] + [
            len(each[-1].content) if is_shared and each else count
            for each, count, is_shared in zip(ask.conversations[1:], counts[1:], shared, strict=True)
        ]


def _length(conversation: Conversation) -> int:
    return sum(len(content) for _, content in conversation)
