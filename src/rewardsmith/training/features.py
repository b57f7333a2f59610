"""What a frozen model says about each distinct response, computed once before its head is trained."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import accelerate
import numpy as np
import torch
from jaxtyping import Float32, Int64

from rewardsmith.batching import buckets
from rewardsmith.batching.prefixes import Ids
from rewardsmith.core.digest import digest_json
from rewardsmith.models.frozen import enable_states
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.trainable import trains_head_only
from rewardsmith.preferences.table import PreferenceTable
from rewardsmith.scoring.provenance import reward_identity, state_digest
from rewardsmith.training.cache import cached_rows
from rewardsmith.training.collator import Layout, PreferenceCollator
from rewardsmith.training.dataset import FeatureDataset, PreferenceDataset, sequences_of
from rewardsmith.training.precision import Precision
from rewardsmith.training.progress import duration, say
from rewardsmith.training.settings import TrainingSettings

logger = logging.getLogger(__name__)

_DIGEST_CHARS = 16
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Responses:
    """The distinct responses, with their prompts, of some tables, numbered in the order of their first appearance.

    Attributes:
        places: `[distinct, 3]`: table, preference and response of each one's first appearance.
        numbers: One array a table, `[response]`, those of a preference together.
        digest: Of all token ids, in order.
    """

    places: Int64[np.ndarray, "distinct 3"]
    numbers: tuple[Int64[np.ndarray, " response"], ...]
    digest: str


def caches_features(settings: TrainingSettings, model: RewardModel) -> bool:
    """Whether `frozen_features` are asked for: only the head is trained, on no less than every response."""
    return settings.cache_features == "auto" and settings.epochs >= 1 and trains_head_only(model)


def frozen_features(
    model: RewardModel,
    datasets: Sequence[PreferenceDataset],
    collator: PreferenceCollator,
    *,
    work: Path,
    precision: Precision,
) -> list[FeatureDataset] | None:
    """The data sets with what the head of `model` reads in the place of token ids; `None` where they cannot be had.

    One pass without gradients goes over the distinct responses of all data sets. The outcome lies in `work`, under a
    name that weights, tokens and arithmetic decide, and is used again when an interrupted training goes on.

    Args:
        model: Only its head is trained. It is moved to the device that it will be trained on.
        collator: Knows how sequences lie in a batch.
    """
    model.to(cast(torch.device, accelerate.PartialState().device))
    tables = [dataset.table for dataset in datasets]
    reason = enable_states(model, sequences_of(tables[0].encoded(0)))
    if reason is not None:
        logger.warning("features of the frozen model are computed again in each epoch, which is slower: %s", reason)
        return None
    responses = number_responses(tables)

    def compute(numbers: range) -> Float32[np.ndarray, "some width"]:
        sequences = _sequences(tables, responses.places[numbers.start : numbers.stop])
        return states_of(model, sequences, collator, precision=precision)

    started = time.perf_counter()
    name = f"features-{_key(model, responses, layout=collator.layout, precision=precision)}.f32"
    rows = len(responses.places)
    states = cached_rows(work / name, rows=rows, width=compute(range(1)).shape[1], compute=compute)
    if accelerate.PartialState().is_main_process:
        say(f"features of {rows:,} distinct responses  {duration(time.perf_counter() - started)}")
    return [
        FeatureDataset(dataset.table, states, numbers, prior=dataset.prior)
        for dataset, numbers in zip(datasets, responses.numbers, strict=True)
    ]


def number_responses(tables: Sequence[PreferenceTable]) -> Responses:
    """Find the distinct ones, by digests of their token ids."""
    known: dict[bytes, int] = {}
    places: list[tuple[int, int, int]] = []
    numbers: list[list[int]] = [[] for _ in tables]
    for table_number, table in enumerate(tables):
        for index in range(len(table)):
            for response, ids in enumerate(sequences_of(table.encoded(index))):
                key = hashlib.blake2b(ids.astype("<i8").tobytes(), digest_size=_KEY_BYTES).digest()
                number = known.setdefault(key, len(known))
                if number == len(places):
                    places.append((table_number, index, response))
                numbers[table_number].append(number)
    return Responses(
        places=np.array(places, np.int64).reshape(-1, 3),
        numbers=tuple(np.array(each, np.int64) for each in numbers),
        digest=hashlib.sha256(b"".join(known)).hexdigest(),
    )


def states_of(
    model: RewardModel, sequences: Sequence[Ids], collator: PreferenceCollator, *, precision: Precision
) -> Float32[np.ndarray, "sequence width"]:
    """`RewardModel.states` of each sequence, in order, without gradients."""
    device = model.device
    was_training = model.training
    model.eval()
    order: list[list[int]] = []
    parts: list[np.ndarray] = []
    try:
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            for numbers, inputs in collator.sequence_batches(sequences):
                order.append(numbers)
                parts.append(model.states(**{name: value.to(device) for name, value in inputs.items()}).cpu().numpy())
    finally:
        model.train(was_training)
    return buckets.restore(order, parts)


def _sequences(tables: Sequence[PreferenceTable], places: Int64[np.ndarray, "some 3"]) -> list[Ids]:
    return [sequences_of(tables[table].encoded(index))[response] for table, index, response in places.tolist()]


def _key(model: RewardModel, responses: Responses, *, layout: Layout, precision: Precision) -> str:
    identity = reward_identity(model, weights=state_digest(model), template="", uses_bf16=precision == "bf16")
    parts = {"model": identity, "entry": model.entry, "tokens": responses.digest, "layout": layout}
    return digest_json(parts)[:_DIGEST_CHARS]
