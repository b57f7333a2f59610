from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from rewardsmith.core.conversation import Conversation, user
from rewardsmith.scoring.families.judge.ask import as_answer, ask_in_words
from rewardsmith.scoring.families.judge.parse import PAIRWISE, pointwise_form
from rewardsmith.scoring.families.judge.prompts import Prompts
from rewardsmith.scoring.families.judge.reply import Reply
from rewardsmith.scoring.families.judge.usage import Usage

PROMPTS = Prompts("", (1, 9), PAIRWISE, True)


class Recited:
    """A model that says given texts, one after the other."""

    concurrency = 1
    usage = Usage()

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts: Iterator[str] = iter(texts)
        self.asked: list[Conversation] = []

    @property
    def identity(self) -> Mapping[str, Any]:
        return {}

    def complete(self, messages: Conversation) -> Reply:
        self.asked.append(messages)
        return Reply(next(self._texts))


def test_a_reply_without_a_verdict_is_shown_to_the_model_with_what_was_wrong():
    chat = Recited(["B is shorter.", "Verdict: neither", "Verdict: B"])
    opinion = ask_in_words(chat, PROMPTS, retries=2)((user("q"),))
    assert (opinion.value, opinion.attempts, opinion.rationale) == (-1.0, 3, "B is shorter.")
    assert [len(messages) for messages in chat.asked] == [1, 3, 5]
    assert chat.asked[1][1].content == "B is shorter."
    assert "it has no line that begins with `Verdict:`" in chat.asked[1][2].content
    assert "its last such line says `neither`" in chat.asked[2][4].content


def test_after_the_last_try_there_is_no_verdict_and_never_a_value():
    opinion = ask_in_words(Recited(["no", "nor this"]), PROMPTS, retries=1)((user("q"),))
    assert opinion.value is None
    assert opinion.attempts == 2
    assert "no line that begins" in opinion.problem


@pytest.mark.parametrize(("value", "answer"), [(2.5, "A"), (1.0, "A"), (-0.1, "B"), (0.0, "tie")])
def test_a_value_as_an_answer(value: float, answer: str):
    assert as_answer(PAIRWISE, value) == answer
    assert as_answer(pointwise_form((1, 9)), 6.6) == "7"
