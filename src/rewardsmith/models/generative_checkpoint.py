"""A generative reward model on disk: an ordinary causal language model, and the reward head in a file beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.errors import ModelError
from rewardsmith.models.causal_lm import CausalLm, load_causal_lm
from rewardsmith.models.checkpoint import complete_config, merged, name_tokenizer_class
from rewardsmith.models.generative import GenerativeRewardModel, ScoreFrom, with_trainable
from rewardsmith.models.progress_bars import without_bars
from rewardsmith.models.settings import ModelSettings

HEAD_NAME = "generative_head.safetensors"
_NO_VERDICTS = (0, 0)


@dataclass(frozen=True, slots=True)
class LoadedGenerative:
    """A generative reward model in memory: float32, on the CPU, in evaluation mode."""

    model: GenerativeRewardModel
    tokenizer: PreTrainedTokenizerBase
    digest: str


def build_generative(
    base: CausalLm, settings: ModelSettings, *, score_from: ScoreFrom, verdicts: tuple[int, int], seed: int
) -> GenerativeRewardModel:
    """`base` with a new reward head, ready for training; what is new is drawn from `seed`.

    Raises:
        SettingsError: The settings do not suit the base.
    """
    for module in base.network.modules():
        if isinstance(module, nn.Dropout):
            module.p = settings.dropout
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GenerativeRewardModel(base.network, score_from=score_from, verdicts=verdicts, seed=seed)
        return with_trainable(model.eval(), settings)


def save_generative(model: GenerativeRewardModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write `model`, adapters merged, and `tokenizer` into `folder`: any tool loads and prompts it as a causal LM."""
    folder.mkdir(parents=True, exist_ok=True)
    with without_bars():
        merged(model.network).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    complete_config(folder / "config.json", pad_id=tokenizer.pad_token_id, problem_type=None)
    name_tokenizer_class(folder / "tokenizer_config.json")
    save_file({"weight": model.reward_head.weight.detach().cpu().contiguous()}, folder / HEAD_NAME)


def load_generative(folder: Path, *, score_from: ScoreFrom) -> LoadedGenerative:
    """What `save_generative` wrote; `verdicts` of its model are set by whoever knows the words.

    Raises:
        ModelError: The language model cannot be loaded, or the head is missing.
    """
    found = load_causal_lm(folder, keep_template=True)
    model = GenerativeRewardModel(found.network, score_from=score_from, verdicts=_NO_VERDICTS)
    path = folder / HEAD_NAME
    try:
        weight = load_file(path).get("weight")
    except (OSError, SafetensorError) as error:
        raise ModelError("the head is missing", got=error, where=str(path), fix="train the model again") from error
    if weight is None or weight.shape != model.reward_head.weight.shape:
        raise ModelError("the head's file holds something else", where=str(path), fix="train the model again")
    with torch.no_grad():
        model.reward_head.weight.copy_(weight)
    return LoadedGenerative(model.eval(), found.tokenizer, found.digest)
