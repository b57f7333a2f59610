"""Step models on disk: ordinary Hugging Face folders that other tools load with the same logits."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedTokenizerBase

from rewardsmith.models.checkpoint import complete_config, merged, name_tokenizer_class
from rewardsmith.models.progress_bars import without_bars
from rewardsmith.models.steps.model import StepModel


def save_step_model(model: StepModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write `model` and `tokenizer` into `folder`: a whole `*ForTokenClassification` checkpoint, adapters merged."""
    folder.mkdir(parents=True, exist_ok=True)
    with without_bars():
        merged(model.network).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    complete_config(folder / "config.json", pad_id=tokenizer.pad_token_id, problem_type=None)
    name_tokenizer_class(folder / "tokenizer_config.json")
