"""Attention over packed sequences: each token sees its own segment and the segments that this one continues.

Registered in transformers under `NAME`. The attention mask of a packed batch is its table of segments, an integer
tensor `[1, 1, segment, 3]` (start, end, parent): transformers hands a mask with four axes to the attention function as
it is, through whatever lies between. With any other mask the function is transformers' own `sdpa`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention
from torch.utils.weak import WeakTensorKeyDictionary
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from rewardsmith.models.segment_products import Segments, attend, attend_stacked, triangle

NAME = "rewardsmith_segments"

_MOST_PRODUCTS = 1 << 25
"""Most probabilities that are held at once: 64 MiB in bfloat16."""


_MOST_PADDED = 1.5
"""Times the shortest of some segments that the longest may be where they go into one call."""

_MOST_KEYS = 1 << 15
"""Most keys of such a call: 24 MiB for a key of 192 numbers in float32."""


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
    if query.device.type != "cpu":
        mask = _dense_mask(attention_mask, causal=causal)
        output = scaled_dot_product_attention(query, key, value, attn_mask=mask, **options)
    elif _pays_as_products(query, value, segments := _decoded(attention_mask), dropout=dropout):
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        # Rotary positions leave float32 under autocast, which casts for the fused attention only.
        rounded = query[0].to(value.dtype), key[0].to(value.dtype)
        output = attend(*rounded, value[0], segments, scale=scale, causal=causal)[None]
    else:
        output = _by_segment(query, key, value, segments, causal=causal, options=options)
    return output.transpose(1, 2).contiguous(), None


def _by_segment(
    query: Tensor, key: Tensor, value: Tensor, segments: Segments, *, causal: bool, options: dict[str, Any]
) -> Float[Tensor, "1 head token width"]:
    """One call a segment, whose keys are its ancestors' and its own: no work on masked places but half a square.

    Without gradients, segments that continue the same one go into one call. The tensors are split, not sliced: the
    gradient of a slice is a tensor of zeros as large as all tokens.
    """
    sizes = segments.sizes()
    queries, keys, values = (each.split(sizes, dim=2) for each in (query, key, value))
    outputs: dict[int, Tensor] = {}
    for numbers in _calls(segments, together=causal and not torch.is_grad_enabled()):
        path = segments.paths[numbers[0]][:-1]
        found = _attend(queries, keys, values, numbers, path=path, causal=causal, options=options)
        outputs |= {number: each[None, :, : sizes[number]] for number, each in zip(numbers, found, strict=True)}
    return torch.cat([outputs[number] for number in range(len(sizes))], dim=2)


def _calls(segments: Segments, *, together: bool) -> list[list[int]]:
    """Numbers of the segments of each call: those that continue the same one and are about as long, `together`.

    A call for each leaves most of its time to starting up, and gathers what they share again and again.
    """
    sizes = segments.sizes()
    families: dict[tuple[int, ...], list[int]] = {}
    for number, path in enumerate(segments.paths):
        families.setdefault(tuple(path[:-1]) if together and len(path) > 1 else (-1 - number,), []).append(number)
    calls: list[list[int]] = []
    for path, numbers in families.items():
        before = sum(sizes[each] for each in path if each >= 0)
        call: list[int] = []
        for number in sorted(numbers, key=sizes.__getitem__):
            is_longer = bool(call) and sizes[number] > _MOST_PADDED * sizes[call[0]]
            if call and (is_longer or (len(call) + 1) * (before + sizes[number]) > _MOST_KEYS):
                calls.append(call)
                call = []
            call.append(number)
        calls.append(call)
    return calls


def _attend(
    queries: Sequence[Tensor],
    keys: Sequence[Tensor],
    values: Sequence[Tensor],
    numbers: Sequence[int],
    *,
    path: Sequence[int],
    causal: bool,
    options: dict[str, Any],
) -> Float[Tensor, "segment head longest width"]:
    """The output of each of some segments that continue `path`. What pads one comes after all that it looks at."""
    longest = max(queries[number].shape[2] for number in numbers)
    own = _stacked(queries, numbers, longest)
    seen, read = (_continued(parts, numbers, longest, path=path) for parts in (keys, values))
    looks_back = causal and longest > 1
    if _is_quick_as_products(own, read, dropout=options["dropout_p"]):
        scale = own.shape[-1] ** -0.5 if options["scale"] is None else options["scale"]
        return attend_stacked(own.to(read.dtype), seen.to(read.dtype), read, scale=scale, causal=looks_back)
    if not path:
        return scaled_dot_product_attention(own, seen, read, is_causal=looks_back, **options)
    mask = pad(triangle(longest, own.dtype), (seen.shape[2] - longest, 0)) if looks_back else None
    return scaled_dot_product_attention(own, seen, read, attn_mask=mask, **options)


def _stacked(
    parts: Sequence[Tensor], numbers: Sequence[int], longest: int
) -> Float[Tensor, "segment head token width"]:
    if len(numbers) == 1:
        return parts[numbers[0]]
    return torch.cat([pad(parts[number], (0, 0, 0, longest - parts[number].shape[2])) for number in numbers])


def _continued(
    parts: Sequence[Tensor], numbers: Sequence[int], longest: int, *, path: Sequence[int]
) -> Float[Tensor, "segment head seen width"]:
    """The tokens of `path`, then those of each segment."""
    own = _stacked(parts, numbers, longest)
    if not path:
        return own
    before = [parts[number].expand(len(numbers), -1, -1, -1) for number in path]
    return torch.cat([*before, own], dim=2)


def _is_quick_as_products(query: Tensor, value: Tensor, *, dropout: float) -> bool:
    """Whether whole matrix products beat the fused attention where no gradient is wanted: in bfloat16."""
    wanted = value.dtype == torch.bfloat16 and not torch.is_grad_enabled() and not dropout
    return wanted and query[..., 0].numel() * value.shape[2] <= _MOST_PRODUCTS


def _pays_as_products(query: Tensor, value: Tensor, segments: Segments, *, dropout: float) -> bool:
    """Whether whole matrix products beat the fused attention: with gradients in bfloat16, while the memory lasts."""
    wanted = value.dtype == torch.bfloat16 and torch.is_grad_enabled() and value.requires_grad and not dropout
    return wanted and query.shape[1] * segments.products() <= _MOST_PRODUCTS


_decoded_tables = WeakTensorKeyDictionary()
_dense_masks = WeakTensorKeyDictionary()


def _decoded(table: Int64[Tensor, "1 1 segment 3"]) -> Segments:
    """The table as lists, made once for all blocks of the network."""
    known = _decoded_tables.get(table)
    if known is None:
        spans: list[tuple[int, int]] = []
        paths: list[list[int]] = []
        for number, (start, end, parent) in enumerate(table[0, 0].tolist()):
            spans.append((start, end))
            paths.append([number] if parent < 0 else [*paths[parent], number])
        known = _decoded_tables[table] = Segments(spans, paths)
    return known


def _dense_mask(table: Int64[Tensor, "1 1 segment 3"], *, causal: bool) -> Bool[Tensor, "token token"]:
    """The mask for one attention call over everything, made once for all blocks of the network."""
    known = _dense_masks.get(table)
    if known is None:
        known = _dense_masks[table] = dense_mask(_decoded(table), causal=causal).to(table.device)
    return known


def dense_mask(segments: Segments, *, causal: bool) -> Bool[Tensor, "token token"]:
    """True where a token (row) sees another (column), for devices that like one call better than many.

    Its memory grows with the square of the tokens.
    """
    sizes = segments.sizes()
    owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    sees = torch.zeros(len(sizes), len(sizes), dtype=torch.bool)
    for number, path in enumerate(segments.paths):
        sees[number, path] = True
    mask = sees[owner][:, owner]
    return mask.tril() if causal else mask


AttentionInterface.register(NAME, segment_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
