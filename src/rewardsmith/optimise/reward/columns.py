"""Columns of the prompts' rows beside a reward, for trainers that hand on nothing but prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.core.conversation import Conversation, from_dicts, user
from rewardsmith.core.errors import DataError
from rewardsmith.optimise.reward.function import RewardFunction


class RewardWithColumns:
    """A `RewardFunction` that finds the columns that it needs by the prompt.

    Args:
        reward: What is called.
        columns: Of each prompt.
    """

    def __init__(self, reward: RewardFunction, columns: Mapping[Conversation, Mapping[str, Any]]) -> None:
        self.__name__ = reward.__name__
        self._reward = reward
        self._columns = dict(columns)

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], completion_ids: Any = None, **given: Any
    ) -> list[float | None]:
        """See `RewardFunction`.

        Raises:
            DataError: A prompt is not known.
        """
        rows = [self._row(prompt) for prompt in prompts]
        names = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
        return self._reward(prompts, completions, completion_ids, **(given | names))

    def _row(self, prompt: Any) -> Mapping[str, Any]:
        turns = (user(prompt),) if isinstance(prompt, str) else from_dicts(prompt)
        if turns not in self._columns:
            raise DataError("a prompt without its columns", got=turns[-1].content if turns else "none", where="reward")
        return self._columns[turns]


def needed_columns(reward: RewardFunction) -> list[str]:
    """Columns that the settings of `reward` name."""
    settings = reward.settings
    named = (settings.reference, settings.task, settings.answer if reward.checker is not None else None)
    return [name for name in named if name is not None]
