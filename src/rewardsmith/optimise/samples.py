"""What a policy wrote: several responses to each prompt, with what is known of their probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from rewardsmith.core.conversation import Conversation, assistant


@dataclass(frozen=True, slots=True)
class Sample:
    """One response.

    Attributes:
        text: The response.
        n_tokens: Tokens that were written, the end token included; 0 where that is not known.
        is_finished: It ended by itself, and was not cut at the limit.
        log_prob: log π(response | prompt) of the policy that wrote it, in nats, summed over its tokens, at
            temperature 1 whatever it was sampled at; `None` where that is not known.
        log_prob_reference: The same under the reference policy.
    """

    text: str
    n_tokens: int = 0
    is_finished: bool = True
    log_prob: float | None = None
    log_prob_reference: float | None = None


@dataclass(frozen=True, slots=True)
class SampleGroup:
    """The responses to one prompt.

    Attributes:
        prompt: Turns up to the response.
        group: Prompt group, for splits and intervals.
        samples: In the order in which they were drawn; equal ones stay.
    """

    prompt: Conversation
    group: str
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def conversations(self) -> list[Conversation]:
        """The whole conversation that ends with each response."""
        return [(*self.prompt, assistant(sample.text)) for sample in self.samples]


def log_ratios(group: SampleGroup) -> Float64[np.ndarray, " sample"] | None:
    """log π − log π_ref of each response, in nats: its mean over fresh samples of π is KL(π ‖ π_ref).

    `None` where one of the probabilities is not known.
    """
    ratios = [
        sample.log_prob - sample.log_prob_reference
        for sample in group.samples
        if sample.log_prob is not None and sample.log_prob_reference is not None
    ]
    return np.array(ratios) if len(ratios) == len(group.samples) else None
