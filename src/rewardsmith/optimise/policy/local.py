"""A language model in this process as a policy, with the probability of everything that it writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rewardsmith.batching import buckets
from rewardsmith.core.conversation import user
from rewardsmith.core.errors import OverlengthError
from rewardsmith.models import head
from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.causal_lm import CausalLm, log_probabilities
from rewardsmith.models.writing import Decoding, Ids, Written, write
from rewardsmith.optimise.policy.policy import Prompt, SamplingSettings, require_prompt, response_seed
from rewardsmith.optimise.samples import Sample, SampleGroup
from rewardsmith.scoring.families.implicit import require_same_tokens
from rewardsmith.scoring.windows import windows
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.response import ResponseIds, header_ids, stop_ids

_BATCHES_AHEAD = 4
"""Batches that are planned together: more waste less on padding, fewer give their first group sooner."""


class LocalPolicy:
    """Samples token by token; equal prompts of a batch are read once.

    A response depends on seed, prompt and number alone, whatever the batch, but where two tokens are so nearly level
    that rounding decides. Its text is without special tokens; its probability counts the token that ends it.

    Args:
        model: Read as it is at the time of a call: a network that is being trained is sampled as it stands.
        settings: Their `n` and `seed` are not read here.
        reference: Its log-probabilities are computed too, of the very same token ids.

    Raises:
        ModelError: The reference does not read the same tokens.
    """

    def __init__(
        self, model: CausalLm, settings: SamplingSettings | None = None, *, reference: CausalLm | None = None
    ) -> None:
        if reference is not None:
            require_same_tokens(model.tokenizer, reference.tokenizer)
        self.model = model
        self.settings = settings or SamplingSettings()
        self.reference = reference
        networks = [each.network for each in (model, reference) if each is not None]
        limits = [token_capacity(network, model.tokenizer) for network in networks]
        self.encoder = ConversationEncoder(
            model.tokenizer, max_tokens=min((each for each in limits if each is not None), default=None)
        )
        # Of one short conversation: what ends a turn must not depend on the company of a prompt.
        self._decoding = Decoding(
            max_new_tokens=self.settings.max_new_tokens,
            stop_ids=stop_ids(self.encoder, (user("a"),)),
            temperature=self.settings.temperature,
            top_p=self.settings.top_p,
        )

    @property
    def identity(self) -> Mapping[str, Any]:
        """Weights (as they were loaded), template, reference, and how tokens are drawn and computed."""
        return {
            "weights": self.model.digest,
            "template": self.encoder.template_digest,
            "reference": None if self.reference is None else self.reference.digest,
            "decoding": self.settings.model_dump(include={"max_new_tokens", "temperature", "top_p"}),
            "device": head.plain(self.model.network).device.type,
        }

    def sample(self, prompts: Sequence[Prompt], *, n: int, seed: int) -> Iterator[SampleGroup]:
        """`n` responses to each prompt, in order; a prompt that is named twice gets the same ones twice.

        Raises:
            DataError: A prompt is empty, or ends with the assistant's turn.
            OverlengthError: A prompt leaves no room for a response.
        """
        starts = [self._start(prompt, number) for number, prompt in enumerate(prompts)]
        cost = [n * (len(start) + self.settings.max_new_tokens) for start in starts]
        ahead = windows(
            range(len(prompts)),
            max_items=len(prompts) or 1,
            size=cost.__getitem__,
            max_size=_BATCHES_AHEAD * self.settings.token_budget,
        )
        for some in ahead:
            yield from self._sampled([prompts[each] for each in some], [starts[each] for each in some], n, seed)

    def _start(self, prompt: Prompt, number: int) -> Ids:
        require_prompt(prompt[0])
        start = header_ids(self.encoder, prompt[0])
        limit, needed = self.encoder.max_tokens, len(start) + self.settings.max_new_tokens
        if limit is not None and needed > limit:
            raise OverlengthError(
                "a prompt leaves no room for a response",
                wanted=f"at most {limit} tokens together",
                got=f"{len(start)} tokens and {self.settings.max_new_tokens} to write",
                where=f"prompt {number}",
                fix="leave it out, or lower max_new_tokens",
            )
        return start

    def _sampled(self, prompts: Sequence[Prompt], starts: Sequence[Ids], n: int, seed: int) -> Iterator[SampleGroup]:
        rows = [
            (place, response_seed(seed, prompt, number))
            for place, (prompt, _) in enumerate(prompts)
            for number in range(n)
        ]
        written = self._written([starts[place] for place, _ in rows], [each for _, each in rows])
        samples = self._samples([starts[place] for place, _ in rows], written)
        for place, (prompt, group) in enumerate(prompts):
            yield SampleGroup(prompt, group, tuple(samples[place * n : (place + 1) * n]))

    def _written(self, starts: Sequence[Ids], seeds: Sequence[int]) -> list[Written]:
        lengths = [len(start) + self.settings.max_new_tokens for start in starts]
        found: dict[int, Written] = {}
        for batch in buckets.plan(lengths, max_tokens=self.settings.token_budget):
            some = write(
                self.model.network,
                [starts[row] for row in batch],
                seeds=[seeds[row] for row in batch],
                decoding=self._decoding,
                pad_id=self.encoder.pad_id,
            )
            found.update(zip(batch, some, strict=True))
        return [found[row] for row in range(len(starts))]

    def _samples(self, starts: Sequence[Ids], written: Sequence[Written]) -> list[Sample]:
        sums = [float(each.log_probs.sum(dtype=np.float64)) for each in written]
        references = self._references(starts, written, sums)
        return [
            Sample(
                text=str(self.encoder.tokenizer.decode(each.ids.tolist(), skip_special_tokens=True)),
                n_tokens=len(each.ids),
                is_finished=each.is_finished,
                log_prob=log_prob,
                log_prob_reference=reference,
            )
            for each, log_prob, reference in zip(written, sums, references, strict=True)
        ]

    def _references(
        self, starts: Sequence[Ids], written: Sequence[Written], sums: Sequence[float]
    ) -> Sequence[float | None]:
        if self.reference is None:
            return [None] * len(written)
        if self._is_reference:
            # The same weights: read another way, they would differ by rounding, and KL(π ‖ π) is nought.
            return sums
        responses = [
            ResponseIds(np.concatenate([start, each.ids]), len(start), len(start) + len(each.ids))
            for start, each in zip(starts, written, strict=True)
        ]
        found, _ = log_probabilities(
            self.reference.network, responses, pad_id=self.encoder.pad_id, token_budget=self.settings.token_budget
        )
        return found.tolist()

    @property
    def _is_reference(self) -> bool:
        """Whether the two hold the same weights now: a policy that is trained keeps the digest that it began with."""
        if self.reference is None or self.reference.network is self.model.network:
            return self.reference is not None
        own, other = (each.network.state_dict() for each in (self.model, self.reference))
        return own.keys() == other.keys() and all(
            own[name].shape == other[name].shape
            and own[name].device == other[name].device
            and torch.equal(own[name], other[name])
            for name in own
        )
