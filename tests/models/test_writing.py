"""Sampling against transformers' own greedy decoding, against teacher forcing, and against the distribution itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from rewardsmith.models.causal_lm import log_probabilities
from rewardsmith.models.writing import Decoding, Written, write
from rewardsmith.text.response import ResponseIds

PROMPTS = [np.array(ids, dtype=np.int32) for ids in ([5, 6, 7], [9], [5, 6, 7], [11, 12, 13, 14, 15])]
PAD = 0


@pytest.fixture(scope="module")
def network(tiny: Any) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(tiny.llama_config()).eval()


def written(network: Any, prompts: Any = PROMPTS, seeds: Any = (1, 2, 3, 4), **decoding: Any) -> list[Written]:
    settings = Decoding(**{"max_new_tokens": 9, "stop_ids": frozenset({3})} | decoding)
    return write(network, prompts, seeds=seeds, decoding=settings, pad_id=PAD)


def test_at_temperature_nought_it_is_greedy_decoding(network: Any):
    for prompt, own in zip(PROMPTS, written(network, temperature=0.0, stop_ids=frozenset()), strict=True):
        ids = torch.from_numpy(prompt.astype(np.int64))[None]
        wanted = network.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=9,
            eos_token_id=None,
            pad_token_id=PAD,
        )
        assert own.ids.tolist() == wanted[0, len(prompt) :].tolist()
        assert not own.is_finished


def test_log_probabilities_are_those_of_reading_the_text(network: Any):
    for temperature, top_p in ((1.0, 1.0), (0.7, 0.9)):
        many = written(network, temperature=temperature, top_p=top_p)
        responses = [
            ResponseIds(np.concatenate([prompt, own.ids]), len(prompt), len(prompt) + len(own.ids))
            for prompt, own in zip(PROMPTS, many, strict=True)
        ]
        wanted, counts = log_probabilities(network, responses, pad_id=PAD)
        np.testing.assert_allclose([own.log_probs.sum(dtype=np.float64) for own in many], wanted, atol=1e-4)
        assert counts.tolist() == [len(own.log_probs) for own in many]


def test_a_response_is_the_same_in_any_company(network: Any):
    together = written(network)
    for index in range(len(PROMPTS)):
        alone = written(network, [PROMPTS[index]], [index + 1])[0]
        assert alone.ids.tolist() == together[index].ids.tolist()
        np.testing.assert_allclose(alone.log_probs, together[index].log_probs, atol=1e-5)
    assert together[0].ids.tolist() != together[2].ids.tolist()
    assert written(network, seeds=(1, 2, 1, 4))[2].ids.tolist() == together[0].ids.tolist()


def test_tokens_come_as_often_as_the_model_says(network: Any):
    prompt = PROMPTS[0]
    with torch.inference_mode():
        logits = network(input_ids=torch.from_numpy(prompt.astype(np.int64))[None]).logits[0, -1].double()
    for temperature in (1.0, 0.5):
        n = 3000
        drawn = written(network, [prompt] * n, range(n), max_new_tokens=1, temperature=temperature)
        shares = np.bincount([int(own.ids[0]) for own in drawn], minlength=len(logits)) / n
        wanted = torch.softmax(logits / temperature, dim=-1).numpy()
        # Four standard errors for each of some 260 words.
        assert (np.abs(shares - wanted) <= 4 * np.sqrt(wanted * (1 - wanted) / n) + 2 / n).all()


def test_a_nucleus_holds_no_other_word(network: Any):
    prompt = PROMPTS[1]
    with torch.inference_mode():
        logits = network(input_ids=torch.from_numpy(prompt.astype(np.int64))[None]).logits[0, -1]
    ordered, order = torch.softmax(logits, dim=-1).sort(descending=True)
    inside = set(order[: int((ordered.cumsum(0) < 0.2).sum()) + 1].tolist())
    drawn = written(network, [prompt] * 400, range(400), max_new_tokens=1, top_p=0.2)
    assert {int(own.ids[0]) for own in drawn} <= inside
    assert len({int(own.ids[0]) for own in drawn}) > 1


def test_a_stop_token_ends_a_response_and_no_other(network: Any):
    free = written(network, stop_ids=frozenset(), max_new_tokens=12)
    stop = int(free[0].ids[4])
    first = free[0].ids.tolist().index(stop)
    stopped = written(network, stop_ids=frozenset({stop}), max_new_tokens=12)
    assert stopped[0].is_finished
    assert stopped[0].ids.tolist() == free[0].ids[: first + 1].tolist()
    for own, other in zip(stopped, free, strict=True):
        assert own.ids.tolist() == other.ids[: len(own.ids)].tolist()
        assert own.is_finished == (stop in other.ids)


def test_nothing_to_write_and_the_mode_stays(network: Any):
    assert written(network, [], []) == []
    network.train()
    written(network, max_new_tokens=1)
    assert network.training
    network.eval()
