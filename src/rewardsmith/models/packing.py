"""Whether a model may be given packed sequences: it is asked, not guessed from its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Integer
from torch import Tensor

from rewardsmith.batching.packing import pack
from rewardsmith.batching.prefixes import separate, shared
from rewardsmith.core.errors import ModelError
from rewardsmith.models import head
from rewardsmith.models.adapter_ensemble import AdapterEnsemble
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.segment_attention import NAME
from rewardsmith.models.steps.model import StepModel

Ids = Integer[np.ndarray, " token"]

_TOLERANCE = 1e-4
"""Of a reward, or of one of size 1 where it is smaller. Rounding in another order is a hundred times below."""


def enable_packing(model: RewardModel | AdapterEnsemble | StepModel, sequences: Sequence[Ids]) -> str | None:
    """Make `model` ready for packed batches, if it gives the same rewards so; else leave it as it was.

    Sliding windows that are shorter than the sequences, biases by distance (ALiBi), recurrent blocks and attention of
    an architecture's own do not follow the segments. All of them give other rewards, or fail, on a packed batch.

    Args:
        sequences: Some to try it on; the longest ones that will come should be among them.

    Returns:
        Why not; nothing where the model is ready.
    """
    networks = _networks(model)
    before = [network.config._attn_implementation for network in networks]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            wanted = torch.cat([_alone(model, ids) for ids in sequences])
            for network in networks:
                network.set_attn_implementation(NAME)
            found = _together(model, sequences)
        worst = ((found - wanted).abs() / wanted.abs().clamp(min=1.0)).max().item()
        reason = None if worst <= _TOLERANCE else f"packed rewards differ by {worst:.1e}"
    # Whatever an unknown architecture raises on inputs that it was not made for, the answer is the same.
    except (AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__} on a packed batch"
    except ModelError as error:
        reason = str(error)
    finally:
        model.train(was_training)
    if reason is not None:
        for network, name in zip(networks, before, strict=True):
            network.set_attn_implementation(name)
    return reason


def _networks(model: RewardModel | AdapterEnsemble | StepModel) -> list[Any]:
    """The Hugging Face models in `model`: its own, or one a member."""
    return [head.plain(each.network) for each in model.modules() if isinstance(each, RewardModel | StepModel)]


def _alone(model: RewardModel | AdapterEnsemble | StepModel, ids: Ids) -> Float32[Tensor, "1 ..."]:
    input_ids = torch.as_tensor(np.asarray(ids, np.int64), device=model.device).unsqueeze(0)
    return model(input_ids, torch.ones_like(input_ids))


def _together(
    model: RewardModel | AdapterEnsemble | StepModel, sequences: Sequence[Ids]
) -> Float32[Tensor, "sequence ..."]:
    packed = pack([shared(sequences) if model.is_decoder else separate(sequences)])
    ids, positions, segments, ends = (
        torch.from_numpy(each).to(model.device)
        for each in (packed.input_ids[None], packed.position_ids[None], packed.segments, packed.ends)
    )
    return model(ids, segments, positions, ends)
