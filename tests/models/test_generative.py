"""The generative reward model, and its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from rewardsmith.batching.collate import pad
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.models.causal_lm import CausalLm
from rewardsmith.models.generative import GenerativeRewardModel, with_trainable
from rewardsmith.models.generative_checkpoint import HEAD_NAME, build_generative, load_generative, save_generative
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.trainable import count_parameters
from rewardsmith.text.load import prepared

SEQUENCES = [np.array(each) for each in ([1, 40, 50, 60, 70, 80], [1, 41, 51], [1, 42, 52, 62, 72])]
GOOD, BAD = 100, 98


def tensors(sequences: list[np.ndarray]) -> list[torch.Tensor]:
    padded = pad(sequences, pad_id=0)
    return [torch.from_numpy(each) for each in (padded.input_ids, padded.attention_mask, padded.position_ids)]


def model_of(tiny: Any, score_from: Any = "head", **changes: Any) -> GenerativeRewardModel:
    torch.manual_seed(0)
    network = LlamaForCausalLM(tiny.llama_config(**changes)).eval()
    return GenerativeRewardModel(network, score_from=score_from, verdicts=(GOOD, BAD), seed=3)


@pytest.mark.parametrize("score_from", ["head", "verdict"])
def test_the_reward_is_read_at_the_last_token(tiny: Any, score_from: Any) -> None:
    model = model_of(tiny, score_from)
    with torch.no_grad():
        rewards, written = model(*tensors(SEQUENCES))
        for ids, reward in zip(SEQUENCES, rewards, strict=True):
            output = model.network(torch.tensor(ids)[None], output_hidden_states=True)
            if score_from == "head":
                wanted = output.hidden_states[-1][0, -1] @ model.reward_head.weight[0]
            else:
                log_probs = output.logits[0, -1].log_softmax(-1)
                wanted = log_probs[GOOD] - log_probs[BAD]
            torch.testing.assert_close(reward, wanted, rtol=1e-4, atol=1e-5)
    assert rewards.dtype == torch.float32
    assert len(written) == 0


def test_a_likelier_good_verdict_is_a_higher_reward(tiny: Any) -> None:
    model = model_of(tiny, "verdict")
    ids = tensors(SEQUENCES)
    with torch.no_grad():
        before, _ = model(*ids)
        states = model.network.model(*ids[:2], position_ids=ids[2]).last_hidden_state[0, -1]
        model.network.lm_head.weight[GOOD] += states / states.norm()
        after, _ = model(*ids)
    assert after[0] > before[0]


def test_written_tokens_have_their_probability_after_all_before_them(tiny: Any) -> None:
    model = model_of(tiny)
    rows, places = torch.tensor([0, 2, 0]), torch.tensor([4, 1, 3])
    with torch.no_grad():
        _, found = model(*tensors(SEQUENCES), rows, places)
        for row, place, value in zip(rows, places, found, strict=True):
            ids = torch.tensor(SEQUENCES[row])
            wanted = model.network(ids[None, :place]).logits[0, -1].log_softmax(-1)[ids[place]]
            torch.testing.assert_close(value, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("trainable", ["lora", "last_blocks", "head", "all"])
def test_what_is_trained_is_what_the_settings_say(tiny: Any, trainable: Any) -> None:
    model = with_trainable(model_of(tiny), ModelSettings(trainable=trainable, blocks=1, lora_rank=2))
    names = [name for name, each in model.named_parameters() if each.requires_grad]
    assert "reward_head.weight" in names
    rest = [name for name in names if name != "reward_head.weight"]
    checks: dict[str, bool] = {
        "lora": bool(rest) and all("lora_" in name for name in rest),
        "last_blocks": bool(rest) and all(".layers.1." in name for name in rest),
        "head": not rest,
        "all": count_parameters(model)[0] == count_parameters(model)[1],
    }
    assert checks[trainable]


def test_a_head_that_is_not_read_is_not_trained(tiny: Any) -> None:
    model = with_trainable(model_of(tiny, "verdict"), ModelSettings(trainable="lora", lora_rank=2))
    assert not model.reward_head.weight.requires_grad
    with pytest.raises(SettingsError, match="nothing to train"):
        with_trainable(model_of(tiny, "verdict"), ModelSettings(trainable="head"))
    with pytest.raises(SettingsError, match="linear head"):
        with_trainable(model_of(tiny), ModelSettings(head="mlp"))
    with pytest.raises(SettingsError, match="at most 2"):
        with_trainable(model_of(tiny), ModelSettings(trainable="last_blocks", blocks=3))


@pytest.mark.parametrize("tied", [True, False])
def test_its_state_holds_no_tensor_twice_and_loads_again(tiny: Any, tied: bool, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model = model_of(tiny, tie_word_embeddings=tied)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    other = model_of(tiny, tie_word_embeddings=tied)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    result = other.load_state_dict(load_file(tmp_path / "model.safetensors"), strict=False)
    assert not result.missing_keys
    with torch.no_grad():
        torch.testing.assert_close(other(*tensors(SEQUENCES))[0], model(*tensors(SEQUENCES))[0])


def test_the_same_seed_gives_the_same_model_and_leaves_the_random_state_alone(tiny: Any) -> None:
    settings, state = ModelSettings(trainable="lora", lora_rank=2), torch.random.get_rng_state()
    options: dict[str, Any] = {"score_from": "head", "verdicts": (GOOD, BAD)}
    rewards = []
    for seed in (1, 1, 2):
        base = model_of(tiny).network
        torch.random.set_rng_state(state)
        model = build_generative(CausalLm(base, tiny.decoder_tokenizer(), ""), settings, seed=seed, **options)  # type: ignore[arg-type]
        assert torch.equal(torch.random.get_rng_state(), state)
        rewards.append(model(*tensors(SEQUENCES))[0].detach())
    assert torch.equal(rewards[0], rewards[1])
    assert not torch.allclose(rewards[0], rewards[2])


def test_a_saved_model_gives_the_same_rewards_and_is_a_causal_lm(tiny: Any, tmp_path: Path) -> None:
    model = with_trainable(model_of(tiny), ModelSettings(trainable="lora", lora_rank=2))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.add_(0.1)
        wanted = model(*tensors(SEQUENCES))[0]
        save_generative(model, prepared(tiny.decoder_tokenizer()), tmp_path)
        loaded = load_generative(tmp_path, score_from="head")
        torch.testing.assert_close(loaded.model(*tensors(SEQUENCES))[0], wanted, rtol=1e-4, atol=1e-4)
        # Saving does not change the model that goes on training.
        torch.testing.assert_close(model(*tensors(SEQUENCES))[0], wanted)
    assert type(LlamaForCausalLM.from_pretrained(tmp_path)) is LlamaForCausalLM
    (tmp_path / HEAD_NAME).unlink()
    with pytest.raises(ModelError, match="the head is missing"):
        load_generative(tmp_path, score_from="head")
