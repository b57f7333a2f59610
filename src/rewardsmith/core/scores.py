"""What a scorer returns, and the protocol that everything after training knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import ModelError


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which weights and which rendering gave the scores (hex digests)."""

    model_digest: str
    template_digest: str


@dataclass(frozen=True, slots=True)
class Scores:
    """Raw rewards, in the order of the conversations.

    Attributes:
        rewards: `[conversation]`, float32 logits. Comparable only within one prompt and one model.
        provenance: Digests of the model and of the template.
        spread: `[conversation]`, how far the members of an ensemble lie apart; `None` of a single model.
        members: `[member, conversation]`, the rewards that were combined; `None` of a single model.
        steps: One array a conversation, the probability that each step is right; `None` but of process models.
        attributes: `[conversation]` a name, what the reward was put together from; empty where it has no parts.
        rationales: One text a conversation; `None` but of models that write.

    Raises:
        ModelError: Something beside the rewards is not of their number.
    """

    rewards: Float32[np.ndarray, " conversation"]
    provenance: Provenance
    spread: Float32[np.ndarray, " conversation"] | None = None
    members: Float32[np.ndarray, "member conversation"] | None = None
    steps: tuple[Float32[np.ndarray, " step"], ...] | None = None
    attributes: Mapping[str, Float32[np.ndarray, " conversation"]] = field(default_factory=dict)
    rationales: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        beside = {f"attributes.{name}": values for name, values in self.attributes.items()} | {
            "spread": self.spread,
            "members": None if self.members is None else self.members.T,
            "steps": self.steps,
            "rationales": self.rationales,
        }
        for name, values in beside.items():
            if values is not None and len(values) != len(self.rewards):
                raise ModelError(
                    "scores of different numbers", wanted=f"{len(self.rewards)}", got=len(values), where=name
                )

    def __len__(self) -> int:
        return len(self.rewards)


@runtime_checkable
class Scorer(Protocol):
    """Anything that turns conversations into rewards."""

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """One reward a conversation, in order."""
        ...


@runtime_checkable
class Truncating(Protocol):
    """A scorer that counts the conversations that it had to cut."""

    @property
    def n_truncated(self) -> int:
        """Conversations that were cut to fit, so far."""
        ...


@runtime_checkable
class Relative(Protocol):
    """A scorer whose rewards compare the answers of a prompt in one call, so that an answer alone has none."""

    def score_by_prompt(self, conversations: Iterable[Conversation]) -> Iterator[Scores]:
        """The scores of any number of conversations, in order and in pieces; those that follow each other and share a
        prompt are scored in one call."""
        ...
