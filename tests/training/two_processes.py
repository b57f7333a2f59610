"""One of two processes: saves the gradient of the first step and the held-out figures. Started by torchrun."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tests.training.run_toy import toy_recipe
from tests.training.toy import first_gradient, mixed_table, toy_table, toy_trainer

from rewardsmith.losses.settings import LossSettings
from rewardsmith.training.train import train


def train_artefact(folder: Path, base: Path, data: Path) -> None:
    """Train the toy recipe to an artefact."""
    recipe = toy_recipe(base)
    training = recipe.training.model_copy(update={"epochs": 2.0})
    train(recipe.model_copy(update={"training": training}), data, folder / "model")


def train_head(folder: Path, base: Path, data: Path) -> None:
    """Train the head alone, on features that the processes compute together."""
    recipe = toy_recipe(base)
    changes = {"model": recipe.model.model_copy(update={"trainable": "head"})}
    train(recipe.model_copy(update=changes), data, folder / "head")


def save_figures(folder: Path, *, processes: int) -> None:
    """Gradient of one step over unequal preferences, figures before training, and the log of a short training."""
    loss = LossSettings(centring=0.1, readout_l2=0.3, length_decorrelation=0.5)
    cut: dict[str, Any] = {"batch_size": 8, "processes": processes}
    trainer = toy_trainer(folder / "work", mixed_table(), loss=loss, heldout=mixed_table(), **cut)
    figures = trainer.evaluate()
    gradient = first_gradient(trainer)
    # 21 preferences do not divide into steps of 8: the last step has 5, unequal on the two devices.
    # In the second and third epoch both draw by what each of the two saw.
    short = toy_trainer(folder / "short", toy_table(21), log_every_steps=2, epochs=3, sampling="hard", **cut)
    short.train()
    if trainer.is_world_process_zero():
        save_file(gradient, folder / "gradient.safetensors")
        lines = [line for line in short.state.log_history if "loss" in line]
        (folder / "figures.json").write_text(json.dumps({"heldout": figures, "lines": lines}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, base, data = map(Path, sys.argv[1:])
    save_figures(folder, processes=2)
    train_artefact(folder, base, data)
    train_head(folder, base, data)
