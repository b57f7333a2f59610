"""What a frozen model says at the end of each step, computed once before its head is trained."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import accelerate
import numpy as np
import torch
from jaxtyping import Float32

from rewardsmith.core.digest import digest_json, digest_text
from rewardsmith.models.steps.model import StepModel
from rewardsmith.models.trainable import trains_head_only
from rewardsmith.scoring.provenance import state_digest
from rewardsmith.scoring.step_passes import StepPasses
from rewardsmith.training.cache import cached_rows
from rewardsmith.training.precision import Precision
from rewardsmith.training.progress import duration, say
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.steps.dataset import StepDataset, StepFeatureDataset

logger = logging.getLogger(__name__)

_DIGEST_CHARS = 16


def step_features(
    model: StepModel,
    datasets: Sequence[StepDataset],
    settings: TrainingSettings,
    *,
    pad_id: int,
    work: Path,
    precision: Precision,
) -> list[StepFeatureDataset] | None:
    """The data sets with what the head of `model` reads in the place of token ids; `None` where it is not only the head
    that is trained, or `training.cache_features` says never.

    One pass without gradients goes over all solutions. The outcome lies in `work`, under a name that weights, tokens
    and arithmetic decide, and is used again when an interrupted training goes on.

    Args:
        model: It is moved to the device that it will be trained on.
    """
    if settings.cache_features == "never" or settings.epochs < 1 or not _is_frozen(model):
        return None
    model.to(cast(torch.device, accelerate.PartialState().device))
    passes = StepPasses(
        model,
        pad_id=pad_id,
        token_budget=settings.token_budget,
        packs=settings.packing == "auto",
        uses_bf16=precision == "bf16",
    )
    encoded = [each for dataset in datasets for each in dataset.encoded]
    bounds = np.cumsum([0, *(len(each.places) for each in encoded)])

    def compute(rows: range) -> Float32[np.ndarray, "some width"]:
        """Solutions that the range cuts are computed on both of its sides, which is one in a thousand rows."""
        first = int(np.searchsorted(bounds, rows.start, side="right")) - 1
        last = int(np.searchsorted(bounds, rows.stop, side="left"))
        some = encoded[first:last]
        found = passes.features([each.input_ids for each in some], [each.places for each in some])
        return np.concatenate(found)[rows.start - bounds[first] :][: len(rows)]

    started = time.perf_counter()
    tokens = digest_text("".join(each.input_ids.tobytes().hex() + each.places.tobytes().hex() for each in encoded))
    name = digest_json([state_digest(model), tokens, precision, settings.packing])[:_DIGEST_CHARS]
    width = model.output_layer.in_features
    states = cached_rows(work / f"features-{name}.f32", rows=int(bounds[-1]), width=width, compute=compute)
    if accelerate.PartialState().is_main_process:
        say(f"features of {int(bounds[-1]):,} steps  {duration(time.perf_counter() - started)}")
    firsts = np.cumsum([0, *(sum(map(len, dataset.targets)) for dataset in datasets)])[:-1]
    return [StepFeatureDataset(each, states, first=int(first)) for each, first in zip(datasets, firsts, strict=True)]


def _is_frozen(model: StepModel) -> bool:
    """Only the head is trained, and nothing below it is random."""
    config = model.config.get_text_config()
    rates = [rate for name, rate in vars(config).items() if "drop" in name and isinstance(rate, float)]
    untyped: Any = model
    return trains_head_only(untyped) and not any(rates)
