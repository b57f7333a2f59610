"""Saved checkpoints: the same rewards here, in plain transformers and in TRL."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer

from rewardsmith.core.conversation import Conversation, assistant, to_dicts, user
from rewardsmith.core.errors import ModelError
from rewardsmith.models.checkpoint import read_card, save, weights_digest
from rewardsmith.models.load import build, load_checkpoint
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.settings import ModelSettings
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer

CONVERSATIONS: list[Conversation] = [
    (user("hi"), assistant("hello")),
    (user("what is a tree?"), assistant("a plant that\ngrows"), user("why?"), assistant("light")),
    (user("x"), assistant("")),
]
KINDS = [
    ("decoder", {}),
    ("encoder", {}),
    ("encoder", {"pooling": "mean"}),
    ("decoder", {"head": "mlp", "mlp_width": 5}),
    ("decoder", {"trainable": "lora"}),
    ("encoder", {"trainable": "lora"}),
    ("encoder-without-pooler", {"trainable": "lora"}),
    ("shared", {"trainable": "lora"}),
]


@torch.inference_mode()
def rewards(model: RewardModel, tokenizer: Any) -> np.ndarray:
    encoded = ConversationEncoder(tokenizer).encode(CONVERSATIONS)
    batches = [torch.as_tensor(ids, dtype=torch.long).unsqueeze(0) for ids in encoded]
    return np.array([model(ids, torch.ones_like(ids)).item() for ids in batches])


def trained(tiny: Any, folder: Path, kind: str, changes: dict[str, Any]) -> tuple[RewardModel, Any, str]:
    """A model whose trained weights have all moved."""
    base = tiny.save_base(folder, kind.split("-")[0], pooler=not kind.endswith("pooler"))
    model = build(ModelSettings(base=base, **changes), seed=0)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model, load_tokenizer(base), base


@pytest.mark.parametrize(("kind", "changes"), KINDS)
def test_rewards_survive_saving(tiny: Any, tmp_path: Path, kind: str, changes: dict[str, Any]) -> None:
    model, tokenizer, base = trained(tiny, tmp_path / "base", kind, changes)
    card = save(model, tokenizer, tmp_path / "rm", base=base, max_tokens=99)
    loaded = load_checkpoint(tmp_path / "rm")
    np.testing.assert_allclose(rewards(loaded.model, loaded.tokenizer), rewards(model, tokenizer), atol=1e-5)
    assert loaded.card == card
    assert card.max_tokens == 99
    assert card.portable == ("pooling" not in changes and "head" not in changes)
    assert card.template_digest == ConversationEncoder(tokenizer).template_digest


@pytest.mark.parametrize(("kind", "changes"), [case for case in KINDS if not {"pooling", "head"} & set(case[1])])
def test_plain_transformers_gives_the_same_rewards(
    tiny: Any, tmp_path: Path, kind: str, changes: dict[str, Any]
) -> None:
    model, tokenizer, _ = trained(tiny, tmp_path / "base", kind, changes)
    save(model, tokenizer, tmp_path / "rm")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "rm")
    plain_tokenizer = AutoTokenizer.from_pretrained(tmp_path / "rm")
    batch = plain_tokenizer.apply_chat_template(
        [to_dicts(c) for c in CONVERSATIONS], return_dict=True, return_tensors="pt", padding=True
    )
    with torch.inference_mode():
        logits = plain(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    np.testing.assert_allclose(logits.squeeze(-1).numpy(), rewards(model, tokenizer), atol=1e-5)


@pytest.mark.parametrize("changes", [{"head": "mlp", "mlp_width": 5}, {"pooling": "mean"}])
@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder-without-pooler"])
def test_the_adapter_of_a_model_of_our_own_gives_the_same_rewards_wherever_it_lies(
    tiny: Any, tmp_path: Path, kind: str, changes: dict[str, Any]
) -> None:
    model, tokenizer, base = trained(tiny, tmp_path / "base", kind, {"trainable": "lora", **changes})
    save(model, tokenizer, tmp_path / "rm", base=base)
    expected = rewards(model, tokenizer)
    merged = load_checkpoint(tmp_path / "rm")
    np.testing.assert_allclose(rewards(merged.model, merged.tokenizer), expected, atol=1e-5)
    beside = load_checkpoint(tmp_path / "rm" / "adapter")
    np.testing.assert_allclose(rewards(beside.model, beside.tokenizer), expected, atol=1e-5)
    moved = shutil.copytree(tmp_path / "rm" / "adapter", tmp_path / "moved")
    tokenizer.save_pretrained(moved)
    loaded = load_checkpoint(moved)
    np.testing.assert_allclose(rewards(loaded.model, loaded.tokenizer), expected, atol=1e-5)
    # As earlier versions left it: the card and the head beside the merged model only.
    for name in ("reward_model.json", "reward_head.safetensors"):
        (tmp_path / "rm" / "adapter" / name).unlink(missing_ok=True)
    older = load_checkpoint(tmp_path / "rm" / "adapter")
    np.testing.assert_allclose(rewards(older.model, older.tokenizer), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder-without-pooler"])
def test_the_adapter_alone_gives_the_same_rewards(tiny: Any, tmp_path: Path, kind: str) -> None:
    model, tokenizer, base = trained(tiny, tmp_path / "base", kind, {"trainable": "lora"})
    save(model, tokenizer, tmp_path / "rm", base=base)
    loaded = load_checkpoint(tmp_path / "rm" / "adapter")
    np.testing.assert_allclose(rewards(loaded.model, loaded.tokenizer), rewards(model, tokenizer), atol=1e-5)
    # And in PEFT itself, whose head comes from the adapter.
    network = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    plain = RewardModel(PeftModel.from_pretrained(network, str(tmp_path / "rm" / "adapter")).eval())
    np.testing.assert_allclose(rewards(plain, tokenizer), rewards(model, tokenizer), atol=1e-5)


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_trl_prepares_the_same_ids_and_gets_the_same_rewards(tiny: Any, tmp_path: Path, kind: str) -> None:
    model, tokenizer, _ = trained(tiny, tmp_path / "base", kind, {})
    save(model, tokenizer, tmp_path / "rm")
    rows = [
        {"prompt": to_dicts(c[:-1]), "chosen": to_dicts(c[-1:]), "rejected": to_dicts((assistant("no way"),))}
        for c in CONVERSATIONS
    ]
    config = RewardConfig(
        output_dir=str(tmp_path / "trl"), report_to=[], use_cpu=True, bf16=False, max_length=None, disable_tqdm=True
    )
    network = AutoModelForSequenceClassification.from_pretrained(tmp_path / "rm")
    trainer = RewardTrainer(
        model=network,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(tmp_path / "rm"),
    )
    data: Any = trainer.train_dataset
    ours = [ids.tolist() for ids in ConversationEncoder(tokenizer).encode(CONVERSATIONS)]
    assert list(data["chosen_ids"]) == ours
    batch = trainer.data_collator(list(data))
    with torch.inference_mode():
        logits = network.eval()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    # The collator puts the chosen sides first.
    np.testing.assert_allclose(logits[: len(rows), 0].numpy(), rewards(model, tokenizer), atol=1e-5)


def test_what_the_folder_says(tiny: Any, tmp_path: Path) -> None:
    model, tokenizer, base = trained(tiny, tmp_path / "base", "decoder", {})
    save(model, tokenizer, tmp_path / "rm", base=base)
    config = json.loads((tmp_path / "rm" / "config.json").read_text())
    assert config["architectures"] == ["LlamaForSequenceClassification"]
    assert config["problem_type"] == "regression"
    assert len(config["id2label"]) == 1
    assert config["pad_token_id"] == 0 != config["eos_token_id"]
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 5000.0
    tokenizer_config = json.loads((tmp_path / "rm" / "tokenizer_config.json").read_text())
    assert tokenizer_config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert AutoTokenizer.from_pretrained(tmp_path / "rm").chat_template == tokenizer.chat_template
    card = read_card(tmp_path / "rm")
    assert card is not None
    assert (card.pooling, card.head, card.base) == ("last", "linear", base)


def test_older_readers_get_the_rope_scaling(tiny: Any, tmp_path: Path) -> None:
    rope = {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0}
    save(RewardModel(tiny.llama(rope_parameters=rope)), tiny.decoder_tokenizer(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["rope_theta"] == 5000.0
    assert config["rope_scaling"] == {"rope_type": "linear", "factor": 2.0}
    again = load_checkpoint(tmp_path).model.config
    assert {key: again.rope_parameters[key] for key in rope} == rope


def test_a_pad_that_is_the_eos_is_not_portable(tiny: Any, tmp_path: Path) -> None:
    # Plain transformers takes the last id that is not the pad, so it would read one token too early.
    tokenizer = tiny.decoder_tokenizer(pad="</s>")
    assert not save(RewardModel(tiny.llama()), tokenizer, tmp_path).portable


def test_the_digest_follows_the_weights(tiny: Any, tmp_path: Path) -> None:
    tiny.llama().save_pretrained(tmp_path / "a")
    tiny.llama().save_pretrained(tmp_path / "b")
    network = tiny.llama()
    with torch.no_grad():
        network.score.weight[0, 0] += 1e-3
    network.save_pretrained(tmp_path / "c")
    a, b, c = (weights_digest(tmp_path / name) for name in "abc")
    assert a == b != c


def test_a_lost_mlp_head_raises(tiny: Any, tmp_path: Path) -> None:
    model, tokenizer, _ = trained(tiny, tmp_path / "base", "decoder", {"head": "mlp"})
    save(model, tokenizer, tmp_path / "rm")
    (tmp_path / "rm" / "reward_head.safetensors").unlink()
    with pytest.raises(ModelError, match=r"reward_head\.safetensors"):
        load_checkpoint(tmp_path / "rm")


def test_an_unreadable_card_raises(tmp_path: Path) -> None:
    (tmp_path / "reward_model.json").write_text("{")
    with pytest.raises(ModelError, match="unreadable card"):
        read_card(tmp_path)
