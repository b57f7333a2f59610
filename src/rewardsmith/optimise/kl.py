"""How far a policy is from its reference: KL of whole responses, in nats, on fresh samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.intervals import DRAWS, group_bootstrap, ratio_bootstrap
from rewardsmith.optimise.samples import SampleGroup, log_ratios


@dataclass(frozen=True, slots=True)
class Ratios:
    """log π − log π_ref of responses that π wrote.

    Attributes:
        nats: `[sample]`, of whole responses.
        n_tokens: `[sample]`, their tokens.
        groups: Prompt group of each.
    """

    nats: Float64[np.ndarray, " sample"]
    n_tokens: Float64[np.ndarray, " sample"]
    groups: tuple[str, ...]


def sequence_kl(groups: Iterable[SampleGroup], *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """KL(π ‖ π_ref) of whole responses in nats: the mean of log π − log π_ref over fresh samples (Ouyang et al. 2022).

    The samples must be draws of π itself, at temperature 1 and top_p 1, and drawn after π was trained: on any others
    the mean is of something else. Where responses are cut at a limit, it is the KL of the cut ones. It is unbiased, and
    may come out below nought by chance. The interval resamples prompt groups.

    Raises:
        DataError: A log-probability is not known, or not finite.
    """
    ratios = ratios_of(groups)
    return group_bootstrap(ratios.nats, ratios.groups, draws=draws, seed=seed)


def sequence_kl_k3(groups: Iterable[SampleGroup], *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """The same KL as the mean of ρ − 1 − log ρ with ρ = π_ref/π of whole responses (Schulman 2020, "k3").

    Never below nought, and steadier near it. Far from it ρ has heavy tails: where this and `sequence_kl` disagree by
    more than their intervals, neither has enough samples.

    Raises:
        DataError: See `sequence_kl`.
    """
    ratios = ratios_of(groups)
    return group_bootstrap(np.expm1(-ratios.nats) + ratios.nats, ratios.groups, draws=draws, seed=seed)


def nats_a_token(groups: Iterable[SampleGroup], *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Σ (log π − log π_ref) / Σ tokens: what many logs call KL. It is none: a longer response hides more of it.

    Raises:
        DataError: See `sequence_kl`; or the numbers of tokens are not known.
    """
    ratios = ratios_of(groups)
    if len(ratios.n_tokens) and ratios.n_tokens.min() < 1:
        raise DataError("a response of unknown length", wanted="n_tokens of at least 1", where="samples")
    return ratio_bootstrap(ratios.nats, ratios.n_tokens, ratios.groups, draws=draws, seed=seed)


def ratios_of(groups: Iterable[SampleGroup]) -> Ratios:
    """The log-ratios of all samples, in order.

    Raises:
        DataError: A log-probability is not known.
    """
    nats: list[float] = []
    tokens: list[int] = []
    names: list[str] = []
    for number, group in enumerate(groups):
        found = log_ratios(group)
        if found is None:
            raise DataError(
                "samples without log-probabilities",
                wanted="log_prob and log_prob_reference of each",
                where=f"group {number} ({group.group})",
                fix="sample from a local policy with a reference",
            )
        nats += found.tolist()
        tokens += [sample.n_tokens for sample in group.samples]
        names += [group.group] * len(group)
    return Ratios(np.array(nats, dtype=np.float64), np.array(tokens, dtype=np.float64), tuple(names))
