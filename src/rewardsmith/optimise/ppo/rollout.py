"""A batch of fresh responses: what was written, what it earned, and what policy, reference and values said of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from rewardsmith.batching import buckets
from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import JudgeError
from rewardsmith.models.writing import Decoding, write
from rewardsmith.optimise.ppo.actor_critic import ActorCritic, response_mask, token_log_probs
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.response import ResponseIds, header_ids, stop_ids

Reward = Callable[..., Sequence[float | None]]
"""TRL's signature: `reward(prompts=…, completions=…, completion_ids=…) -> one number a response`."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """Responses of one step.

    Attributes:
        responses: Ids of prompt and response.
        texts: The responses.
        scores: Reward of each, before the price of KL.
        log_probs: `[sequence, token]` of the policy that wrote them.
        reference: The same under the reference.
        values: Expected before each token.
        mask: Where the tokens of each response stand.
        finished: Share that ended by itself.
    """

    responses: tuple[ResponseIds, ...]
    texts: tuple[str, ...]
    scores: Float64[np.ndarray, " sequence"]
    log_probs: Float[Tensor, "sequence token"]
    reference: Float[Tensor, "sequence token"]
    values: Float[Tensor, "sequence token"]
    mask: Bool[Tensor, "sequence token"]
    finished: float

    @property
    def sequence_nats(self) -> Float64[np.ndarray, " sequence"]:
        """Σ_t log π − log π_ref of each response: its mean is KL(π ‖ π_ref) of whole responses, in nats."""
        ratios = torch.where(self.mask, self.log_probs - self.reference, 0.0)
        return ratios.double().sum(dim=1).numpy()


def roll_out(
    model: ActorCritic,
    reference: nn.Module,
    encoder: ConversationEncoder,
    prompts: Sequence[Conversation],
    *,
    reward: Reward,
    max_new_tokens: int,
    token_budget: int,
    seeds: Sequence[int],
) -> Rollout:
    """Write one response to each prompt, and ask for its reward.

    Raises:
        JudgeError: The reward is not one finite number a response.
    """
    starts = [header_ids(encoder, prompt) for prompt in prompts]
    stops = frozenset().union(*(stop_ids(encoder, prompt) for prompt in prompts))
    decoding = Decoding(max_new_tokens=max_new_tokens, stop_ids=stops)
    written = write(model.network, starts, seeds=seeds, decoding=decoding, pad_id=encoder.pad_id)
    responses = tuple(
        ResponseIds(np.concatenate([start, own.ids]), len(start), len(start) + len(own.ids))
        for start, own in zip(starts, written, strict=True)
    )
    texts = tuple(str(encoder.tokenizer.decode(own.ids.tolist(), skip_special_tokens=True)) for own in written)
    scores = _rewards(reward, prompts, texts, [own.ids.tolist() for own in written])
    width = max(len(own.ids) for own in written)
    log_probs, values, ref = _read(model, reference, responses, encoder.pad_id, width, token_budget)
    return Rollout(
        responses=responses,
        texts=texts,
        scores=scores,
        log_probs=log_probs,
        reference=ref,
        values=values,
        mask=response_mask(responses, width=width),
        finished=sum(own.is_finished for own in written) / len(written),
    )


def response_seeds(seed: int, step: int, count: int) -> list[int]:
    """A seed for each response of a step."""
    return [int(digest_json([seed, step, number])[:12], 16) for number in range(count)]


def _rewards(
    reward: Reward, prompts: Sequence[Conversation], texts: Sequence[str], ids: Sequence[Sequence[int]]
) -> Float64[np.ndarray, " sequence"]:
    answers: list[Any] = [[{"role": "assistant", "content": text}] for text in texts]
    found = reward(prompts=[to_dicts(prompt) for prompt in prompts], completions=answers, completion_ids=ids)
    if len(found) != len(texts):
        raise JudgeError("rewards of another number", wanted=f"{len(texts)}", got=len(found), where="the reward")
    for number, each in enumerate(found):
        if each is None or not math.isfinite(each):
            raise JudgeError(
                "not a reward", wanted="a finite number", got=each, where=f"response {number}", fix="mend the reward"
            )
    return np.array(found, dtype=np.float64)


def _read(
    model: ActorCritic,
    reference: nn.Module,
    responses: Sequence[ResponseIds],
    pad_id: int,
    width: int,
    token_budget: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities and values of the policy as it is now, and log-probabilities of the reference."""
    log_probs, values, ref = (torch.zeros(len(responses), width) for _ in range(3))
    with torch.no_grad():
        for batch in buckets.plan([each.end for each in responses], max_tokens=token_budget):
            some = [responses[index] for index in batch]
            found, valued = model(some, pad_id=pad_id, width=width)
            log_probs[batch], values[batch] = found.cpu(), valued.cpu()
            ref[batch] = token_log_probs(reference, some, pad_id=pad_id, width=width).cpu()
    return log_probs, values, ref
