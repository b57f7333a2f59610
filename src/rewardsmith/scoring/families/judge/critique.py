"""The critique loop: a judge criticises its own verdict and revises it.

After Self-Refine (Madaan et al. 2023, arXiv:2303.17651). Whether that helps is a question to measure: a model may talk
itself out of a right verdict as well as into one. So the verdict of every round is kept.
"""

from __future__ import annotations

import dataclasses

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.scoring.families.judge.ask import Ask, Opinion, as_answer
from rewardsmith.scoring.families.judge.prompts import Prompts
from rewardsmith.scoring.families.judge.reply import Chat


def deliberate(chat: Chat, ask: Ask, prompts: Prompts, question: Conversation, *, rounds: int) -> tuple[Opinion, ...]:
    """The opinion at first and after each of `rounds` rounds of critique, `rounds + 1` in all.

    In a round the model sees the question and all that it said, writes a critique, and gives a verdict again. Where a
    round ends without a verdict, so do those after it: there is nothing to criticise.
    """
    opinions = [ask(question)]
    messages = question
    for _ in range(rounds):
        last = opinions[-1]
        if last.value is None:
            opinions.append(last)
            continue
        messages = (*messages, *_said(prompts, last), user(prompts.criticise))
        critique = chat.complete(messages).text.strip()
        messages = (*messages, assistant(critique), user(prompts.revise))
        opinions.append(dataclasses.replace(ask(messages), critique=critique))
    return tuple(opinions)


def _said(prompts: Prompts, opinion: Opinion) -> Conversation:
    """The judge's own turn: what it wrote where that holds the verdict, else the verdict by itself."""
    assert opinion.value is not None
    if opinion.rationale and opinion.attempts == 1:
        return (assistant(opinion.rationale),)
    return prompts.said(as_answer(prompts.form, opinion.value))
