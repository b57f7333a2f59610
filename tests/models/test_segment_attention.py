"""Attention by segments without gradients: siblings in one call, against one dense call."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from rewardsmith.models import segment_attention
from rewardsmith.models.segment_products import Segments

HEADS, KV_HEADS, WIDTH = 6, 2, 4


def table_of(sizes: list[int], parents: list[int]) -> torch.Tensor:
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    rows = [[start, start + size, parent] for start, size, parent in zip(starts, sizes, parents, strict=True)]
    return segment_attention.segment_table(torch.tensor(rows))


def against_dense(sizes: list[int], parents: list[int], *, causal: bool) -> None:
    tokens, table = sum(sizes), table_of(sizes, parents)
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(1, heads, tokens, WIDTH, generator=generator, dtype=torch.float64)
        for heads in (HEADS, KV_HEADS, KV_HEADS)
    )
    with torch.no_grad():
        found, _ = segment_attention.segment_attention(nn.Module(), query, key, value, table, is_causal=causal)
    mask = segment_attention.dense_mask(segments_of(sizes, parents), causal=causal)
    wanted = scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)
    torch.testing.assert_close(found, wanted.transpose(1, 2))


@pytest.mark.parametrize("causal", [True, False])
def test_bfloat16_rounds_like_one_dense_call(causal, monkeypatch: pytest.MonkeyPatch):
    sizes, parents = [5, 6, 20, 4, 29, 7, 1], [-1, 0, 0, 0, 0, -1, 5]
    tokens, table = sum(sizes), table_of(sizes, parents)
    query, key, value = (torch.randn(1, heads, tokens, WIDTH) for heads in (HEADS, KV_HEADS, KV_HEADS))
    mask = segment_attention.dense_mask(segments_of(sizes, parents), causal=causal)
    wanted = scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True).transpose(1, 2)
    # Rotary positions leave float32 under autocast.
    inputs = query, key, value.to(torch.bfloat16)
    for most in (1 << 25, 0):
        monkeypatch.setattr(segment_attention, "_MOST_PRODUCTS", most)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            found, _ = segment_attention.segment_attention(nn.Module(), *inputs, table, is_causal=causal)
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.float(), wanted, atol=3e-2, rtol=3e-2)


def segments_of(sizes: list[int], parents: list[int]) -> Segments:
    paths: list[list[int]] = []
    for number, parent in enumerate(parents):
        paths.append([number] if parent < 0 else [*paths[parent], number])
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return Segments([(start, start + size) for start, size in zip(starts, sizes, strict=True)], paths)


@given(data=st.data(), causal=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_tree_gives_what_one_dense_call_gives(data, causal):
    count = data.draw(st.integers(1, 9))
    sizes = data.draw(st.lists(st.integers(1, 11), min_size=count, max_size=count))
    parents = [data.draw(st.integers(-1, number - 1)) for number in range(count)]
    against_dense(sizes, parents, causal=causal)


def test_siblings_of_similar_length_go_together():
    # A prompt of 5; answers of 6, 20, 4 and 29 tokens; a second prompt with one answer.
    segments = segments_of([5, 6, 20, 4, 29, 7, 3], [-1, 0, 0, 0, 0, -1, 5])
    assert segment_attention._calls(segments, together=True) == [[0], [3, 1], [2, 4], [5], [6]]
    assert segment_attention._calls(segments, together=False) == [[number] for number in range(7)]


def test_a_call_has_bounded_memory(monkeypatch: pytest.MonkeyPatch):
    sizes, parents = [5, *[6] * 7], [-1, *[0] * 7]
    monkeypatch.setattr(segment_attention, "_MOST_KEYS", 3 * 11)
    assert segment_attention._calls(segments_of(sizes, parents), together=True) == [[0], [1, 2, 3], [4, 5, 6], [7]]
    against_dense(sizes, parents, causal=True)
