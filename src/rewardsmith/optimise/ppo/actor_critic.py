"""The policy and its value head: log-probabilities and values of the tokens of responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rewardsmith.batching.collate import pad
from rewardsmith.core.errors import SettingsError
from rewardsmith.models import head
from rewardsmith.models.causal_lm import last_states, token_log_probabilities
from rewardsmith.text.response import ResponseIds


class ActorCritic(nn.Module):
    """A causal language model, and a linear value head that reads the same states in float32.

    The head starts at nought: before anything is learnt every advantage is the reward that is still to come.

    Args:
        network: A causal language model.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        lm_head: Any = head.plain(network).get_output_embeddings()
        self.value_head = nn.Linear(lm_head.in_features, 1, device=lm_head.weight.device)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)

    def forward(
        self, responses: Sequence[ResponseIds], *, pad_id: int, width: int
    ) -> tuple[Float[Tensor, "sequence token"], Float[Tensor, "sequence token"]]:
        """log π(token) and the value before it, for the tokens of each response; nought beyond its end.

        Args:
            width: Tokens of the longest response of the whole batch.
        """
        states, rows, columns, targets = _states(self.network, responses, pad_id=pad_id)
        found = token_log_probabilities(self.network, states, targets)
        with torch.autocast(states.device.type, enabled=False):
            values = self.value_head(states.float()).squeeze(-1)
        empty = found.new_zeros(len(responses), width)
        return empty.index_put((rows, columns), found), empty.index_put((rows, columns), values)


def token_log_probs(
    network: nn.Module, responses: Sequence[ResponseIds], *, pad_id: int, width: int
) -> Float[Tensor, "sequence token"]:
    """log π of the tokens of each response under a model without a value head, such as the reference."""
    states, rows, columns, targets = _states(network, responses, pad_id=pad_id)
    found = token_log_probabilities(network, states, targets)
    return found.new_zeros(len(responses), width).index_put((rows, columns), found)


def response_mask(responses: Sequence[ResponseIds], *, width: int) -> Bool[Tensor, "sequence token"]:
    """Where the tokens of each response stand, counted from its own first one."""
    lengths = torch.tensor([each.end - each.start for each in responses])
    return torch.arange(width)[None] < lengths[:, None]


def train_last_blocks(network: nn.Module, wanted: int) -> None:
    """Freeze all but the last blocks, and what stands above them.

    Raises:
        SettingsError: The model has fewer blocks.
    """
    layers: Any = head.blocks(head.plain(network))
    if layers is None or wanted > len(layers):
        has = "none that can be found" if layers is None else len(layers)
        raise SettingsError("more blocks than the model has", wanted=f"at most {has}", got=wanted, where="last_blocks")
    kept = {id(parameter) for layer in layers[len(layers) - wanted :] for parameter in layer.parameters()}
    kept |= {
        id(parameter)
        for name, parameter in head.backbone(network).named_parameters()
        if "norm" in name and "layers" not in name
    }
    for parameter in network.parameters():
        parameter.requires_grad_(id(parameter) in kept)


def _states(
    network: nn.Module, responses: Sequence[ResponseIds], *, pad_id: int
) -> tuple[Float[Tensor, "token hidden"], Tensor, Tensor, Tensor]:
    """The state before each token of a response, its row, its place in the response, and its id."""
    padded = pad([each.ids[: each.end] for each in responses], pad_id=pad_id)
    device = head.plain(network).device
    inputs = (padded.input_ids, padded.attention_mask, padded.position_ids)
    ids, mask, positions = (torch.from_numpy(each).to(device) for each in inputs)
    states = last_states(network, ids, mask, positions)
    lengths = [each.end - each.start for each in responses]
    row = torch.from_numpy(np.repeat(np.arange(len(responses)), lengths)).to(device)
    place = torch.from_numpy(np.concatenate([np.arange(each.start, each.end) for each in responses])).to(device)
    column = torch.from_numpy(np.concatenate([np.arange(length) for length in lengths])).to(device)
    return states[row, place - 1], row, column, ids[row, place]
