"""Attention by segments as matrix products with a backward pass of their own, for bfloat16 on a CPU.

PyTorch's fused CPU attention works in blocks that are too small for bfloat16 products: for a sequence of 133 tokens its
backward pass reaches a tenth of the rate of whole products (`docs/decisions/0007-speed-log.md`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True, slots=True)
class Segments:
    """A table of segments as lists.

    Attributes:
        spans: First and one past the last token of each segment.
        paths: For each segment the numbers of its ancestors from the first token on, then its own.
    """

    spans: list[tuple[int, int]]
    paths: list[list[int]]

    def sizes(self) -> list[int]:
        """Tokens of each segment."""
        return [end - start for start, end in self.spans]

    def seen(self, number: int) -> list[tuple[int, int]]:
        """Spans of the tokens that segment `number` sees, its own last."""
        return [self.spans[each] for each in self.paths[number]]

    def products(self) -> int:
        """Pairs of a token and one in a segment that it sees: what the attention of one head computes."""
        sizes = self.sizes()
        return sum(size * sum(sizes[each] for each in path) for size, path in zip(sizes, self.paths, strict=True))


def attend(
    query: Float[Tensor, "head token width"],
    key: Float[Tensor, "kv_head token width"],
    value: Float[Tensor, "kv_head token width"],
    segments: Segments,
    *,
    scale: float,
    causal: bool,
) -> Float[Tensor, "head token width"]:
    """softmax(q kᵀ · scale + mask) v, differentiable once. The probabilities are kept for the backward pass."""
    return _Attention.apply(query * scale, key, value, segments, causal)


def attend_stacked(
    query: Float[Tensor, "segment head token width"],
    key: Float[Tensor, "segment kv_head seen width"],
    value: Float[Tensor, "segment kv_head seen width"],
    *,
    scale: float,
    causal: bool,
) -> Float[Tensor, "segment head token width"]:
    """softmax(q kᵀ · scale + mask) v of equally long segments, without gradient; their own tokens are the last seen."""
    tokens, width = query.shape[2:]
    rows = (query * scale).reshape(-1, query.shape[1] // key.shape[1] * tokens, width)
    scores = torch.bmm(rows, key.flatten(0, 1).mT)
    if causal:
        own = scores.unflatten(1, (-1, tokens))[..., -tokens:]
        own += triangle(tokens, scores.dtype)
    return torch.bmm(scores.softmax(-1), value.flatten(0, 1)).reshape(query.shape)


def triangle(tokens: int, dtype: torch.dtype) -> Float[Tensor, "token token"]:
    """0 where a token (row) looks at another or at itself (column), −∞ where that one comes later."""
    return _triangle(1 << (tokens - 1).bit_length(), dtype)[:tokens, :tokens]


@lru_cache(maxsize=8)
def _triangle(size: int, dtype: torch.dtype) -> Float[Tensor, "size size"]:
    with torch.inference_mode(False):
        return torch.full((size, size), float("-inf"), dtype=dtype).triu(1)


class _Attention(torch.autograd.Function):
    """Query heads that share a key head are rows of one product: `[kv_head, group · token, width]`."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, segments: Segments, causal: bool) -> Tensor:
        output = torch.empty(query.shape, dtype=query.dtype, device=query.device)
        kept = []
        for number, (start, end) in enumerate(segments.spans):
            seen = segments.seen(number)
            scores = torch.bmm(_grouped(query, start, end, len(key)), _gathered(key, seen).mT)
            if causal:
                own = scores.unflatten(1, (-1, end - start))[..., start - end :]
                own += triangle(end - start, scores.dtype)
            kept.append(scores.softmax(-1))
            output[:, start:end] = _ungrouped(torch.bmm(kept[-1], _gathered(value, seen)), end - start)
        ctx.save_for_backward(query, key, value, *kept)
        ctx.segments = segments
        return output

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        (gradient,) = grad_outputs
        query, key, value, *kept = ctx.saved_tensors
        d_query, d_key, d_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        for number, (start, end) in enumerate(ctx.segments.spans):
            seen = ctx.segments.seen(number)
            d_output = _grouped(gradient, start, end, len(key))
            d_kept = torch.bmm(d_output, _gathered(value, seen).mT)
            d_scores = torch.ops.aten._softmax_backward_data(d_kept, kept[number], -1, d_kept.dtype)
            d_query[:, start:end] = _ungrouped(torch.bmm(d_scores, _gathered(key, seen)), end - start)
            _scatter_add(d_key, seen, torch.bmm(d_scores.mT, _grouped(query, start, end, len(key))))
            _scatter_add(d_value, seen, torch.bmm(kept[number].mT, d_output))
        return d_query, d_key, d_value, None, None


def _grouped(heads: Tensor, start: int, end: int, kv_heads: int) -> Float[Tensor, "kv_head group_token width"]:
    return heads[:, start:end].reshape(kv_heads, -1, heads.shape[-1])


def _ungrouped(products: Tensor, tokens: int) -> Float[Tensor, "head token width"]:
    return products.reshape(-1, tokens, products.shape[-1])


def _gathered(tokens: Tensor, spans: Sequence[tuple[int, int]]) -> Float[Tensor, "kv_head seen width"]:
    parts = [tokens[:, start:end] for start, end in spans]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _scatter_add(tokens: Tensor, spans: Sequence[tuple[int, int]], added: Tensor) -> None:
    """Add each part of `added` to its place in `tokens`, which this function's caller owns."""
    for (start, end), part in zip(spans, _parts(added, spans), strict=True):
        tokens[:, start:end] += part


def _parts(joined: Tensor, spans: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    return iter(joined.split([end - start for start, end in spans], dim=1))
