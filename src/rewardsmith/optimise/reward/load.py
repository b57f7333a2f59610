"""Rewards and checkers from names, and from the environment variables that other tools hand on."""

from __future__ import annotations

import functools
import importlib
import os
from pathlib import Path

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.store import load_settings
from rewardsmith.optimise.reward.function import RewardFunction
from rewardsmith.optimise.reward.settings import RewardSettings
from rewardsmith.optimise.reward.verifiable import Checker, matches, same_number
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.load import load_scorer

MODEL_VARIABLE = "REWARDSMITH_REWARD_MODEL"
SETTINGS_VARIABLE = "REWARDSMITH_REWARD_SETTINGS"
CHECKER_VARIABLE = "REWARDSMITH_REWARD_CHECKER"

_CHECKERS: dict[str, Checker] = {"number": same_number, "regex": matches}


def load_checker(name: str) -> Checker:
    """A checker: `number`, `regex`, or a function of the user's own as `package.module:function`.

    Raises:
        SettingsError: There is no such checker.
    """
    if name in _CHECKERS:
        return _CHECKERS[name]
    module, colon, function = name.partition(":")
    wanted = f"one of {', '.join(_CHECKERS)}, or package.module:function"
    if not colon:
        raise SettingsError("unknown checker", wanted=wanted, got=name, where="checker")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise SettingsError("cannot load a checker", wanted=wanted, got=error, where=name) from error
    if not callable(found):
        raise SettingsError("a checker that cannot be called", wanted=wanted, got=found, where=name)
    return found  # pyright: ignore[reportReturnType]


def load_reward(
    model: str,
    settings: RewardSettings | None = None,
    *,
    checker: str | None = None,
    overlength: Overlength = "raise",
) -> RewardFunction:
    """The reward of a model: a folder, a hub id, or the URL of a server.

    Raises:
        RewardsmithError: The model or the checker cannot be loaded.
    """
    scorer = load_scorer(model, overlength=overlength)
    return RewardFunction(scorer, settings, checker=None if checker is None else load_checker(checker))


@functools.cache
def reward_of_environment() -> RewardFunction:
    """The reward that environment variables name, loaded once a process.

    `REWARDSMITH_REWARD_MODEL` is a folder, hub id or URL; `REWARDSMITH_REWARD_SETTINGS` a YAML file with keys of
    `RewardSettings`; `REWARDSMITH_REWARD_CHECKER` a checker.

    Raises:
        SettingsError: No model is named, or the settings need all responses to a prompt at once.
        RewardsmithError: Something cannot be loaded.
    """
    model = os.environ.get(MODEL_VARIABLE)
    if not model:
        raise SettingsError("no reward model", wanted="a folder, hub id or URL", where=MODEL_VARIABLE)
    path = os.environ.get(SETTINGS_VARIABLE)
    settings = load_settings(RewardSettings, Path(path)) if path else RewardSettings()
    if settings.needs_group or settings.reference is not None or settings.task is not None:
        raise SettingsError(
            "this tool asks for one response at a time",
            wanted="settings without centre, standardise, reference and task",
            where=SETTINGS_VARIABLE,
            fix="let the tool normalise within a prompt, as GRPO does",
        )
    return load_reward(model, settings, checker=os.environ.get(CHECKER_VARIABLE))
