"""Checkpoints whose head has learned nothing: the speed does not depend on what a head has learned."""

from __future__ import annotations

from pathlib import Path

DECODER, ENCODER = "builtin:smollm2-135m-instruct", "builtin:minilm-l6"


def save_untrained(base: str, folder: Path, *, seed: int = 0) -> Path:
    """Write a checkpoint of `base` with a new head into `folder`, and return that."""
    from rewardsmith.models import checkpoint
    from rewardsmith.models.builtin import resolve
    from rewardsmith.models.load import build
    from rewardsmith.models.settings import ModelSettings
    from rewardsmith.text.load import load_tokenizer

    checkpoint.save(build(ModelSettings(base=base), seed=seed), load_tokenizer(resolve(base)), folder, base=base)
    return folder
