"""Members of an ensemble of adapters: four blocks, random adapters and heads on the last ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import BertModel, LlamaForCausalLM

from rewardsmith.models.load import build
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.settings import ModelSettings

LAYERS = 4


def save_base(tiny: Any, folder: Path, kind: str, *, seed: int = 0) -> str:
    """A base of four blocks without a head; `kind` is `decoder` or `encoder`."""
    torch.manual_seed(seed)
    if kind == "decoder":
        LlamaForCausalLM(tiny.llama_config(num_hidden_layers=LAYERS)).save_pretrained(folder)
        tiny.decoder_tokenizer().save_pretrained(folder)
    else:
        BertModel(tiny.bert_config(num_hidden_layers=LAYERS)).save_pretrained(folder)
        tiny.encoder_tokenizer().save_pretrained(folder)
    return str(folder)


def adapted(base: str, *, seed: int, **settings: Any) -> RewardModel:
    """A model whose adapters and head are random: as far from the base as a long training would bring it."""
    chosen = {"trainable": "lora", "lora_blocks": "last_quarter", "lora_rank": 3} | settings
    model = build(ModelSettings.model_validate({"base": base} | chosen), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model.eval()


def merged(model: RewardModel) -> RewardModel:
    """The same without adapters beside its weights."""
    network: Any = model.network
    return RewardModel(network.merge_and_unload(), pooling_name=model.pooling, mlp=model.mlp).eval()
