"""Rewards as numbers between 0 and 1, for clients that ask for them.

A reward is a logit, and is given as one unless asked otherwise: servers of sequence classifiers do the same for
`problem_type: regression`. A softmax over the one logit is 1 whatever the text (vllm#12910): it is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from rewardsmith.core.errors import SettingsError
from rewardsmith.serve.protocols.wire import ForeignRequest


class Activated(ForeignRequest):
    """A request that may ask for an activation, under three names of different ages."""

    use_activation: bool | None = None
    """`true` gives the sigmoid of the reward in its place."""

    activation: bool | None = None
    """The older name of `use_activation`."""

    softmax: bool | None = None
    """The oldest name; only `false` is taken."""


def wants_sigmoid(request: Activated) -> bool:
    """Whether `request` asks for sigmoids in the place of rewards.

    Raises:
        SettingsError: It asks for a softmax, or for both.
    """
    if request.softmax:
        raise SettingsError(
            "a softmax over one reward is 1 whatever the text",
            wanted="softmax: false, or no softmax",
            got="true",
            where="softmax",
            fix="use_activation: true gives the sigmoid of the reward",
        )
    asked = {value for value in (request.use_activation, request.activation) if value is not None}
    if len(asked) > 1:
        raise SettingsError(
            "activation and use_activation contradict each other", wanted="one of them", where="use_activation"
        )
    return True in asked


def activated(rewards: Iterable[float], *, is_sigmoid: bool) -> list[float]:
    """`rewards` as they are, or their sigmoids."""
    return [sigmoid(reward) for reward in rewards] if is_sigmoid else list(rewards)


def sigmoid(logit: float) -> float:
    """1 / (1 + e^(−logit)), without overflow, in double precision so that unlike rewards stay unlike."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1 + odds)
