"""Weight averaging: several reward models that were fine-tuned from one start, as one model at one model's cost.

WARM (Ramé et al. 2024, arXiv:2401.12187): θ = (1/k) Σ θ_i. It works where the models lie in one basin of the loss,
that is, started from the same backbone *and the same head*, and differ by data, order or settings of training.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from rewardsmith.core.errors import ModelError
from rewardsmith.models.load import LoadedModel
from rewardsmith.models.reward_model import RewardModel


def average_states(states: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each tensor, summed in float64 and returned in its own type; one state is in memory at a time.

    Tensors of integers, such as positions, must be the same in all of them.

    Raises:
        ModelError: There is none, or names, shapes or integers differ.
    """
    sums: dict[str, Tensor] = {}
    first: dict[str, Tensor] = {}
    count = 0
    for count, state in enumerate(states, start=1):  # noqa: B007 -- the last one is the number of states
        if not first:
            first = {name: tensor.detach().clone() for name, tensor in state.items()}
            sums = {name: tensor.double() for name, tensor in first.items() if tensor.is_floating_point()}
            continue
        _require_alike(first, state)
        for name in sums:
            sums[name] += state[name].detach().double()
    if not first:
        raise ModelError("no models to average", wanted="at least one", got=0)
    return {name: (sums[name] / count).to(own.dtype) if name in sums else own for name, own in first.items()}


def average(members: Iterable[LoadedModel]) -> RewardModel:
    """One model with the mean of the members' weights; they are loaded one after the other where `members` does so.

    Raises:
        ModelError: They differ in base, pooling, head, template or shape, or there is none.
    """
    seen: list[LoadedModel] = []

    def states() -> Iterable[Mapping[str, Tensor]]:
        for member in members:
            if seen:
                _require_same_start(seen[0], member)
            else:
                seen.append(member)
            yield member.model.state_dict()

    mean = average_states(states())
    model = copy.deepcopy(seen[0].model)
    model.load_state_dict(mean)
    return model.eval()


def _require_same_start(first: LoadedModel, other: LoadedModel) -> None:
    own, theirs = _start(first), _start(other)
    for name, value in own.items():
        if theirs[name] != value:
            raise ModelError(
                "models that did not start from one cannot be averaged",
                wanted=f"{name} {value}",
                got=theirs[name],
                fix="combine their rewards instead, by a rule such as mean",
            )


def _start(member: LoadedModel) -> dict[str, object]:
    return {
        "architecture": type(member.model.network).__name__,
        "base": member.card.base,
        "pooling": member.model.pooling,
        "head": member.card.head,
        "template": member.card.template_digest,
    }


def _require_alike(first: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    if first.keys() != other.keys():
        odd = sorted(first.keys() ^ other.keys())
        raise ModelError("models of different weights cannot be averaged", got=odd[:5])
    for name, tensor in first.items():
        if tensor.shape != other[name].shape:
            raise ModelError(
                "models of different shapes cannot be averaged",
                wanted=str(tuple(tensor.shape)),
                got=tuple(other[name].shape),
                where=name,
            )
        if not tensor.is_floating_point() and not torch.equal(tensor, other[name]):
            raise ModelError("models of different tables cannot be averaged", where=name)
