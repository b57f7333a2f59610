"""Packed rewards equal those of one sequence at a time; a model that cannot do it is found out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    BloomConfig,
    BloomForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    MistralConfig,
    MistralForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from rewardsmith.batching.packing import filler, pack
from rewardsmith.batching.prefixes import separate, shared
from rewardsmith.models import segment_attention
from rewardsmith.models.packing import enable_packing
from rewardsmith.models.reward_model import RewardModel

WORDS = 40
SIZES = {"vocab_size": WORDS, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "num_labels": 1}
RAW = {"pad_token_id": 0, "max_position_embeddings": 96}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def model_of(config: type, network: type, *, pooling: Any = None, **options: Any) -> RewardModel:
    torch.manual_seed(0)
    return RewardModel(network(config(**SIZES | RAW | options)), pooling_name=pooling).eval()


def llama(pooling: Any = None) -> RewardModel:
    return model_of(
        LlamaConfig, LlamaForSequenceClassification, pooling=pooling, intermediate_size=40, num_key_value_heads=1
    )


def bert(pooling: Any = None) -> RewardModel:
    return model_of(BertConfig, BertForSequenceClassification, pooling=pooling, intermediate_size=40, **NO_DROPOUT)


def sequences(seed: int = 0) -> list[np.ndarray]:
    """Six answers to two prompts; two of them agree in their first words too."""
    rng = np.random.default_rng(seed)
    first, second, common = (rng.integers(1, WORDS, n) for n in (23, 31, 19))
    tails = [rng.integers(1, WORDS, n) for n in (5, 11, 1, 7, 3)]
    agreeing = [np.concatenate([first, common, tail]) for tail in tails[:2]]
    return [
        *agreeing,
        np.concatenate([first, tails[2]]),
        *(np.concatenate([second, tail]) for tail in tails[3:]),
        first,
    ]


def alone(model: RewardModel, rows: list[np.ndarray]) -> torch.Tensor:
    ids = [torch.from_numpy(row)[None] for row in rows]
    return torch.cat([model(one, torch.ones_like(one)) for one in ids])


def together(model: RewardModel, rows: list[np.ndarray], *, n_filler: int = 0) -> torch.Tensor:
    fillers = [filler(n_filler)] if n_filler else []
    packed = pack([shared(rows) if model.is_decoder else separate(rows), *fillers])
    ids, positions = torch.from_numpy(packed.input_ids)[None], torch.from_numpy(packed.position_ids)[None]
    return model(ids, torch.from_numpy(packed.segments), positions, torch.from_numpy(packed.ends))


@pytest.mark.parametrize("make", [llama, lambda: llama("mean"), bert, lambda: bert("mean")])
def test_rewards_and_gradients_are_those_of_one_sequence_at_a_time(make):
    model, rows = make(), sequences()
    assert enable_packing(model, rows) is None
    weights = torch.linspace(-1, 2, len(rows))

    wanted, found = alone(model, rows), together(model, rows)
    gradients = [torch.autograd.grad((each @ weights), model.output_layer.weight) for each in (wanted, found)]
    inner = [p for n, p in model.named_parameters() if "0" in n and "weight" in n and p.ndim == 2][:4]
    deep = [torch.autograd.grad(each(model, rows) @ weights, inner) for each in (alone, together)]

    torch.testing.assert_close(found, wanted, atol=2e-6, rtol=1e-5)
    assert len(inner) == 4
    for one, other in zip((*gradients[0], *deep[0]), (*gradients[1], *deep[1]), strict=True):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=1e-4)


@pytest.mark.parametrize("make", [llama, lambda: llama("mean"), bert, lambda: bert("mean")])
def test_no_sequence_sees_the_filler(make):
    model, rows = make(), sequences()
    assert enable_packing(model, rows) is None
    with torch.no_grad():
        torch.testing.assert_close(together(model, rows, n_filler=13), together(model, rows), atol=2e-6, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=9), min_size=1, max_size=8))
def test_any_forest_of_sequences(lists):
    """Three words only, and everything worth sharing: deep trees, equal sequences, sequences inside others."""
    model, rows = llama(), [np.array(ids) for ids in lists]
    assert enable_packing(model, rows) is None
    packed = pack([shared(rows, worth_sharing=1)])
    ids, positions = torch.from_numpy(packed.input_ids)[None], torch.from_numpy(packed.position_ids)[None]

    with torch.no_grad():
        found = model(ids, torch.from_numpy(packed.segments), positions, torch.from_numpy(packed.ends))
        torch.testing.assert_close(found, alone(model, rows), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("make", [llama, bert])
def test_one_dense_mask_gives_the_same(make, monkeypatch):
    """What other devices than a CPU compute, computed here."""
    model, rows = make(), sequences()
    assert enable_packing(model, rows) is None
    with torch.no_grad():
        by_segment = together(model, rows)
        monkeypatch.setattr(segment_attention, "_by_segment", densely)
        torch.testing.assert_close(together(model, rows), by_segment, atol=2e-6, rtol=1e-5)


def densely(query, key, value, segments, *, causal, options):
    mask = segment_attention.dense_mask(segments, causal=causal)
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, **options)


def test_the_last_block_computes_only_what_the_pooler_reads():
    model, rows = bert(), sequences()
    assert enable_packing(model, rows) is None
    sizes = []
    for block in model.network.bert.encoder.layer:
        block.intermediate.register_forward_hook(lambda _module, inputs, _output: sizes.append(inputs[0].shape[1]))
    together(model, rows)
    tokens = sum(map(len, rows))
    assert sizes == [tokens] * (len(sizes) - 1) + [len(rows)]


def test_packed_gradients_with_checkpointing_are_those_without():
    model, rows = bert(), sequences()
    assert enable_packing(model, rows) is None
    weights = model.network.bert.encoder.layer[0].output.dense.weight
    wanted = torch.autograd.grad(together(model, rows).sum(), weights)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    torch.testing.assert_close(torch.autograd.grad(together(model, rows).sum(), weights), wanted)


def test_a_token_of_one_sequence_does_not_reach_another():
    model, rows = llama(), sequences()
    assert enable_packing(model, rows) is None
    changed = [rows[0], *rows[1:3], rows[3].copy(), *rows[4:]]
    changed[3][-1] = changed[3][-1] % (WORDS - 1) + 1
    with torch.no_grad():
        moved = (together(model, rows) - together(model, changed)).abs() > 1e-4
    assert moved.tolist() == [False, False, False, True, False, False]


@pytest.mark.parametrize(
    ("config", "network", "options"),
    [
        (RobertaConfig, RobertaForSequenceClassification, {"pad_token_id": 1, **NO_DROPOUT}),
        (AlbertConfig, AlbertForSequenceClassification, {"embedding_size": 16, "intermediate_size": 40, **NO_DROPOUT}),
        (MistralConfig, MistralForSequenceClassification, {"num_key_value_heads": 1, "sliding_window": 96}),
        (GPT2Config, GPT2ForSequenceClassification, {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}),
    ],
)
def test_other_architectures_that_can(config, network, options):
    model, rows = model_of(config, network, **options), [ids + 1 for ids in sequences() if max(ids) < WORDS - 1]
    rows = rows or [np.arange(2, 30)]

    assert enable_packing(model, rows) is None
    assert model.config._attn_implementation == segment_attention.NAME


@pytest.mark.parametrize(
    ("config", "network", "options"),
    [
        # A window of 8 tokens, which the longest sequence is far beyond; biases by distance in one long row.
        (MistralConfig, MistralForSequenceClassification, {"num_key_value_heads": 1, "sliding_window": 8}),
        (BloomConfig, BloomForSequenceClassification, {}),
    ],
)
def test_architectures_that_cannot_stay_as_they_were(config, network, options):
    model, rows = model_of(config, network, **options), sequences()
    before = alone(model, rows)

    reason = enable_packing(model, rows)

    assert reason is not None
    assert model.config._attn_implementation != segment_attention.NAME
    torch.testing.assert_close(alone(model, rows), before)


def test_padded_batches_still_work_and_nothing_of_it_is_saved(tmp_path):
    model, rows = llama(), sequences()
    before = alone(model, rows)
    assert enable_packing(model, rows) is None

    torch.testing.assert_close(alone(model, rows), before)
    network: Any = model.network
    network.save_pretrained(tmp_path)
    assert "segments" not in (tmp_path / "config.json").read_text()
