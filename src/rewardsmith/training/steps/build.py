"""The trainer of a step model, ready to run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import accelerate
import numpy as np

from rewardsmith.losses.objective import Objective
from rewardsmith.models.packing import enable_packing
from rewardsmith.models.steps.model import StepModel
from rewardsmith.preferences.steps.encoding import encode_traces
from rewardsmith.preferences.steps.targets import trace_targets
from rewardsmith.preferences.steps.trace import StepTrace
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.steps import EncodedSteps, StepEncoder
from rewardsmith.training.arguments import training_arguments
from rewardsmith.training.best import SaveBest
from rewardsmith.training.layout import token_budget
from rewardsmith.training.log import LastLine, OwnIntervals, TrainingLog
from rewardsmith.training.precision import resolve_precision
from rewardsmith.training.process_settings import ProcessSettings
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.schedule import Cut
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.steps.collator import StepCollator, StepFeatureCollator
from rewardsmith.training.steps.dataset import StepDataset
from rewardsmith.training.steps.features import step_features
from rewardsmith.training.steps.trainer import StepLines, StepTrainer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the data.

    Attributes:
        traces: Those that have a label for the target, and fit.
        encoded: Their tokens.
        targets: What is to be said about their steps.
        too_long: How many have a label and did not fit.
    """

    traces: tuple[StepTrace, ...]
    encoded: tuple[EncodedSteps, ...]
    targets: tuple[np.ndarray, ...]
    too_long: int

    def dataset(self) -> StepDataset:
        """For the trainer."""
        return StepDataset(self.encoded, self.targets)


def side_of(
    traces: Sequence[StepTrace], recipe: Recipe, process: ProcessSettings, encoder: ConversationEncoder
) -> Side:
    """The side of these traces. Those without a label for this target are left out: nothing is to be said about them.

    Raises:
        OverlengthError: A trace is over the encoder's limit, and `data.overlength` is `raise`.
    """
    targets = [trace_targets(trace, target=process.target, neutral=process.neutral) for trace in traces]
    some = [number for number, each in enumerate(targets) if not np.isnan(each).all()]
    steps = StepEncoder(encoder, separator=process.separator)
    labelled = [traces[number] for number in some]
    encoded = encode_traces(labelled, steps, max_tokens=encoder.max_tokens, policy=recipe.data.overlength)
    kept = [(number, each) for number, each in zip(some, encoded, strict=True) if each is not None]
    return Side(
        traces=tuple(traces[number] for number, _ in kept),
        encoded=tuple(each for _, each in kept),
        targets=tuple(targets[number] for number, _ in kept),
        too_long=len(some) - len(kept),
    )


def build_step_trainer(
    recipe: Recipe, model: StepModel, train: Side, heldout: Side, *, pad_id: int, work: Path
) -> StepTrainer:
    """A trainer of `model` that keeps its checkpoints and its log in `work`."""
    settings, precision = recipe.training, resolve_precision(recipe.training.precision)
    datasets: Any = (train.dataset(), heldout.dataset())
    cut = Cut(settings.batch_size, accelerate.PartialState().num_processes)
    arguments = training_arguments(settings, work, precision=precision, steps_per_epoch=cut.steps(len(train.traces)))
    featured = step_features(model, datasets, settings, pad_id=pad_id, work=work, precision=precision)
    collator: Any
    if featured is not None:
        datasets, collator = featured, StepFeatureCollator(model.output_layer.in_features)
    else:
        collator = _collator(model, train, settings, pad_id=pad_id)
    callbacks = [OwnIntervals(), TrainingLog(work), LastLine(), StepLines()]
    untyped: Any = model
    return StepTrainer(
        untyped,
        arguments,
        objective=Objective(recipe.loss),
        train=datasets[0],
        heldout=datasets[1],
        collator=collator,
        keep_checkpoints=settings.keep_checkpoints,
        callbacks=[*callbacks, SaveBest()] if settings.select == "best" else callbacks,
    )


def _collator(model: StepModel, train: Side, settings: TrainingSettings, *, pad_id: int) -> StepCollator:
    """The collator of the layout that gives the model the least to compute, with a warning where it cannot pack.

    The longest and the shortest trace are tried.
    """
    if settings.gradient_checkpointing:
        # The reentrant kind needs an input with a gradient, which a model with frozen embeddings has not.
        model.gradient_checkpointing_enable({"use_reentrant": False})
    budget = token_budget(settings.token_budget)
    ids = sorted((each.input_ids for each in train.encoded), key=len)
    model.to(accelerate.PartialState().device)
    if settings.packing == "never":
        return StepCollator(pad_id, layout="padded", token_budget=budget)
    reason = enable_packing(model, [ids[-1], ids[0]])
    if reason is not None:
        logger.warning("solutions are padded, not packed, which is slower: %s", reason)
        return StepCollator(pad_id, layout="padded", token_budget=budget)
    return StepCollator(pad_id, layout="shared" if model.is_decoder else "separate", token_budget=budget)
