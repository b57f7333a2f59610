"""A scorer as the reward function that TRL calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.core.scores import Scorer
from rewardsmith.optimise.reward.request import read_request
from rewardsmith.optimise.reward.settings import RewardSettings
from rewardsmith.optimise.reward.verifiable import Checker


class RewardFunction:
    """`reward(prompts=…, completions=…, …columns) -> one number a row`, as TRL's `reward_funcs` and PPO take it.

    The scorer gets messages and renders them by its own template, so that it need not share the policy's tokenizer.
    Every row gets a finite number, or there is an error that names the row; `None` comes only where the settings say
    that the row's task is not for this reward.

    Args:
        scorer: Of a reward model, in this process or behind a URL.
        settings: What is made of its rewards.
        checker: Whose 0 or 1 is added.
        name: What TRL's logs call it.
    """

    def __init__(
        self,
        scorer: Scorer,
        settings: RewardSettings | None = None,
        *,
        checker: Checker | None = None,
        name: str = "rewardsmith",
    ) -> None:
        self.__name__ = name
        self.scorer = scorer
        self.settings = settings or RewardSettings()
        self.checker = checker
        self._figures: dict[str, float] = {}

    @property
    def figures(self) -> Mapping[str, float]:
        """Of the last call; see `RewardRequest.answer`."""
        return self._figures

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Any = None,  # noqa: ARG002
        *,
        log_metric: Any = None,
        **columns: Any,
    ) -> list[float | None]:
        """The shaped rewards, in order.

        Raises:
            RewardsmithError: A row cannot be scored; it is named.
        """
        request = read_request(prompts, completions, columns, self.settings, checker=self.checker)
        found: list[float | None] = [None] * request.n
        self._figures = {}
        if request.rows:
            found, self._figures = request.answer(self.scorer.score(request.to_score()), self.settings)
        if log_metric is not None:
            for name, value in self._figures.items():
                log_metric(name, value)
        return found


def reward_function(
    scorer: Scorer,
    settings: RewardSettings | None = None,
    *,
    checker: Checker | None = None,
    name: str = "rewardsmith",
) -> RewardFunction:
    """A callable of TRL's signature. See `RewardFunction`."""
    return RewardFunction(scorer, settings, checker=checker, name=name)
