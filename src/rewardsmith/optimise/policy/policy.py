"""A policy: something that writes responses to prompts, each time anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from pydantic import Field

from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import DataError
from rewardsmith.core.settings import Settings
from rewardsmith.optimise.samples import SampleGroup

Prompt = tuple[Conversation, str]
"""Turns up to the response, and the prompt group."""


class SamplingSettings(Settings):
    """How responses are drawn."""

    n: int = Field(default=16, ge=1)
    """Responses a prompt."""

    seed: int = 0
    """Of all draws. The same seed, prompt and number give the same response."""

    max_new_tokens: int = Field(default=64, ge=1)
    """Longest response, its end token included; what reaches it is cut there."""

    temperature: float = Field(default=1.0, ge=0)
    """Logits are divided by it; 0 takes the likeliest token. Only at 1, with `top_p` 1, are samples draws of the policy
    itself, as a measured KL needs them."""

    top_p: float = Field(default=1.0, gt=0, le=1)
    """Only the likeliest tokens that together have this share are drawn from."""

    token_budget: int = Field(default=8192, ge=1)
    """Most tokens in one batch of a model in this process, prompts, responses and padding together. It changes no
    number beyond rounding."""


class Policy(Protocol):
    """Writes responses."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Whatever decides its responses beside prompt, seed and number, as JSON; for manifests and for resuming."""
        ...

    def sample(self, prompts: Sequence[Prompt], *, n: int, seed: int) -> Iterator[SampleGroup]:
        """`n` responses to each prompt, in order, a group as soon as it is there.

        Raises:
            RewardsmithError: A prompt cannot be answered.
        """
        ...


def response_seed(seed: int, prompt: Conversation, number: int) -> int:
    """Seed of response `number` to `prompt`: 48 bits of a digest, whatever else is sampled beside it."""
    return int(digest_json([seed, to_dicts(prompt), number])[:12], 16)


def require_prompt(prompt: Conversation) -> None:
    """It holds something, and the assistant is to speak next.

    Raises:
        DataError: It does not.
    """
    if not prompt or prompt[-1].role == "assistant":
        raise DataError(
            "no prompt to answer", wanted="turns that the assistant answers", got=prompt[-1].role if prompt else "none"
        )
