"""The length that a reward follows beyond what the labels ask for, as a penalty that a step can be cut into pieces of.

A correlation belongs to a set of pairs, not to one pair, so it is no loss of a pair. But it depends on the set through
seven sums alone. Sums add up over micro-batches and devices; so the penalty of a whole optimiser step, and its
gradient, are found from pieces of the step, whatever the cut.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor

_SPREAD = 0.1
"""Rewards. A spread of Δr far below this counts as none: the correlation of rewards that are about equal, as at the
start, would have a gradient without bound."""


def length_moments(
    delta: Float[Tensor, " pair"],
    length_gap: Float[Tensor, " pair"],
    direction: Float[Tensor, " pair"],
    weight: Float[Tensor, " pair"],
) -> Float64[Tensor, " 7"]:
    """Σw, Σw·s², Σw·s·d, Σw·s·l, Σw·d², Σw·d·l, Σw·l² over some pairs; those of a larger set are sums of its parts'.

    Args:
        delta: d = r⁺ − r⁻; the gradient flows through it.
        length_gap: l, tokens of the chosen response minus those of the rejected one.
        direction: s, 1 where the label says chosen, −1 where it says rejected, 0 where it says neither.
        weight: w of each pair.
    """
    d, gap, s, w = (each.double() for each in (delta, length_gap, direction, weight))
    products = ((s, s), (s, d), (s, gap), (d, d), (d, gap), (gap, gap))
    return torch.stack([w.sum(), *((w * first * second).sum() for first, second in products)])


def length_penalty(moments: Float64[Tensor, " 7"]) -> Float64[Tensor, ""]:
    """ρ² = C² / ((V_d + ε·Σw)·V_l): the squared partial correlation of Δr and Δlength given the label, in [0, 1].

    C = Σw·e·f, V_d = Σw·e², V_l = Σw·f², where e and f are what is left of d and l after the part that goes with the
    label s: e = d − s·Σw·s·d / Σw·s². For plain labels this takes the means away, so that ρ is Pearson's correlation
    over the pairs in the order chosen, rejected (the audit's `length.partial`, there with ranks). Swapping the sides of
    any pair changes nothing. A reward that is right by the same margin everywhere has ρ = 0, however much longer the
    chosen responses are; one that only measures length has ρ = 1.

    ε = 0.01 keeps the gradient bounded where all rewards are about equal; beyond that ρ does not depend on the scale of
    the rewards, so that the penalty cannot be paid off by making them small. 0 where the lengths say nothing.
    """
    total, labels, along_d, along_l, dd, dl, ll = moments
    labelled = torch.where(labels > 0, labels, 1.0)
    covariance = dl - along_d * along_l / labelled
    spread_d = (dd - along_d**2 / labelled).clamp(min=0.0)
    spread_l = (ll - along_l**2 / labelled).clamp(min=0.0)
    # What rounding leaves of equal lengths is no spread.
    varies = spread_l > 1e-9 * ll
    below = (spread_d + _SPREAD**2 * total) * torch.where(varies, spread_l, 1.0)
    return torch.where(varies, covariance**2 / torch.where(varies, below, 1.0), 0.0)


def length_slope(moments: Float64[Tensor, " 7"]) -> Float64[Tensor, " 7"]:
    """∂ρ²/∂moments at the moments of a whole step.

    Σ slope·`length_moments` of a part of the step has, in that part's rewards, the gradient of the whole step's ρ²: the
    chain rule, cut at the sums (Gao 2021, arXiv 2101.06983, cuts contrastive losses in the same way).
    """
    leaf = moments.detach().clone().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(length_penalty(leaf), leaf)
    return slope
