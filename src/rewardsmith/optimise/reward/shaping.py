"""Rewards into what policy training takes: pure functions of arrays; groups are the responses to one prompt."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64

from rewardsmith.core.errors import DataError
from rewardsmith.optimise.reward.settings import RewardSettings

Rewards = Float64[np.ndarray, " response"]

# Rewards are float32: a spread that small is rounding.
_ROUNDING = 4 * float(np.finfo(np.float32).eps)


def shaped(
    rewards: Rewards,
    prompts: Int64[np.ndarray, " response"],
    settings: RewardSettings,
    *,
    references: Rewards | None = None,
    verified: Rewards | None = None,
) -> Rewards:
    """What training sees: log σ against the reference, centring, standardising, clipping, and the checker's part.

    Args:
        rewards: Of the scorer.
        prompts: Number of each response's prompt.
        references: Reward of each response's reference answer; needed where `settings.reference` is set.
        verified: What the checker said of each, in [0, 1].

    Raises:
        DataError: References are needed and absent.
    """
    if settings.reference is not None:
        if references is None:
            raise DataError("no reference answers", wanted="one a response", where=settings.reference)
        rewards = log_sigmoid(rewards - references)
    if settings.standardise:
        rewards = standardised(rewards, prompts)
    elif settings.centre:
        rewards = centred(rewards, prompts)
    if settings.clip is not None:
        rewards = np.clip(rewards, -settings.clip, settings.clip)
    return rewards if verified is None else rewards + settings.verifiable_weight * verified


def centred(rewards: Rewards, prompts: Int64[np.ndarray, " response"]) -> Rewards:
    """Less the mean of the prompt."""
    return rewards - _of_prompts(rewards, prompts)


def standardised(rewards: Rewards, prompts: Int64[np.ndarray, " response"]) -> Rewards:
    """Less the mean of the prompt, over its standard deviation (of the population); 0 where all are equal."""
    rest = centred(rewards, prompts)
    deviation = np.sqrt(_of_prompts(rest**2, prompts))
    is_level: Bool[np.ndarray, " response"] = deviation <= _ROUNDING * np.maximum(1.0, np.abs(rewards))
    return np.where(is_level, 0.0, rest / np.where(is_level, 1.0, deviation))


def log_sigmoid(differences: Rewards) -> Rewards:
    """log σ(Δ), in the stable form −log(1 + e^−Δ)."""
    return -np.logaddexp(0.0, -differences)


def _of_prompts(values: Rewards, prompts: Int64[np.ndarray, " response"]) -> Rewards:
    """The mean of its prompt, for each."""
    _, codes = np.unique(prompts, return_inverse=True)
    return (np.bincount(codes, weights=values) / np.bincount(codes))[codes]
