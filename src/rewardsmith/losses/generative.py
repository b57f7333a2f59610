"""The loss of a model that writes before it judges: preference and language modelling together."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rewardsmith.losses.precision import precise


def rationale_loss(
    log_probs: Float[Tensor, " token"], owner: Int64[Tensor, " token"], *, sequences: int
) -> Float[Tensor, " sequence"]:
    """−mean_t log p(rationale_t | prompt, response, rationale_<t) of each sequence; 0 where it has no rationale.

    Args:
        log_probs: Of the tokens of all rationales. Tokens of the prompt and of the response are not among them.
        owner: The sequence of each token.
        sequences: How many there are.
    """
    values = precise(log_probs)
    zeros = torch.zeros(sequences, dtype=values.dtype, device=values.device)
    sums = zeros.index_add(0, owner, -values)
    counts = zeros.index_add(0, owner, torch.ones_like(values))
    return sums / counts.clamp(min=1)


def generative_term(
    rationale: Float[Tensor, " sequence"],
    chosen: Int64[Tensor, " pair"],
    rejected: Int64[Tensor, " pair"],
    *,
    alpha: float,
) -> Float[Tensor, " pair"]:
    """α·½(L_gen(chosen) + L_gen(rejected)) of each pair, to be added to its L_BT: L = L_BT + α·L_gen.

    Ankner 2024 (Critique-out-Loud, arXiv 2408.11791), whose objective is the sum of a preference and a language
    modelling loss. Here L_gen is the mean over a rationale's tokens, so that a long rationale counts as one, and each
    pair counts both of its sides, whichever won: the model has to write about bad responses too.
    """
    values = precise(rationale)
    return alpha * 0.5 * (values[chosen] + values[rejected])
