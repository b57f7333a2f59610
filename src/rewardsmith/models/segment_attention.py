"""Attention over packed sequences: each token sees its own segment and the segments that this one continues.

Registered in transformers under `NAME`. The attention mask of a packed batch is its table of segments, an integer
tensor `[1, 1, segment, 3]` (start, end, parent): transformers hands a mask with four axes to the attention function as
it is, through whatever lies between. With any other mask the function is transformers' own `sdpa`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.weak import WeakTensorKeyDictionary
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "rewardsmith_segments"

_KEPT_MASKS = 512


def segment_table(segments: Int64[Tensor, "segment 3"]) -> Int64[Tensor, "1 1 segment 3"]:
    """The attention mask of a packed batch."""
    return segments[None, None]


def segment_attention(
    module: nn.Module,
    query: Float[Tensor, "1 head token width"],
    key: Float[Tensor, "1 kv_head token width"],
    value: Float[Tensor, "1 kv_head token width"],
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """softmax(q kᵀ · scaling + mask) v, in the shapes that transformers asks of an attention function.

    Returns:
        `[1, token, head, width]`, and nothing in the place of the weights.
    """
    if attention_mask is None or attention_mask.dtype != torch.int64:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, is_causal=is_causal, **kwargs
        )
    causal = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
    options: dict[str, Any] = {
        "dropout_p": dropout,
        "scale": scaling,
        "enable_gqa": key.shape[1] != query.shape[1],
    }
    if query.device.type == "cpu":
        output = _by_segment(query, key, value, attention_mask, causal=causal, options=options)
    else:
        mask = _dense_mask(attention_mask, query.shape[2], causal=causal)
        output = scaled_dot_product_attention(query, key, value, attn_mask=mask, **options).transpose(1, 2)
    return output.contiguous(), None


@dataclass(frozen=True, slots=True)
class _Segments:
    """A decoded table: the size of each segment, and the numbers of its ancestors from the first token on."""

    sizes: list[int]
    ancestors: list[list[int]]


def _by_segment(
    query: Tensor, key: Tensor, value: Tensor, table: Tensor, *, causal: bool, options: dict[str, Any]
) -> Float[Tensor, "1 token head width"]:
    """One call a segment, whose keys are its ancestors' and its own: no work on masked places but half a square.

    The tensors are split, not sliced: the gradient of a slice is a tensor of zeros as large as all tokens.
    """
    segments = _decoded(table)
    queries, keys, values = (each.split(segments.sizes, dim=2) for each in (query, key, value))
    outputs = []
    for number, (own, path) in enumerate(zip(queries, segments.ancestors, strict=True)):
        if not path:
            seen = (own, keys[number], values[number])
            outputs.append(scaled_dot_product_attention(*seen, is_causal=causal and own.shape[2] > 1, **options))
            continue
        path_keys = torch.cat([keys[each] for each in (*path, number)], dim=2)
        path_values = torch.cat([values[each] for each in (*path, number)], dim=2)
        mask = _causal_end(own.shape[2], path_keys.shape[2], own.dtype) if causal and own.shape[2] > 1 else None
        outputs.append(scaled_dot_product_attention(own, path_keys, path_values, attn_mask=mask, **options))
    return torch.cat([output.transpose(1, 2) for output in outputs], dim=1)


@lru_cache(maxsize=_KEPT_MASKS)
def _causal_end(queries: int, keys: int, dtype: torch.dtype) -> Float[Tensor, "query key"]:
    """0 where the last `queries` of `keys` tokens look, −∞ elsewhere: query i sees keys up to keys − queries + i."""
    with torch.inference_mode(False):
        hidden = torch.ones(queries, keys, dtype=torch.bool).triu(keys - queries + 1)
        return torch.zeros(queries, keys, dtype=dtype).masked_fill(hidden, float("-inf"))


_decoded_tables = WeakTensorKeyDictionary()
_dense_masks = WeakTensorKeyDictionary()


def _decoded(table: Int64[Tensor, "1 1 segment 3"]) -> _Segments:
    """The table as lists, made once for all blocks of the network."""
    known = _decoded_tables.get(table)
    if known is None:
        sizes: list[int] = []
        ancestors: list[list[int]] = []
        for start, end, parent in table[0, 0].tolist():
            sizes.append(end - start)
            ancestors.append([] if parent < 0 else [*ancestors[parent], parent])
        known = _decoded_tables[table] = _Segments(sizes, ancestors)
    return known


def _dense_mask(table: Int64[Tensor, "1 1 segment 3"], tokens: int, *, causal: bool) -> Bool[Tensor, "1 1 token token"]:
    """True where a token (row) sees another (column); one attention call over everything, for devices that like that.

    Its memory grows with the square of the tokens; it is made once for all blocks of the network.
    """
    known = _dense_masks.get(table)
    if known is None:
        segments = _decoded(table)
        owner = torch.repeat_interleave(torch.arange(len(segments.sizes)), torch.tensor(segments.sizes))
        sees = torch.eye(len(segments.sizes), dtype=torch.bool)
        for number, path in enumerate(segments.ancestors):
            sees[number, path] = True
        mask = sees[owner][:, owner]
        if causal:
            place = torch.arange(tokens)
            mask &= place[:, None] >= place[None, :]
        known = _dense_masks[table] = mask[None, None].to(table.device)
    return known


AttentionInterface.register(NAME, segment_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
