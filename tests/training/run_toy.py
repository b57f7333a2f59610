"""Trains on a prepared toy artefact in a process of its own: `python -m tests.training.run_toy BASE DATA OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

from rewardsmith.models.settings import ModelSettings
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.train import train

TRAINING = TrainingSettings(
    epochs=8,
    learning_rate=5e-3,
    batch_size=4,
    precision="float32",
    log_every_steps=5,
    save_every_steps=2,
    evaluate_every_epochs=2,
)


def toy_recipe(base: Path) -> Recipe:
    """Eight epochs with a checkpoint at every second step."""
    return Recipe(model=ModelSettings(base=str(base)), training=TRAINING)


if __name__ == "__main__":
    base, data, out = map(Path, sys.argv[1:])
    train(toy_recipe(base), data, out)
