"""The training that a recipe asks for, by the family of its model."""

from __future__ import annotations

from pathlib import Path

from rewardsmith.core.manifest import Manifest
from rewardsmith.training.attributes import train_attributes
from rewardsmith.training.ensemble import train_ensemble
from rewardsmith.training.generative import train_generative
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.steps.train import train_steps
from rewardsmith.training.train import train


def train_recipe(recipe: Recipe, data: Path, out: Path, *, resume: bool = True) -> Manifest:
    """Train the recipe's model on what `pipeline.prepare.prepare_for` wrote; return the manifest of `out`.

    Interrupted and called again it goes on. A model that is there already, from the same recipe and data, is kept.

    Args:
        resume: Go on where an interrupted run stopped; else begin again.

    Raises:
        RewardsmithError: What the family's own training raises.
    """
    match recipe.family:
        case "process":
            return train_steps(recipe, data, out, resume=resume)
        case "attributes":
            return train_attributes(recipe, data, out, resume=resume)
        case "generative":
            return train_generative(recipe, data, out, resume=resume)
        case "ensemble":
            return train_ensemble(recipe, data, out, resume=resume)
        case "pairs":
            return train(recipe, data, out, resume=resume)
