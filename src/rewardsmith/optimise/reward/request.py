"""What a trainer asks of a reward: whole conversations out of its columns, and one number a row back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewardsmith.core.conversation import Conversation, assistant, from_dicts, response_text, user
from rewardsmith.core.errors import DataError, JudgeError
from rewardsmith.core.scores import Scores
from rewardsmith.optimise.reward.settings import RewardSettings
from rewardsmith.optimise.reward.shaping import shaped
from rewardsmith.optimise.reward.verifiable import Checker, checked
from rewardsmith.optimise.selection import selection_values
from rewardsmith.text.markup import has_markdown


@dataclass(frozen=True, slots=True)
class RewardRequest:
    """One call of a trainer.

    Attributes:
        n: Rows of the call.
        rows: Those that are for this reward.
        conversations: Of these rows, each with its response.
        references: The prompts of these rows with the reference answer; empty where none is used.
        verified: What the checker said of these rows.
    """

    n: int
    rows: tuple[int, ...]
    conversations: tuple[Conversation, ...]
    references: tuple[Conversation, ...]
    verified: tuple[float, ...] | None

    def to_score(self) -> list[Conversation]:
        """What the scorer is asked: the responses, then each reference answer once."""
        return [*self.conversations, *dict.fromkeys(self.references)]

    def answer(self, scores: Scores, settings: RewardSettings) -> tuple[list[float | None], dict[str, float]]:
        """The shaped reward of each row, `None` of those that are not for it, and the figures of the call.

        Figures: `proxy` (what the scorer said, before shaping), `format` (share of responses with Markdown), `spread`
        of an ensemble, `verified`.

        Args:
            scores: Of `to_score()`.

        Raises:
            JudgeError: A reward is NaN or infinite.
        """
        found: list[float | None] = [None] * self.n
        if not self.rows:
            return found, {}
        values = self._finite(selection_values(scores, settings.select, weight=settings.weight))
        own, others = values[: len(self.rows)], values[len(self.rows) :]
        known = dict(zip(dict.fromkeys(self.references), others.tolist(), strict=True))
        numbers: dict[Conversation, int] = {}
        prompts = [numbers.setdefault(each[:-1], len(numbers)) for each in self.conversations]
        rewards = shaped(
            own,
            np.array(prompts, dtype=np.int64),
            settings,
            references=np.array([known[each] for each in self.references]) if self.references else None,
            verified=None if self.verified is None else np.array(self.verified, dtype=np.float64),
        )
        for row, reward in zip(self.rows, rewards.tolist(), strict=True):
            found[row] = reward
        return found, self._figures(own, scores)

    def _finite(self, values: np.ndarray) -> np.ndarray:
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            place = int(bad[0])
            where = f"row {self.rows[place]}" if place < len(self.rows) else "a reference answer"
            raise JudgeError("not a reward", wanted="a finite number", got=float(values[place]), where=where)
        return values.astype(np.float64)

    def _figures(self, own: np.ndarray, scores: Scores) -> dict[str, float]:
        marked = [has_markdown(response_text(each)) for each in self.conversations]
        figures = {"proxy": float(own.mean()), "format": float(np.mean(marked))}
        if scores.spread is not None:
            figures["spread"] = float(scores.spread[: len(self.rows)].mean())
        if self.verified is not None:
            figures["verified"] = float(np.mean(self.verified))
        return figures


def read_request(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    columns: Mapping[str, Any],
    settings: RewardSettings,
    *,
    checker: Checker | None = None,
) -> RewardRequest:
    """The request in a trainer's columns. Prompts and completions are texts, or lists of messages.

    Raises:
        DataError: A row cannot be read, or a column is missing.
        JudgeError: The checker fails.
    """
    if len(prompts) != len(completions):
        raise DataError("prompts and completions differ in number", wanted=f"{len(prompts)}", got=len(completions))
    rows = tuple(_rows(len(prompts), columns, settings))
    starts = [_turns(prompts[row], user, f"prompt of row {row}") for row in rows]
    ends = [_turns(completions[row], assistant, f"completion of row {row}") for row in rows]
    for row, end in zip(rows, ends, strict=True):
        if not end or end[-1].role != "assistant":
            raise DataError("a completion that the assistant does not end", where=f"row {row}")
    conversations = tuple((*start, *end) for start, end in zip(starts, ends, strict=True))
    references: tuple[Conversation, ...] = ()
    if settings.reference is not None:
        answers = _column(columns, settings.reference, len(prompts))
        said = [_turns(answers[row], assistant, f"{settings.reference} of row {row}") for row in rows]
        references = tuple((*start, *each) for start, each in zip(starts, said, strict=True))
    verified = None
    if checker is not None:
        answers = _column(columns, settings.answer, len(prompts))
        texts = zip(rows, conversations, strict=True)
        verified = tuple(checked(checker, response_text(each), answers[row], where=f"row {row}") for row, each in texts)
    return RewardRequest(len(prompts), rows, conversations, references, verified)


def _rows(n: int, columns: Mapping[str, Any], settings: RewardSettings) -> Sequence[int]:
    if settings.task is None:
        return range(n)
    names = _column(columns, settings.task, n)
    return [row for row in range(n) if names[row] in settings.tasks]


def _column(columns: Mapping[str, Any], name: str, n: int) -> Sequence[Any]:
    values = columns.get(name)
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != n:
        raise DataError(
            "a column that the reward needs is not there",
            wanted=f"{name}, one value a row",
            got=", ".join(sorted(columns)) or "no further columns",
            where="the training data",
            fix=f"add {name} to the prompts, or change the reward's settings",
        )
    return values


def _turns(said: Any, speaker: Any, where: str) -> Conversation:
    if isinstance(said, str):
        return (speaker(said),)
    try:
        return from_dicts(said)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("no conversation", wanted="a text, or messages", got=error, where=where) from error
