"""Questions to a judge: made to fit, asked several at once, answered by opinions or by a clear failure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import DataError, JudgeError, OverlengthError, SettingsError
from rewardsmith.core.scores import Provenance
from rewardsmith.scoring.families.judge.ask import Ask, Opinion, ask_in_words, ask_odds
from rewardsmith.scoring.families.judge.critique import deliberate
from rewardsmith.scoring.families.judge.parallel import in_parallel
from rewardsmith.scoring.families.judge.prompts import prompts_of, transcript
from rewardsmith.scoring.families.judge.reply import Chat, OptionReader
from rewardsmith.scoring.families.judge.settings import JudgeSettings
from rewardsmith.scoring.families.judge.usage import Usage
from rewardsmith.scoring.limits import Overlength

_TURN_TOKENS = 200
"""More than one of our own later messages takes, its template included."""


class Questioner:
    """What both kinds of judges are made of: a model, the prompts, and the way in which replies are read.

    Args:
        settings: Of the judge.
        chat: Its model.
        overlength: What happens where a question has more tokens than the model takes. `truncate` leaves out the
            beginning of the conversation; the answers stay whole.

    Raises:
        SettingsError: Log-odds are to be read of a model that does not show them.
    """

    def __init__(self, settings: JudgeSettings, chat: Chat, *, overlength: Overlength = "raise") -> None:
        self.settings = settings
        self.chat = chat
        self.overlength: Overlength = overlength
        self.prompts = prompts_of(settings)
        self.n_unscored = 0
        self._ask = self._reader()

    @property
    def provenance(self) -> Provenance:
        """Digest of the model and of how it is asked; digest of the prompts."""
        asked = {
            "chat": dict(self.chat.identity),
            "reads": self.settings.reads,
            "rounds": self.settings.rounds,
            "parse_retries": self.settings.parse_retries,
            "max_rivals": self.settings.max_rivals if self.settings.kind == "pairwise" else None,
        }
        return Provenance(digest_json(asked), self.prompts.digest)

    @property
    def usage(self) -> Usage:
        """What was asked so far, and what it cost."""
        return self.chat.usage

    def question(self, conversations: Sequence[Conversation]) -> tuple[Conversation, bool]:
        """The question about the last turns of `conversations`, which share all turns before; and whether it was cut.

        Raises:
            OverlengthError: It is too long, and truncation was not asked for or does not help.
        """
        context = transcript(conversations[0][:-1])
        answers = tuple(conversation[-1].content for conversation in conversations)
        whole = self.prompts.question(context, answers)
        room = self._room()
        if room is None or self._count(whole) <= room:
            return whole, False
        if self.overlength == "raise":
            raise OverlengthError(
                "a question to the judge is too long",
                wanted=f"at most {room} tokens, with room for replies",
                got=f"{self._count(whole)} tokens",
                fix="shorten the texts, or allow truncation of the prompt",
            )
        return self._cut(context, answers, room), True

    def ask_all(self, questions: Sequence[Conversation]) -> list[tuple[Opinion, ...]]:
        """The opinions on each question, in order, one a round."""
        return in_parallel(self._opinions, questions, at_once=self.chat.concurrency)

    def value(self, opinion: Opinion) -> float:
        """What an opinion is worth; NaN without a verdict, where that is the rule.

        Raises:
            JudgeError: There is no verdict, and the rule is to stop.
        """
        if opinion.value is not None:
            return opinion.value
        if self.settings.no_verdict == "raise":
            raise JudgeError(
                f"the judge gave no verdict in {opinion.attempts} replies",
                wanted=self.prompts.form.wanted(),
                got=opinion.problem,
                fix="name a better judge, raise parse_retries or max_reply_tokens, or set no_verdict to nan",
            )
        return math.nan

    def _opinions(self, question: Conversation) -> tuple[Opinion, ...]:
        return deliberate(self.chat, self._ask, self.prompts, question, rounds=self.settings.rounds)

    def _reader(self) -> Ask:
        if self.settings.reads == "text":
            return ask_in_words(self.chat, self.prompts, retries=self.settings.parse_retries)
        if not isinstance(self.chat, OptionReader):
            raise SettingsError("log-odds are read from local models only", wanted="reading: text", got="log_odds")
        return ask_odds(self.chat, self.prompts.form)

    def _count(self, question: Conversation) -> int:
        return self.chat.count_tokens(question) if isinstance(self.chat, OptionReader) else 0

    def _room(self) -> int | None:
        """Most tokens of a question, so that all that may be said after it finds room; of an endpoint unknown."""
        limit = self.chat.max_prompt_tokens if isinstance(self.chat, OptionReader) else None
        if limit is None:
            return None
        retries = self.settings.parse_retries if self.settings.reads == "text" else 0
        rounds = self.settings.rounds
        further = rounds * 2 + retries * (rounds + 1)
        return limit - further * (self.settings.max_reply_tokens + _TURN_TOKENS)

    def _cut(self, context: str, answers: tuple[str, ...], room: int) -> Conversation:
        """The question with as much of the end of `context` as fits."""
        low, high = 0, len(context)
        while low < high:
            middle = (low + high + 1) // 2
            kept = self.prompts.question(context[len(context) - middle :], answers)
            low, high = (middle, high) if self._count(kept) <= room else (low, middle - 1)
        question = self.prompts.question(context[len(context) - low :], answers)
        if self._count(question) > room:
            raise OverlengthError(
                "the answers alone are too long for the judge",
                wanted=f"at most {room} tokens, with room for replies",
                got=f"{self._count(question)} tokens",
                fix="name a judge that takes more, or lower max_reply_tokens",
            )
        return question


def require_answers(conversations: Sequence[Conversation]) -> None:
    """Each of `conversations` has a prompt and ends with the assistant's turn.

    Raises:
        DataError: One does not.
    """
    for number, conversation in enumerate(conversations):
        if len(conversation) < 2 or conversation[-1].role != "assistant":
            raise DataError(
                "nothing to judge",
                wanted="a prompt, and an answer as the assistant's last turn",
                got=[message.role for message in conversation],
                where=f"conversation {number}",
            )
