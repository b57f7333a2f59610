"""Losses that know ties: −log of the probability of what the raters said (win or tie)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import softplus

from rewardsmith.losses.precision import precise

# The logarithm of an impossible probability is taken of this instead: about −87, not −∞, so that a gradient exists.
_TINY = torch.finfo(torch.float32).tiny


def rao_kupper(
    delta: Float[Tensor, " pair"],
    tie: Bool[Tensor, " pair"],
    *,
    theta: Float[Tensor, ""] | float,
    prob_chosen: Float[Tensor, " pair"] | float = 1.0,
    margin: Float[Tensor, " pair"] | float = 0.0,
) -> Float[Tensor, " pair"]:
    """Rao & Kupper 1967: raters cannot tell rewards apart that differ by less than log θ.

    P(win) = σ(Δ − log θ), P(loss) = σ(−Δ − log θ), P(tie) = 1 − P(win) − P(loss) = (θ² − 1)·P(win)·P(loss).
    The product form of P(tie) keeps its digits where P(tie) is near 0. A pair that is no tie has the loss
    −p·log P(win) − (1 − p)·log P(loss).

    Args:
        theta: θ ≥ 1; θ = 1 leaves no room for ties and gives Bradley–Terry (a tie then costs about 88 nats). To
            learn it, pass the exponential of a parameter that is kept above 0.
        margin: Asked of both sides, as in `soft_label`; ties take none.
    """
    delta, prob, margin = precise(delta), precise(prob_chosen), precise(margin)
    log_theta = torch.log(precise(theta))
    log_room = torch.log(torch.expm1(2 * log_theta).clamp(min=_TINY))
    win, lose = softplus(log_theta + margin - delta), softplus(log_theta + margin + delta)
    equal = softplus(log_theta - delta) + softplus(log_theta + delta) - log_room
    return torch.where(tie, equal, prob * win + (1 - prob) * lose)


def davidson(
    delta: Float[Tensor, " pair"],
    tie: Bool[Tensor, " pair"],
    *,
    nu: Float[Tensor, ""] | float,
    prob_chosen: Float[Tensor, " pair"] | float = 1.0,
    margin: Float[Tensor, " pair"] | float = 0.0,
) -> Float[Tensor, " pair"]:
    """Davidson 1970: P(tie) = ν·√(e^{r⁺}e^{r⁻}) / Z, P(win) = e^{r⁺} / Z, Z = e^{r⁺} + e^{r⁻} + ν·√(e^{r⁺}e^{r⁻}).

    Divided by √(e^{r⁺}e^{r⁻}) this depends on Δ alone: e^{Δ/2}, e^{−Δ/2} and ν over their sum. A pair that is no tie
    has the loss −p·log P(win) − (1 − p)·log P(loss).

    Args:
        nu: ν ≥ 0, how common ties are; ν = 0 gives Bradley–Terry (a tie then costs about 88 nats).
        margin: Asked of both sides, as in `soft_label`; ties take none.
    """
    delta, prob, margin = precise(delta), precise(prob_chosen), precise(margin)
    log_nu = torch.log(precise(nu).clamp(min=_TINY)).to(delta)

    win, lose = (_log_sum(-ahead, log_nu - ahead / 2) for ahead in (delta - margin, -delta - margin))
    equal = _log_sum(delta / 2 - log_nu, -delta / 2 - log_nu)
    return torch.where(tie, equal, prob * win + (1 - prob) * lose)


def _log_sum(*terms: Float[Tensor, " pair"]) -> Float[Tensor, " pair"]:
    """log(1 + Σ e^term): −log P of the outcome whose own term was divided out, to full precision near P = 1."""
    return torch.logsumexp(torch.stack([torch.zeros_like(terms[0]), *terms]), dim=0)
