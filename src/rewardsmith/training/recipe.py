"""The recipe: everything that decides a reward model, in one file."""

from __future__ import annotations

from rewardsmith.core.settings import Settings, dump_yaml
from rewardsmith.losses.settings import LossSettings
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.training.settings import TrainingSettings


class Recipe(Settings):
    """Data, model, loss and training. Every key has a default, so the empty recipe trains on the built-in set."""

    name: str = "reward-model"
    """Name of the reward model, for reports."""

    data: DataSettings = DataSettings()
    """What to learn from."""

    model: ModelSettings = ModelSettings()
    """What to learn with: backbone, pooling, head, and which weights may move."""

    loss: LossSettings = LossSettings()
    """What to minimise."""

    training: TrainingSettings = TrainingSettings()
    """How to minimise it."""


def recipe_yaml(recipe: Recipe) -> str:
    """The resolved recipe as YAML, defaults included; reading it gives the same recipe."""
    return dump_yaml(recipe.model_dump(mode="json"))
