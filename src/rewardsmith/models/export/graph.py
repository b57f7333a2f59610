"""What is exported: a padded batch in, one reward a sequence out, in operations that every exporter knows."""

from __future__ import annotations

import copy
from typing import Any

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from rewardsmith.models import head, pooling
from rewardsmith.models.reward_model import RewardModel

INPUTS = ("input_ids", "attention_mask")
OUTPUT = "rewards"

# Sizes that differ from each other and from 0 and 1, so that an exporter takes none of them for a constant.
_EXAMPLE_SEQUENCES, _EXAMPLE_TOKENS = 3, 17
_EXAMPLE_PADDING = 8


class RewardGraph(nn.Module):
    """The same reward as `RewardModel`'s, for batches that are padded on the right.

    That is the form into which `RewardModel` brings every batch by itself; whoever runs an exported file pads so. No
    step of it depends on the ids under the padding, nor on how many sequences or tokens a batch has.

    Args:
        model: Its network is shared where that need not be changed; adapters must be in the weights.
    """

    def __init__(self, model: RewardModel) -> None:
        super().__init__()
        self.pooling = model.pooling
        self.is_decoder = model.is_decoder
        self.mlp = model.mlp
        self.head = copy.deepcopy(model.output_layer).float()
        self.network = _without_last_layer(model) if model.pooling == "pooled" else head.backbone(model.network)

    def forward(
        self, input_ids: Int64[Tensor, "sequence token"], attention_mask: Int64[Tensor, "sequence token"]
    ) -> Float32[Tensor, " sequence"]:
        """The rewards of a batch."""
        pooled = self._pooled(input_ids, attention_mask).float()
        features = pooled if self.mlp is None else self.mlp.features(pooled)
        return self.head(features).squeeze(-1)

    def _pooled(self, ids: Tensor, mask: Tensor) -> Tensor:
        if self.pooling == "pooled":
            return self.network(input_ids=ids, attention_mask=mask).logits
        extra: dict[str, Any] = {"use_cache": False} if self.is_decoder else {}
        states = self.network(input_ids=ids, attention_mask=mask, **extra).last_hidden_state
        return pooling.mean(states, mask) if self.pooling == "mean" else _last_token(states, mask)


def example_batch(*, vocabulary: int) -> tuple[Tensor, Tensor]:
    """Ids and mask of a small batch, a sequence of it padded, for exporters to look at."""
    shape = (_EXAMPLE_SEQUENCES, _EXAMPLE_TOKENS)
    ids = torch.arange(shape[0] * shape[1]).reshape(shape) % vocabulary
    mask = torch.ones_like(ids)
    mask[1, _EXAMPLE_TOKENS - _EXAMPLE_PADDING :] = 0
    return ids, mask


def _last_token(states: Tensor, mask: Tensor) -> Tensor:
    """The state of each sequence's last token. `pooling.last_token` would fix the number of sequences in the file."""
    last = (mask.sum(dim=1) - 1)[:, None, None]
    return states.gather(1, last.expand(-1, 1, states.shape[-1])).squeeze(1)


def _without_last_layer(model: RewardModel) -> nn.Module:
    """The network's own code up to what its last layer reads, since every encoder pools in its own way."""
    network = copy.deepcopy(head.plain(model.network))
    name = next(name for name, module in head.plain(model.network).named_modules() if module is _last_layer(model))
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, nn.Identity())
    return network


def _last_layer(model: RewardModel) -> nn.Linear:
    return head.output_layer(model.network)
