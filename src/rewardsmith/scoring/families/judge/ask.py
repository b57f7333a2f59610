"""One question to a judge's model: a value and its reasons, or why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import shorten
from rewardsmith.scoring.families.judge.parse import Form, NoVerdictError
from rewardsmith.scoring.families.judge.prompts import Prompts
from rewardsmith.scoring.families.judge.reply import Chat, OptionReader


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a judge made of one question.

    Attributes:
        value: Of a comparison, above 0 for the answer that was shown first, below 0 for the other, 0 for a tie: ±1, or
            log-odds in nats. Of a rating, the score. `None` where there was no verdict.
        rationale: What the judge wrote; empty where only odds were read.
        attempts: Replies that it took.
        problem: Why there is no verdict; empty where there is one.
        critique: What it said against its verdict of the round before.
    """

    value: float | None
    rationale: str = ""
    attempts: int = 1
    problem: str = ""
    critique: str = ""


Ask = Callable[[Conversation], Opinion]
"""Messages that end with a question → what the judge says."""


def ask_in_words(chat: Chat, prompts: Prompts, *, retries: int) -> Ask:
    """Ask for a written verdict. Where a reply has none, the model is shown it, and what was wrong with it, and is
    asked again, `retries` times at most; then there is no verdict."""

    def ask(messages: Conversation) -> Opinion:
        rationale, problem = "", ""
        for attempt in range(1, retries + 2):
            text = chat.complete(messages).text
            rationale = rationale or text.strip()
            try:
                return Opinion(prompts.form.parse(text), rationale, attempt)
            except NoVerdictError as error:
                problem = str(error)
                messages = (*messages, assistant(text), user(prompts.again(problem)))
        return Opinion(None, rationale, retries + 1, f"{problem}: {shorten(rationale, 80)}")

    return ask


def ask_odds(model: OptionReader, form: Form) -> Ask:
    """Read the odds of the verdict's token. There always is a verdict; nothing is written."""

    def ask(messages: Conversation) -> Opinion:
        found = model.option_log_probs(messages, prefix=form.prefix, options=form.options)
        return Opinion(form.from_log_probs(found))

    return ask


def as_answer(form: Form, value: float) -> str:
    """The answer that says `value` most nearly."""
    if form.is_choice:
        value = max(-1.0, min(1.0, value)) if value == 0 else (1.0 if value > 0 else -1.0)
    return min(form.values, key=lambda answer: abs(form.values[answer] - value))
