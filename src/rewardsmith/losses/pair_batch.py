"""What an objective takes and what it gives back. Both are plain tensors, one entry a pair."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int64
from torch import Tensor


@dataclass(frozen=True, slots=True)
class PairBatch:
    """The comparisons of a batch. All pairs of a prompt stand in the same batch.

    Attributes:
        chosen: Index of the chosen response's reward in the batch's rewards.
        rejected: Likewise of the rejected one.
        prob_chosen: Soft label in [0, 1]; 1 for a plain label, .5 for a tie.
        margin: How much better, in the data's scale; 0 where nobody said.
        weight: Weight of the pair; 1 for a plain one.
        tie: Raters called the two equal.
        preference: Index of the pair's prompt within the batch.
        sequence_preference: Index of each response's prompt within the batch, parallel to the rewards.
        length_gap: Tokens of the chosen response minus those of the rejected one; `None` where nobody counted them.
    """

    chosen: Int64[Tensor, " pair"]
    rejected: Int64[Tensor, " pair"]
    prob_chosen: Float[Tensor, " pair"]
    margin: Float[Tensor, " pair"]
    weight: Float[Tensor, " pair"]
    tie: Bool[Tensor, " pair"]
    preference: Int64[Tensor, " pair"]
    sequence_preference: Int64[Tensor, " sequence"]
    length_gap: Float[Tensor, " pair"] | None = None


@dataclass(frozen=True, slots=True)
class PairLosses:
    """Losses before any reduction, so that sums and weights can be added up over a whole optimiser step.

    The step's objective is Σ weight·(loss + regulariser) / Σ weight, both sums over all devices and micro-batches.

    Attributes:
        loss: Of each pair. Under Plackett–Luce each pair carries its prompt's value, which the weights count once.
        regulariser: Of each pair, coefficient included.
        weight: Of each pair: its own weight divided by the number of its prompt's pairs, so that each prompt counts
            once, however many responses it has (Ouyang 2022, arXiv 2203.02155, section 3.5).
        delta: r⁺ − r⁻ of each pair.
    """

    loss: Float[Tensor, " pair"]
    regulariser: Float[Tensor, " pair"]
    weight: Float[Tensor, " pair"]
    delta: Float[Tensor, " pair"]
