"""A language model as a policy: against plain forward passes, in any company, and against itself as its reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError, ModelError, OverlengthError
from rewardsmith.models.causal_lm import CausalLm
from rewardsmith.models.writing import Decoding, write
from rewardsmith.optimise.kl import sequence_kl, sequence_kl_k3
from rewardsmith.optimise.policy.local import LocalPolicy
from rewardsmith.optimise.policy.policy import SamplingSettings, response_seed
from rewardsmith.text.load import prepared
from rewardsmith.text.response import header_ids

PROMPTS = [((user(text),), f"g{text}") for text in ("a", "bb", "a longer one", "c")]
SETTINGS = SamplingSettings(max_new_tokens=40, token_budget=400)
EOS = 2


def _model(tiny: Any, seed: int = 0) -> CausalLm:
    torch.manual_seed(seed)
    # Narrower than the other tiny models, so that the end comes now and then.
    network = LlamaForCausalLM(tiny.llama_config(initializer_range=0.1)).eval()
    return CausalLm(network, prepared(tiny.decoder_tokenizer()), f"seed {seed}")


@pytest.fixture(scope="module")
def model(tiny: Any) -> CausalLm:
    return _model(tiny)


def _ids(policy: LocalPolicy, prompt: Any, number: int) -> tuple[np.ndarray, np.ndarray]:
    start = header_ids(policy.encoder, prompt)
    decoding = Decoding(max_new_tokens=40, stop_ids=frozenset({EOS}))
    found = write(policy.model.network, [start], seeds=[response_seed(0, prompt, number)], decoding=decoding, pad_id=0)
    return start, found[0].ids


def _log_prob(network: Any, start: np.ndarray, ids: np.ndarray) -> float:
    """One text, one plain forward pass, in float64 from the logits on."""
    whole = torch.tensor(np.concatenate([start, ids]).astype(np.int64))[None]
    with torch.inference_mode():
        scores = torch.log_softmax(network(input_ids=whole).logits[0].double(), dim=-1)
    places = range(len(start), whole.shape[1])
    return sum(float(scores[place - 1, whole[0, place]]) for place in places)


def test_text_length_and_probability_are_those_of_the_tokens(tiny: Any, model: CausalLm):
    other = _model(tiny, seed=1)
    policy = LocalPolicy(model, SETTINGS, reference=other)
    n_finished = 0
    for (prompt, name), group in zip(PROMPTS, policy.sample(PROMPTS, n=5, seed=0), strict=True):
        assert (group.prompt, group.group, len(group)) == (prompt, name, 5)
        for number, sample in enumerate(group.samples):
            start, ids = _ids(policy, prompt, number)
            assert sample.n_tokens == len(ids)
            assert sample.is_finished == (ids[-1] == EOS)
            n_finished += sample.is_finished
            assert sample.text == policy.encoder.tokenizer.decode([each for each in ids.tolist() if each > 4])
            assert sample.log_prob == pytest.approx(_log_prob(model.network, start, ids), abs=1e-4)
            assert sample.log_prob_reference == pytest.approx(_log_prob(other.network, start, ids), abs=1e-4)
    assert 0 < n_finished < 20, "both ends should occur here"


def test_seed_prompt_and_number_decide_a_response_whatever_the_batch(model: CausalLm):
    policy = LocalPolicy(model, SETTINGS)
    together = list(policy.sample(PROMPTS, n=4, seed=3))
    roomy = LocalPolicy(model, SETTINGS.model_copy(update={"token_budget": 100_000}))
    for other in (
        list(roomy.sample(PROMPTS[::-1], n=4, seed=3))[::-1],
        [next(policy.sample([p], n=7, seed=3)) for p in PROMPTS],
    ):
        for one, same in zip(together, other, strict=True):
            assert [sample.text for sample in one.samples] == [sample.text for sample in same.samples[:4]]
            for own, again in zip(one.samples, same.samples, strict=False):
                assert own.log_prob == pytest.approx(again.log_prob, abs=1e-4)
    texts = [sample.text for group in together for sample in group.samples]
    assert len(set(texts)) == len(texts)
    assert {sample.text for group in policy.sample(PROMPTS, n=4, seed=4) for sample in group.samples}.isdisjoint(texts)


def test_a_policy_is_no_nats_from_itself_and_some_from_another(tiny: Any, model: CausalLm):
    for same in (model, _model(tiny)):
        groups = list(LocalPolicy(model, SETTINGS, reference=same).sample(PROMPTS, n=3, seed=0))
        for estimate in (sequence_kl(groups), sequence_kl_k3(groups)):
            assert (estimate.value, estimate.low, estimate.high, estimate.n) == (0.0, 0.0, 0.0, 12)
    far = list(LocalPolicy(model, SETTINGS, reference=_model(tiny, seed=1)).sample(PROMPTS, n=8, seed=0))
    assert sequence_kl(far).low > 0


def test_what_cannot_be_answered_is_refused(tiny: Any, model: CausalLm):
    policy = LocalPolicy(model, SETTINGS)
    with pytest.raises(DataError, match="no prompt"):
        next(policy.sample([((user("a"), assistant("b")), "g")], n=1, seed=0))
    with pytest.raises(OverlengthError, match="prompt 1"):
        next(policy.sample([PROMPTS[0], ((user("x" * 230),), "g")], n=1, seed=0))
    other = CausalLm(model.network, prepared(tiny.sentencepiece_tokenizer()), "")
    with pytest.raises(ModelError):
        LocalPolicy(model, reference=other)
    assert list(policy.sample([], n=3, seed=0)) == []


def test_its_identity_is_all_that_decides(tiny: Any, model: CausalLm):
    same = LocalPolicy(model, SETTINGS.model_copy(update={"token_budget": 7, "n": 2, "seed": 9})).identity
    assert same == LocalPolicy(model, SETTINGS).identity
    for other in (
        LocalPolicy(_model(tiny, seed=1), SETTINGS),
        LocalPolicy(model, SETTINGS, reference=model),
        LocalPolicy(model, SETTINGS.model_copy(update={"temperature": 0.5})),
    ):
        assert other.identity != same
