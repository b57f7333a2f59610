"""What rewards are compared with, and the probability of being better: σ((r − r₀) / T).

T is the temperature that an evaluation fitted on held-out pairs of these weights. Where there is none T is 1, and the
reply says that the probability is not calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError, ModelError
from rewardsmith.serve.protocols.activation import sigmoid
from rewardsmith.serve.protocols.wire import OwnMessages, OwnRequest, Reply, conversation_of
from rewardsmith.serve.work import Ask

_MOST = 3.0e38  # rewards are float32


class RewardBaseline(OwnRequest):
    """A reward that is known."""

    reward: Annotated[float, Field(ge=-_MOST, le=_MOST)]
    """Of the same model, and for the same prompt."""


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return "conversation"
    return "reward" if isinstance(value, dict | RewardBaseline) else "index"


Baseline = Annotated[
    Annotated[int, Field(ge=0), Tag("index")]
    | Annotated[RewardBaseline, Tag("reward")]
    | Annotated[OwnMessages, Tag("conversation")],
    Discriminator(_kind),
]
"""Place of an answer, a reward, or a conversation. A bare number is a place: 2 and 2.0 are one number to many clients,
and a reward that is taken for a place would be wrong in silence."""


class Compared(Reply):
    """What the probabilities are against."""

    reward: float
    """Of the baseline."""

    temperature: float
    """T."""

    calibrated: bool
    """Whether T was fitted on held-out pairs; else it is 1."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A baseline, ready to compare with."""

    reward: float
    temperature: float
    is_calibrated: bool

    def probability(self, reward: float) -> float:
        """That `reward` is better than the baseline's."""
        return sigmoid((reward - self.reward) / self.temperature)

    def as_json(self) -> dict[str, Any]:
        """As `Compared`."""
        return {"reward": self.reward, "temperature": self.temperature, "calibrated": self.is_calibrated}


def baseline_conversation(baseline: int | RewardBaseline | list[Any] | None, ask: Ask) -> Conversation | None:
    """The conversation that is to be scored beside `ask`'s, where the baseline is one.

    Raises:
        DataError: The baseline is no text of `ask`, or its prompt is another one: rewards compare within one prompt.
        ModelError: It has no answer.
    """
    if isinstance(baseline, int):
        if baseline >= len(ask):
            raise DataError("no such text", wanted=f"0 to {len(ask) - 1}", got=baseline, where="baseline")
        _require_one_prompt(ask, ask.conversations[baseline] if ask.conversations else None)
        return None
    if not isinstance(baseline, list):
        return None
    conversation = conversation_of(baseline, where="baseline")
    if not ask.conversations:
        raise ModelError("a conversation compares with conversations", wanted="an index or a reward", where="baseline")
    _require_one_prompt(ask, conversation)
    return conversation


def compared(baseline: int | RewardBaseline | list[Any], rewards: list[float], temperature: float | None) -> Comparison:
    """The baseline's reward: the one that is named, or the last one, of the conversation that was scored beside."""
    if isinstance(baseline, RewardBaseline):
        reward = baseline.reward
    else:
        reward = rewards[baseline] if isinstance(baseline, int) else rewards[-1]
    return Comparison(reward, 1.0 if temperature is None else temperature, temperature is not None)


def _require_one_prompt(ask: Ask, baseline: Conversation | None) -> None:
    if baseline is None:
        return
    for index, conversation in enumerate(ask.conversations):
        if conversation[:-1] != baseline[:-1]:
            raise DataError(
                "the baseline answers another prompt, and rewards compare within one prompt only",
                wanted="conversations that differ in their last turn",
                got=f"conversation {index}",
                where="baseline",
                fix="send the conversations of each prompt in a request of their own",
            )
