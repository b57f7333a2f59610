"""What a language model writes: sampled token by token, each with its log-probability.

Transformers' `generate` draws from one stream of random numbers for the whole batch, so that a text depends on its
company. Here every response has a seed of its own, equal prompts are read once, and the log-probabilities, which
policy training needs, come with the tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, Int64
from torch import Tensor, nn
from transformers import DynamicCache

from rewardsmith.batching.collate import pad
from rewardsmith.models import head

Ids = Int32[np.ndarray, " token"]


@dataclass(frozen=True, slots=True)
class Decoding:
    """How tokens are drawn.

    Attributes:
        max_new_tokens: Longest response, the stop token included.
        stop_ids: A response ends with the first of these.
        temperature: Logits are divided by it; 0 takes the likeliest token.
        top_p: Only the likeliest tokens that together have this share are drawn from (Holtzman et al. 2020,
            arXiv:1904.09751).
    """

    max_new_tokens: int
    stop_ids: frozenset[int]
    temperature: float = 1.0
    top_p: float = 1.0


@dataclass(frozen=True, slots=True)
class Written:
    """One response.

    Attributes:
        ids: `[token]`, the stop token included where it came.
        log_probs: `[token]`, log π of each in nats, of the whole distribution at temperature 1.
        is_finished: It ended with a stop token, and not at the limit.
    """

    ids: Ids
    log_probs: Float32[np.ndarray, " token"]
    is_finished: bool


def write(
    network: nn.Module, prompts: Sequence[Ids], *, seeds: Sequence[int], decoding: Decoding, pad_id: int
) -> list[Written]:
    """One response to each prompt, in order, as one batch.

    The noise of a response depends on its seed alone. Its text is therefore the same in any company, but where two
    tokens are so nearly level that rounding decides.

    Args:
        network: A causal language model; put into evaluation mode for the time of the call.
        prompts: What to go on from. Equal ones are read once.
        seeds: One a prompt.
    """
    if not prompts:
        return []
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            return _write(network, prompts, seeds, decoding, pad_id)
    finally:
        network.train(was_training)


def _write(
    network: nn.Module, prompts: Sequence[Ids], seeds: Sequence[int], decoding: Decoding, pad_id: int
) -> list[Written]:
    device = head.plain(network).device
    reader = _Reader(network, prompts, pad_id=pad_id)
    streams = [torch.Generator().manual_seed(seed) for seed in seeds]
    stops = torch.tensor(sorted(decoding.stop_ids), device=device)
    drawn: list[list[int]] = [[] for _ in prompts]
    log_probs: list[list[float]] = [[] for _ in prompts]
    finished = [False] * len(prompts)
    rows = torch.arange(len(prompts), device=device)
    for step in range(decoding.max_new_tokens):
        scores = torch.log_softmax(reader.logits.float(), dim=-1)
        tokens = _draw(scores, [streams[row] for row in rows.tolist()], decoding)
        found = scores.gather(1, tokens[:, None]).squeeze(1).tolist()
        ends = torch.isin(tokens, stops)
        for row, token, log_prob, end in zip(rows.tolist(), tokens.tolist(), found, ends.tolist(), strict=True):
            drawn[row].append(token)
            log_probs[row].append(log_prob)
            finished[row] = end
        going = (~ends).nonzero().squeeze(1)
        if not len(going) or step + 1 == decoding.max_new_tokens:
            break
        if len(going) < len(rows):
            reader.keep(going)
            rows, tokens = rows[going], tokens[going]
        reader.advance(tokens)
    return [
        Written(np.array(ids, dtype=np.int32), np.array(probs, dtype=np.float32), end)
        for ids, probs, end in zip(drawn, log_probs, finished, strict=True)
    ]


class _Reader:
    """The network with its cache of keys and values, and the logits that follow what was read so far."""

    def __init__(self, network: nn.Module, prompts: Sequence[Ids], *, pad_id: int) -> None:
        self._network: Any = network
        distinct = list({ids.tobytes(): ids for ids in prompts}.values())
        place = {ids.tobytes(): index for index, ids in enumerate(distinct)}
        padded = pad(distinct, pad_id=pad_id, side="left")
        device = head.plain(network).device
        self._mask: Int64[Tensor, "row token"] = torch.from_numpy(padded.attention_mask).to(device)
        self._cache = DynamicCache(config=head.plain(network).config)
        ids, positions = (torch.from_numpy(each).to(device) for each in (padded.input_ids, padded.position_ids))
        self._next = positions[:, -1] + 1
        self.logits = self._read(ids, positions)
        self.keep(torch.tensor([place[each.tobytes()] for each in prompts], device=device))

    def keep(self, rows: Int64[Tensor, " kept"]) -> None:
        """Go on with these rows; one that is named twice becomes two."""
        self._cache.batch_select_indices(rows)
        self._mask, self._next, self.logits = self._mask[rows], self._next[rows], self.logits[rows]

    def advance(self, tokens: Int64[Tensor, " row"]) -> None:
        """Read one token a row."""
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)
        self.logits = self._read(tokens[:, None], self._next[:, None])
        self._next = self._next + 1

    def _read(
        self, ids: Int64[Tensor, "row token"], positions: Int64[Tensor, "row token"]
    ) -> Float[Tensor, "row word"]:
        return self._network(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]


def _draw(
    scores: Float32[Tensor, "row word"], streams: Sequence[torch.Generator], decoding: Decoding
) -> Int64[Tensor, " row"]:
    """One token a row: argmax of score/T − log E with E exponential, which is a draw from the softmax (Gumbel-max)."""
    if decoding.temperature == 0:
        return scores.argmax(dim=-1)
    scaled = _nucleus(scores / decoding.temperature, decoding.top_p)
    noise = torch.stack([torch.empty(scores.shape[1]).exponential_(generator=stream) for stream in streams])
    return (scaled - noise.to(scores.device).log()).argmax(dim=-1)


def _nucleus(scores: Float32[Tensor, "row word"], top_p: float) -> Float32[Tensor, "row word"]:
    """−∞ for what is not among the likeliest tokens that first reach `top_p` together."""
    if top_p >= 1:
        return scores
    ordered, order = torch.softmax(scores, dim=-1).sort(dim=-1, descending=True)
    outside = (ordered.cumsum(dim=-1) - ordered) >= top_p
    return scores.masked_fill(torch.zeros_like(outside).scatter(1, order, outside), -torch.inf)
