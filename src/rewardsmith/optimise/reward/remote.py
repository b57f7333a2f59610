"""The reward function over HTTP: a server scores, this process shapes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.optimise.reward.function import RewardFunction
from rewardsmith.optimise.reward.request import read_request
from rewardsmith.optimise.reward.settings import RewardSettings
from rewardsmith.optimise.reward.verifiable import Checker
from rewardsmith.scoring.async_client import AsyncRemoteScorer
from rewardsmith.scoring.client import RemoteScorer


def remote_reward(
    url: str,
    settings: RewardSettings | None = None,
    *,
    checker: Checker | None = None,
    timeout_s: float = 60.0,
    deadline_s: float = 300.0,
    max_attempts: int = 6,
    name: str = "rewardsmith",
) -> RewardFunction:
    """The reward of the model that `rewardsmith serve` has at `url`. Every call ends within `deadline_s` a request.

    Args:
        timeout_s: Longest try; see `RemoteScorer`, as for the others.

    Raises:
        SettingsError: The URL is none, or a number is out of its range.
    """
    scorer = RemoteScorer(url, timeout_s=timeout_s, deadline_s=deadline_s, max_attempts=max_attempts)
    return RewardFunction(scorer, settings, checker=checker, name=name)


class AsyncRewardFunction:
    """`remote_reward` as a coroutine: TRL awaits several of them at once.

    Args:
        url: See `remote_reward`, as for the others.
        settings: What is made of its rewards.
        checker: Whose 0 or 1 is added.
        timeout_s: Longest try.
        deadline_s: Longest that a request may take.
        max_attempts: Most tries.
        name: What TRL's logs call it.

    Raises:
        SettingsError: The URL is none, or a number is out of its range.
    """

    def __init__(
        self,
        url: str,
        settings: RewardSettings | None = None,
        *,
        checker: Checker | None = None,
        timeout_s: float = 60.0,
        deadline_s: float = 300.0,
        max_attempts: int = 6,
        name: str = "rewardsmith",
    ) -> None:
        self.__name__ = name
        self.settings = settings or RewardSettings()
        self.checker = checker
        self._url = url
        self._limits = {"timeout_s": timeout_s, "deadline_s": deadline_s, "max_attempts": max_attempts}
        self._scorer: tuple[asyncio.AbstractEventLoop, AsyncRemoteScorer] | None = None
        self._figures: dict[str, float] = {}
        RemoteScorer(url, timeout_s=timeout_s, deadline_s=deadline_s, max_attempts=max_attempts).close()

    @property
    def figures(self) -> Mapping[str, float]:
        """Of the last call; see `RewardRequest.answer`."""
        return self._figures

    async def __call__(
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
            RewardsmithError: A row cannot be scored.
        """
        request = read_request(prompts, completions, columns, self.settings, checker=self.checker)
        found: list[float | None] = [None] * request.n
        self._figures = {}
        if request.rows:
            scores = await self._of_this_loop().score(request.to_score())
            found, self._figures = request.answer(scores, self.settings)
        if log_metric is not None:
            for name, value in self._figures.items():
                log_metric(name, value)
        return found

    async def aclose(self) -> None:
        """Close the connections."""
        if self._scorer is not None:
            await self._scorer[1].aclose()
            self._scorer = None

    def _of_this_loop(self) -> AsyncRemoteScorer:
        """The client, which belongs to one event loop and is made in it."""
        loop = asyncio.get_running_loop()
        if self._scorer is None or self._scorer[0] is not loop:
            self._scorer = loop, AsyncRemoteScorer(self._url, **self._limits)
        return self._scorer[1]
