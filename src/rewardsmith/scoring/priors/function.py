"""A prior that is the user's own function."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32

from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.core.digest import digest_text
from rewardsmith.core.errors import ModelError, SettingsError

UserFunction = Callable[[list[list[dict[str, str]]]], Any]
"""Conversations as lists of `{"role", "content"}` → one finite number each."""


def find_function(name: str) -> UserFunction:
    """The function that `package.module:function` names.

    Raises:
        SettingsError: It cannot be imported, or is not a function.
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise SettingsError(
            "cannot import the prior's module",
            got=error,
            where=name,
            fix="install its package, or put its folder on PYTHONPATH",
        ) from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise SettingsError(
            "the prior's module has no such function", wanted=f"a function {attribute}", got=function, where=name
        )
    return function


def function_digest(function: UserFunction) -> str:
    """Digest of the function's source text, of its name where there is none. What it calls is not in it."""
    try:
        return digest_text(inspect.getsource(function))
    except (OSError, TypeError):
        return digest_text(f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', function)}")


def function_prior(
    conversations: Sequence[Conversation], *, function: UserFunction, name: str
) -> Float32[np.ndarray, " conversation"]:
    """What the function returns, checked.

    Raises:
        ModelError: It raises an error, or returns something else than one finite number a conversation.
    """
    if not conversations:
        return np.zeros(0, np.float32)
    wanted = f"{len(conversations)} finite numbers, one a conversation"
    try:
        returned = function([to_dicts(each) for each in conversations])
    # It is the user's code: whatever it raises is told with its name, and stays the cause.
    except Exception as error:
        raise ModelError(
            "the prior's function failed", wanted=wanted, got=f"{type(error).__name__}: {error}", where=name
        ) from error
    try:
        values = np.asarray(list(returned), dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ModelError("the prior's function returned no numbers", wanted=wanted, got=returned, where=name) from error
    if values.shape != (len(conversations),):
        raise ModelError(
            "the prior's function returned another number of values",
            wanted=wanted,
            got=f"values of shape {values.shape}",
            where=name,
        )
    if not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ModelError(
            "the prior's function returned a value that is not finite",
            wanted=wanted,
            got=f"{values[first]} for conversation {first}",
            where=name,
        )
    return values
