"""Language models, and the log-probability of a response."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import LlamaForCausalLM

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import ModelError, OverlengthError
from rewardsmith.models import causal_lm
from rewardsmith.models.causal_lm import load_causal_lm, log_probabilities, response_log_probabilities
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.response import encode_responses

TALKS: list[Conversation] = [
    (user("hi"), assistant("x" * 9)),
    (user("what is two plus two?"), assistant("four")),
    (user("a"), assistant("b"), user("c" * 30), assistant("")),
    (user("hi"), assistant("x" * 41)),
]


@pytest.fixture(scope="module")
def model(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_causal_lm(tiny.save_base(tmp_path_factory.mktemp("base"), "decoder"))


@pytest.fixture(scope="module")
def encoder(model: Any) -> ConversationEncoder:
    return ConversationEncoder(model.tokenizer)


def naive(model: Any, encoder: ConversationEncoder, conversation: Conversation) -> float:
    """One token after the other, each from a pass over all tokens before it, in float64."""
    [response] = encode_responses(encoder, [conversation])
    ids = torch.tensor(response.ids.astype(np.int64))
    total = 0.0
    for place in range(response.start, response.end):
        logits = model.network(ids[None, :place]).logits[0, -1].double().detach()
        total += float(torch.log(torch.exp(logits[ids[place]]) / torch.exp(logits).sum()))
    return total


def test_it_is_the_sum_over_the_responses_tokens(model: Any, encoder: ConversationEncoder) -> None:
    sums, counts = response_log_probabilities(model.network, encoder, TALKS)
    np.testing.assert_allclose(sums, [naive(model, encoder, each) for each in TALKS], rtol=1e-5)
    assert sums.dtype == np.float64
    assert counts.tolist() == [10, 5, 1, 42]
    assert (sums < 0).all()


def test_uniform_logits_give_minus_n_log_v(tiny: Any, encoder: ConversationEncoder) -> None:
    network = LlamaForCausalLM(tiny.llama_config()).eval()
    torch.nn.init.zeros_(network.lm_head.weight)
    sums, counts = response_log_probabilities(network, encoder, TALKS)
    np.testing.assert_allclose(sums, -counts * np.log(261), rtol=1e-6)


@pytest.mark.parametrize("budget", [1, 60, 10_000])
@pytest.mark.parametrize("side", ["left", "right"])
def test_batch_order_and_padding_change_nothing(model, encoder, budget: int, side: Any) -> None:
    responses = encode_responses(encoder, TALKS)
    wanted, _ = log_probabilities(model.network, responses, pad_id=0)
    found, _ = log_probabilities(model.network, responses[::-1], pad_id=0, token_budget=budget, side=side)
    np.testing.assert_allclose(found[::-1], wanted, rtol=1e-5)


def test_logits_in_pieces_are_the_same(model, encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, _ = response_log_probabilities(model.network, encoder, TALKS)
    monkeypatch.setattr(causal_lm, "_LOGITS_AT_ONCE", 3)
    np.testing.assert_allclose(response_log_probabilities(model.network, encoder, TALKS)[0], wanted, rtol=1e-6)


def test_nothing_to_score_gives_nothing(model, encoder) -> None:
    sums, counts = response_log_probabilities(model.network, encoder, [])
    assert len(sums) == len(counts) == 0


def test_a_conversation_over_the_limit_is_refused(model) -> None:
    with pytest.raises(OverlengthError, match="too long"):
        response_log_probabilities(model.network, ConversationEncoder(model.tokenizer, max_tokens=50), TALKS)


def test_the_mode_of_the_network_is_left_as_it_was(model, encoder) -> None:
    model.network.train()
    response_log_probabilities(model.network, encoder, TALKS[:1])
    assert model.network.training
    model.network.eval()


def test_an_adapter_is_merged_into_its_base(tiny: Any, tmp_path: Path) -> None:
    base = tiny.save_base(tmp_path / "base", "decoder")
    adapted: Any = get_peft_model(
        LlamaForCausalLM.from_pretrained(base),
        LoraConfig(task_type=TaskType.CAUSAL_LM, r=2, init_lora_weights=False, target_modules="all-linear"),
    )
    adapted.save_pretrained(tmp_path / "adapter")
    found = load_causal_lm(tmp_path / "adapter")
    ids = torch.tensor([[1, 9, 7, 30]])
    with torch.no_grad():
        torch.testing.assert_close(found.network(ids).logits, adapted.eval()(ids).logits, rtol=1e-4, atol=1e-4)
    assert found.tokenizer.chat_template == tiny.CHAT_TEMPLATE


def test_a_reward_model_is_refused(tiny_reward_model: Path) -> None:
    with pytest.raises(ModelError, match="a reward model, not a language model"):
        load_causal_lm(tiny_reward_model)


def test_missing_weights_are_refused(tiny: Any, tmp_path: Path) -> None:
    folder = tiny.save_base(tmp_path, "decoder")
    network = LlamaForCausalLM.from_pretrained(folder)
    weights = {name: value for name, value in network.state_dict().items() if "lm_head" not in name}
    network.save_pretrained(folder, state_dict=weights)
    with pytest.raises(ModelError, match="weights are missing"):
        load_causal_lm(folder)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot load a language model"):
        load_causal_lm(tmp_path)


def test_tied_weights_are_not_missing(tiny: Any, tmp_path: Path) -> None:
    LlamaForCausalLM(tiny.llama_config(tie_word_embeddings=True)).save_pretrained(tmp_path)
    tiny.decoder_tokenizer().save_pretrained(tmp_path)
    assert load_causal_lm(tmp_path).network.lm_head.weight is not None


def test_a_model_that_changes_its_logits_afterwards_is_refused(tmp_path: Path, tiny: Any) -> None:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(
        vocab_size=261, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, final_logit_softcapping=0.5, initializer_range=0.5, pad_token_id=0,
    )  # fmt: skip
    Gemma2ForCausalLM(config).save_pretrained(tmp_path)
    tiny.decoder_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="changes its logits"):
        load_causal_lm(tmp_path)
