"""How much there is to read."""

from __future__ import annotations

from rewardsmith.annotate.tasks import Task
from rewardsmith.core.conversation import Conversation


def words_in(turns: Conversation) -> int:
    """Words of all turns; of a script without spaces, one for every two characters."""
    return sum(max(len(content.split()), _dense(content)) for _, content in turns)


def shown_words(task: Task) -> int:
    """Words that a rater has before them: the prompt and every response."""
    return words_in(task.prompt) + sum(words_in(response) for response in task.responses)


def response_characters(task: Task, response: int) -> int:
    """Characters of one response, what length preference is measured by."""
    return sum(len(content) for _, content in task.responses[response])


def _dense(text: str) -> int:
    """Chinese, Japanese and Thai texts have no spaces; two characters are about a word."""
    if text.isascii():
        return 0
    return sum("\u0e00" <= sign <= "\u0e7f" or "\u3040" <= sign <= "\u9fff" for sign in text) // 2
