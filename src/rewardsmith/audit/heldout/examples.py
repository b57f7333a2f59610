"""Pairs and answers for a person to read: the figures say how often, only the texts say why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from rewardsmith.audit.observations import Observations, Rewards
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.preference import Preference


@dataclass(frozen=True, slots=True)
class PairExample:
    """A pair with what the model said about it."""

    id: str
    source: str
    prompt: Conversation
    chosen: Conversation
    rejected: Conversation
    chosen_reward: float
    rejected_reward: float
    margin: float


@dataclass(frozen=True, slots=True)
class AnswerExample:
    """An answer and its reward; `centred` is the reward minus the mean reward of the answers to the same prompt."""

    id: str
    source: str
    prompt: Conversation
    answer: Conversation
    reward: float
    centred: float


@dataclass(frozen=True, slots=True)
class Examples:
    """What to read first.

    Attributes:
        wrong: Most confidently wrong: most negative margin first.
        unsure: Smallest margin in size first.
        highest: Answers furthest above the others to their prompt.
        lowest: Answers furthest below the others to their prompt.
    """

    wrong: tuple[PairExample, ...]
    unsure: tuple[PairExample, ...]
    highest: tuple[AnswerExample, ...]
    lowest: tuple[AnswerExample, ...]


def pick_examples(preferences: Sequence[Preference], rows: Observations, rewards: Rewards, *, count: int) -> Examples:
    """`count` of each kind; only pairs that the raters decided and rewards that are numbers."""
    judged = rows.where(rows.judged)
    by_margin = np.argsort(judged.margin, kind="stable")
    wrong = by_margin[judged.margin[by_margin] < 0][:count]
    unsure = np.argsort(np.abs(judged.margin), kind="stable")[:count]
    answers = sorted(_centred_answers(preferences, rewards), key=lambda answer: answer.centred)
    return Examples(
        wrong=_pairs(preferences, judged, wrong),
        unsure=_pairs(preferences, judged, unsure),
        highest=tuple(answer for answer in reversed(answers[-count:]) if answer.centred > 0),
        lowest=tuple(answer for answer in answers[:count] if answer.centred < 0),
    )


def _pairs(
    preferences: Sequence[Preference], rows: Observations, picked: Int64[np.ndarray, " picked"]
) -> tuple[PairExample, ...]:
    return tuple(_pair(preferences[int(rows.preference[row])], rows, int(row)) for row in picked)


def _pair(preference: Preference, rows: Observations, row: int) -> PairExample:
    return PairExample(
        id=preference.id,
        source=preference.source,
        prompt=preference.prompt,
        chosen=preference.responses[int(rows.chosen[row])],
        rejected=preference.responses[int(rows.rejected[row])],
        chosen_reward=float(rows.chosen_reward[row]),
        rejected_reward=float(rows.rejected_reward[row]),
        margin=float(rows.margin[row]),
    )


def _centred_answers(preferences: Sequence[Preference], rewards: Rewards) -> list[AnswerExample]:
    """Every distinct answer once. Only rewards of one prompt compare, so each prompt's mean is taken off."""
    answers: dict[Conversation, dict[Conversation, Preference]] = defaultdict(dict)
    for preference in preferences:
        for number in {index for pair in preference.pairs for index in (pair.chosen, pair.rejected)}:
            conversation = preference.conversation(number)
            if np.isfinite(rewards[conversation]):
                answers[preference.prompt].setdefault(conversation, preference)
    found = []
    for prompt, scored in answers.items():
        mean = float(np.mean([rewards[conversation] for conversation in scored]))
        for conversation, preference in scored.items():
            found.append(
                AnswerExample(
                    id=preference.id,
                    source=preference.source,
                    prompt=prompt,
                    answer=conversation[len(prompt) :],
                    reward=rewards[conversation],
                    centred=rewards[conversation] - mean,
                )
            )
    return found
