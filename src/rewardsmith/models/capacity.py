"""How many tokens a model has positions for."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rewardsmith.models.reward_model import RewardModel

_NOT_KNOWN = 1_000_000
"""transformers writes an absurdly large `model_max_length` where a tokenizer has no limit."""


def token_capacity(model: RewardModel | PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Most tokens of one conversation; `None` where neither the model nor its tokenizer has a limit.

    The smallest of `max_position_embeddings`, the positions that can really be reached, and the tokenizer's
    `model_max_length`. RoBERTa and its kin count positions from the pad's number + 1, so that of 514 positions
    (pad 1) two are never used and a text of 513 tokens would read beyond the table.
    """
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    limits = (positions, _reachable_positions(model), tokenizer.model_max_length)
    return min((int(limit) for limit in limits if limit and limit < _NOT_KNOWN), default=None)


def _reachable_positions(model: RewardModel | PreTrainedModel) -> int | None:
    """Rows of a learnt position table after the pad's own; `None` where no position is kept for the pad."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            return module.num_embeddings - module.padding_idx - 1
    return None
