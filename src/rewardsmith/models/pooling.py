"""From the states of all tokens to one state a sequence, by the attention mask alone."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rewardsmith.core.errors import ModelError


def left_aligned(
    values: Int[Tensor, "sequence token"], attention_mask: Int[Tensor, "sequence token"]
) -> Int[Tensor, "sequence token"]:
    """Each sequence's own tokens moved to its start, in order; what stood under padding follows.

    A batch is brought into this one form before the model sees it, so that left padding, right padding and gaps give
    the same numbers: position k is a sequence's k-th token, an encoder's first state is that of its first token, and no
    query of a decoder finds all its keys masked (a softmax over nothing is NaN).
    """
    order = torch.argsort(attention_mask, dim=1, descending=True, stable=True)
    return values.gather(1, order)


def last_token(
    states: Float[Tensor, "sequence token hidden"], attention_mask: Int[Tensor, "sequence token"]
) -> Float[Tensor, "sequence hidden"]:
    """The state of each sequence's last token: the rightmost place where the mask is 1.

    The ids are never compared with the pad id. A text that contains it, or a model whose pad is its EOS, is read at its
    true end.
    """
    n_tokens = attention_mask.shape[1]
    last = n_tokens - 1 - attention_mask.flip(1).argmax(dim=1)
    return states[torch.arange(len(states), device=states.device), last]


def mean(
    states: Float[Tensor, "sequence token hidden"], attention_mask: Int[Tensor, "sequence token"]
) -> Float[Tensor, "sequence hidden"]:
    """The mean over each sequence's tokens, in float32: Σ m h / Σ m. States under padding are not read."""
    is_token = attention_mask.bool().unsqueeze(-1)
    # Not a product with the mask: 0 · NaN is NaN, should a padded place hold one.
    total = states.float().masked_fill(~is_token, 0.0).sum(dim=1)
    return total / attention_mask.sum(dim=1, keepdim=True).float()


def path_mean(
    states: Float[Tensor, "token hidden"], segments: Int[Tensor, "segment 3"], ends: Int[Tensor, " sequence"]
) -> Float[Tensor, "sequence hidden"]:
    """The mean over each packed sequence's tokens, in float32: the sums of the segments on its way, over its length.

    Args:
        segments: Start, end and parent of each.
        ends: Place of each sequence's last token, which is the last one of a segment.
    """
    sizes = segments[:, 1] - segments[:, 0]
    owner = torch.repeat_interleave(torch.arange(len(sizes), device=states.device), sizes)
    sums = torch.zeros(len(sizes), states.shape[1], device=states.device).index_add(0, owner, states.float())
    is_on_way = torch.eye(len(sizes), device=states.device)
    for number, parent in enumerate(segments[:, 2].tolist()):
        if parent >= 0:
            is_on_way[number] += is_on_way[parent]
    way = is_on_way[owner[ends]]
    return (way @ sums) / (way @ sizes.float()).unsqueeze(-1)


def check_mask(input_ids: Int[Tensor, "sequence token"], attention_mask: Int[Tensor, "sequence token"]) -> None:
    """The mask has the ids' shape.

    Raises:
        ModelError: It has another shape.
    """
    if input_ids.ndim != 2 or input_ids.shape != attention_mask.shape:
        raise ModelError(
            "ids and mask do not fit",
            wanted="two arrays of one shape [sequence, token]",
            got=f"{tuple(input_ids.shape)} and {tuple(attention_mask.shape)}",
        )
