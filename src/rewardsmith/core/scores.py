"""What a scorer returns, and the protocol that everything after training knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int32

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

    def take(self, places: slice | Sequence[int]) -> Scores:
        """The scores of the conversations at `places`, in that order."""
        numbers = range(len(self))[places] if isinstance(places, slice) else places
        at = np.array(numbers, dtype=np.intp)
        return Scores(
            rewards=self.rewards[at],
            provenance=self.provenance,
            spread=None if self.spread is None else self.spread[at],
            members=None if self.members is None else self.members[:, at],
            steps=None if self.steps is None else tuple(self.steps[number] for number in numbers),
            attributes={name: values[at] for name, values in self.attributes.items()},
            rationales=None if self.rationales is None else tuple(self.rationales[number] for number in numbers),
        )


def joined(parts: Sequence[Scores]) -> Scores:
    """The scores of several calls of one scorer as those of one; the inverse of `Scores.take`.

    Raises:
        ModelError: There is no part, or they are of different scorers.
    """
    if len({part.provenance for part in parts}) != 1:
        raise ModelError("scores that are not of one scorer", wanted="one", got=len({p.provenance for p in parts}))
    first = parts[0]
    return Scores(
        rewards=np.concatenate([part.rewards for part in parts]),
        provenance=first.provenance,
        spread=None if first.spread is None else np.concatenate([_there(part.spread) for part in parts]),
        members=None if first.members is None else np.concatenate([_there(part.members) for part in parts], axis=1),
        steps=None if first.steps is None else tuple(step for part in parts for step in _there(part.steps)),
        attributes={
            name: np.concatenate([part.attributes[name] for part in parts]).astype(np.float32)
            for name in first.attributes
        },
        rationales=None
        if first.rationales is None
        else tuple(text for part in parts for text in _there(part.rationales)),
    )


def _there(part: Any) -> Any:
    if part is None:
        raise ModelError("scores of one scorer, of which some lack what others have")
    return part


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


@runtime_checkable
class TokenScorer(Protocol):
    """A scorer that also takes texts as token ids, and shows what makes them of conversations."""

    @property
    def encoder(self) -> Any:
        """Its `encode(conversations)` and `tokenise(texts)` give ids, of which it takes at most `max_tokens`."""
        ...

    def score_ids(self, sequences: Sequence[Int32[np.ndarray, " token"]]) -> Scores:
        """What `score` gives of the conversations that `sequences` are the ids of, in order; nothing is added to them.

        Raises:
            DataError: A sequence is empty, or holds an id that the model has no embedding for.
            OverlengthError: A sequence is too long, and truncation was not asked for.
        """
        ...
