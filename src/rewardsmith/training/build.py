"""The trainer of a recipe, ready to run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rewardsmith.core.errors import DataError
from rewardsmith.losses.objective import Objective
from rewardsmith.models.residual_model import ResidualModel
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.training.arguments import training_arguments
from rewardsmith.training.best import SaveBest
from rewardsmith.training.collator import Collator, FeatureCollator, PreferenceCollator
from rewardsmith.training.dataset import PreferenceDataset
from rewardsmith.training.features import caches_features, frozen_features
from rewardsmith.training.health import DriftWarning
from rewardsmith.training.layout import choose_layout, token_budget
from rewardsmith.training.log import LastLine, OwnIntervals, TrainingLog
from rewardsmith.training.precision import Precision
from rewardsmith.training.progress import ProgressLines
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.residual_trainer import ResidualTrainer
from rewardsmith.training.sampling import HardSampling
from rewardsmith.training.schedule import Cut
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.trainer import RewardTrainer

logger = logging.getLogger(__name__)


def build_trainer(
    recipe: Recipe,
    model: RewardModel,
    *,
    pad_id: int,
    train: PreferenceDataset,
    heldout: PreferenceDataset,
    work: Path,
    precision: Precision,
    processes: int = 1,
) -> RewardTrainer:
    """A trainer of `model` that keeps its checkpoints and its log in `work`.

    Args:
        pad_id: Fills batches; never read, since pooling goes by the mask.
        processes: Devices that train together.
    """
    settings = recipe.training
    cut = Cut(settings.batch_size, processes)
    arguments = training_arguments(settings, work, precision=precision, steps_per_epoch=cut.steps(len(train)))
    layout = choose_layout(model, train.table, packing=settings.packing)
    if settings.gradient_checkpointing:
        # The reentrant kind needs an input with a gradient, which a model with frozen embeddings has not.
        model.gradient_checkpointing_enable({"use_reentrant": False})
    collator: Collator = PreferenceCollator(pad_id, layout=layout, token_budget=token_budget(settings.token_budget))
    if caches_features(settings, model):
        featured = frozen_features(model, (train, heldout), collator, work=work, precision=precision)
        if featured is not None:
            (train, heldout), collator = featured, FeatureCollator(featured[0].states.shape[1])
    callbacks = [OwnIntervals(), TrainingLog(work), LastLine(), ProgressLines(), DriftWarning(settings.reward_limit)]
    if settings.select == "best":
        callbacks.append(SaveBest())
    make, network = _kind(recipe, model, train)
    return make(
        network,
        arguments,
        objective=Objective(recipe.loss),
        train=train,
        heldout=heldout,
        collator=collator,
        sampling=hard_sampling(settings, preferences=len(train)),
        keep_checkpoints=settings.keep_checkpoints,
        callbacks=callbacks,
    )


def _kind(
    recipe: Recipe, model: RewardModel, train: PreferenceDataset
) -> tuple[Callable[..., RewardTrainer], RewardModel | ResidualModel]:
    """How a trainer is made, and of what: the model, or the model on top of a prior."""
    if recipe.prior is None:
        return RewardTrainer, model
    if train.prior is None:
        raise DataError("the recipe has a prior, and the data set brings no values of it", where="prior")
    network = ResidualModel(model, learns_scale=recipe.prior.scale == "learned")
    return partial(ResidualTrainer, scale_learning_rate=recipe.prior.scale_learning_rate), network


def hard_sampling(settings: TrainingSettings, *, preferences: int) -> HardSampling | None:
    """What draws the epochs in the place of permutations, where the settings ask for it."""
    if settings.sampling == "uniform":
        return None
    if settings.epochs <= 1:
        logger.warning(
            "training.sampling: hard draws from the second epoch on, but training.epochs is %g; it is uniform",
            settings.epochs,
        )
    return HardSampling(preferences, temperature=settings.sampling_temperature)
