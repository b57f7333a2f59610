"""Linear heads that were trained on one frozen backbone, as one head: two cohorts at one model's cost."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch

from rewardsmith.core.errors import ModelError
from rewardsmith.models.load import LoadedModel
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.numerics.combination import Standard
from rewardsmith.numerics.merging import merge_linear


def merge_heads(members: Sequence[LoadedModel], standard: Standard) -> RewardModel:
    """The model whose reward is Σ (r_k − offset_k) / scale_k, the sum of the members' standardised rewards.

    A head without a bias (every decoder's) leaves a constant out, which no comparison sees.

    Args:
        standard: Of the members' rewards on a shared reference set, in the members' order.

    Raises:
        ModelError: There is no member, or the members differ in more than their last linear layer.
        DataError: The standard is of another number of members.
    """
    if not members:
        raise ModelError("no models to merge", wanted="at least one", got=0)
    for other in members[1:]:
        _require_one_backbone(members[0], other)
    layers = [member.model.output_layer for member in members]
    weights = np.stack([layer.weight.detach().double().cpu().numpy()[0] for layer in layers])
    biases = np.array([0.0 if layer.bias is None else float(layer.bias.item()) for layer in layers])
    weight, bias = merge_linear(weights, biases, standard)
    model = copy.deepcopy(members[0].model)
    set_head(model, weight, bias)
    return model.eval()


def set_head(model: RewardModel, weight: np.ndarray, bias: float) -> None:
    """Give the last linear layer these values; without a bias in the layer, `bias` is left out."""
    layer = model.output_layer
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(np.asarray(weight, np.float32)).unsqueeze(0))
        if layer.bias is not None:
            layer.bias.fill_(bias)


def _require_one_backbone(first: LoadedModel, other: LoadedModel) -> None:
    how = {"pooling": (first.model.pooling, other.model.pooling)}
    how["template"] = (str(first.card.template_digest), str(other.card.template_digest))
    for name, (own, theirs) in how.items():
        if own != theirs:
            raise _differ(name, f"{own} and {theirs}")
    states = [member.model.state_dict() for member in (first, other)]
    heads = [_head_names(member.model) for member in (first, other)]
    if states[0].keys() != states[1].keys() or heads[0] != heads[1]:
        raise _differ("architecture", f"{type(first.model.network).__name__}, {type(other.model.network).__name__}")
    for name, tensor in states[0].items():
        if name not in heads[0] and not torch.equal(tensor, states[1][name]):
            raise _differ("weights below the head", name)


def _head_names(model: RewardModel) -> set[str]:
    own = {id(weight) for weight in model.output_layer.parameters()}
    return {name for name, weight in model.named_parameters() if id(weight) in own}


def _differ(what: str, got: str) -> ModelError:
    return ModelError(
        "heads of different backbones cannot become one",
        wanted=f"members with the same {what}, trained with model.trainable: head",
        got=got,
        fix="merge their rewards instead (leave --one-model out)",
    )
