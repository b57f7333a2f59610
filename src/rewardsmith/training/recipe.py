"""The recipe: everything that decides a reward model, in one file."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from rewardsmith.core.settings import Settings, dump_yaml
from rewardsmith.losses.settings import LossSettings
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.scoring.priors.settings import PriorSettings
from rewardsmith.training.attribute_settings import AttributeSettings
from rewardsmith.training.ensemble_settings import EnsembleSettings
from rewardsmith.training.generative_settings import GenerativeSettings
from rewardsmith.training.process_settings import ProcessSettings
from rewardsmith.training.settings import TrainingSettings

Family = Literal["pairs", "ensemble", "process", "attributes", "generative"]
FAMILIES: tuple[Family, ...] = ("ensemble", "process", "attributes", "generative")
"""Sections that change what is trained; a recipe has one of them at most."""


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

    prior: PriorSettings | None = None
    """What is believed before any label is seen; the model then learns only what is left. Nothing where absent."""

    ensemble: EnsembleSettings | None = None
    """Several models in the place of one; a single model where absent."""

    process: ProcessSettings | None = None
    """Judge the steps of answers, or their outcome, not whole answers against each other; off where absent."""

    attributes: AttributeSettings | None = None
    """Heads for several rated attributes in the place of one reward from pairs; off where absent."""

    generative: GenerativeSettings | None = None
    """A language model that writes a rationale and then scores, in the place of a classifier; off where absent."""

    @property
    def family(self) -> Family:
        """The section that says how the model is trained; `pairs` where there is none."""
        for name in FAMILIES:
            if getattr(self, name) is not None:
                return name
        return "pairs"

    @model_validator(mode="after")
    def _is_of_one_family(self) -> Recipe:
        found = [name for name in FAMILIES if getattr(self, name) is not None]
        if len(found) > 1:
            raise ValueError(f"a recipe is of one family, not of {' and '.join(found)}")
        return self

    @model_validator(mode="after")
    def _prior_is_trained_with(self) -> Recipe:
        """Where it is not, it would be left out without a word."""
        others = {name for name in ("process", "attributes", "generative") if getattr(self, name) is not None}
        if self.ensemble is not None and (self.ensemble.average != "none" or self.ensemble.by == "adapters"):
            others.add("ensemble of averaged weights or of adapters")
        if self.prior is not None and others:
            raise ValueError(f"prior does not go together with {', '.join(sorted(others))}")
        return self


def recipe_yaml(recipe: Recipe) -> str:
    """The resolved recipe as YAML, defaults included; reading it gives the same recipe.

    Sections that a recipe need not have are left out where it has none.
    """
    return dump_yaml({name: value for name, value in recipe.model_dump(mode="json").items() if value is not None})
