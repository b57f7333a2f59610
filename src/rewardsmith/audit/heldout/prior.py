"""Where the prior of a residual reward is wrong: does the reward follow the labels there, or the prior?

A prior helps where it is right, and a residual that has learnt too little repeats it where it is wrong. Someone who
knows the prior (longer is better) picks such prompts on purpose, and the pooled accuracy does not show them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.heldout.accuracy import percent
from rewardsmith.audit.observations import Observations, Rewards, distinct_conversations, observe
from rewardsmith.audit.part import Part
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.finding import Estimate, Finding, Severity
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer, Scores
from rewardsmith.figures.pieces import Piece, Prose, Section, Table
from rewardsmith.numerics.intervals import empty_estimate, share_bootstrap
from rewardsmith.numerics.ranking import pair_accuracy
from rewardsmith.numerics.testing import interval_p_value

PRIOR, RESIDUAL = "prior", "residual"
"""What a residual scorer calls the two parts of its reward in `Scores.attributes`."""

LIMIT = 0.5
_FEWEST_PAIRS = 20


@dataclass(frozen=True, slots=True)
class Agreement:
    """Accuracy on some pairs.

    Attributes:
        reward: Of prior and residual together.
        residual: Of the residual alone.
    """

    reward: Estimate
    residual: Estimate


@dataclass(frozen=True, slots=True)
class PriorCheck:
    """How the reward does where the prior disagrees with the labels, and elsewhere.

    Attributes:
        against: Pairs on which the prior prefers the rejected answer.
        rest: All other judged pairs.
        prior: Accuracy of the prior alone, over all judged pairs.
        share: Share of the judged pairs on which the prior is wrong.
    """

    against: Agreement
    rest: Agreement
    prior: Estimate
    share: Estimate


def prior_part(scorer: Scorer, heldout: Sequence[Preference], *, seed: int) -> Part | None:
    """What `prior.against` says of a scorer whose reward is a prior and a residual; `None` of any other scorer."""
    conversations = distinct_conversations(heldout)
    if not {PRIOR, RESIDUAL} <= set(scorer.score(conversations[:1]).attributes):
        return None
    scores = scorer.score(conversations)
    parts = {
        name: observe(heldout, _rewards(values, conversations, scores))
        for name, values in (("reward", scores.rewards), *scores.attributes.items())
        if name in ("reward", PRIOR, RESIDUAL)
    }
    check = check_prior(parts["reward"], prior=parts[PRIOR].margin, residual=parts[RESIDUAL].margin, seed=seed)
    intro = "Does the reward agree with the labels where its prior does not?"
    if isinstance(check, Absent):
        return Part("prior", (), (Section("Prior", (Prose(check.reason),), intro=intro),), check)
    return Part("prior", (prior_finding(check),), (Section("Prior", _pieces(check), intro=intro),), check)


def check_prior(
    rows: Observations,
    *,
    prior: Float64[np.ndarray, " pair"],
    residual: Float64[np.ndarray, " pair"],
    seed: int,
) -> PriorCheck | Absent:
    """Accuracy by whether the prior is wrong.

    Args:
        rows: The pairs, with the rewards of prior and residual together.
        prior: Prior of the chosen response minus that of the rejected one, of each pair.
        residual: The same of the residual.
    """
    judged = rows.judged
    if not judged.any():
        return Absent("No pair can be judged.")
    wrong = judged & (prior < 0)
    rest = judged & ~wrong
    group = rows.group[judged]
    return PriorCheck(
        against=_agreement(rows, residual, wrong, seed=seed),
        rest=_agreement(rows, residual, rest, seed=seed),
        prior=share_bootstrap(pair_accuracy(prior[judged]), group, seed=seed),
        share=share_bootstrap(wrong[judged].astype(np.float64), group, seed=seed),
    )


def prior_finding(check: PriorCheck) -> Finding:
    """`prior.against`: accuracy of the reward on the pairs on which the prior is wrong; below one half, the prior
    outvotes the labels."""
    name, there, rest = "prior.against", check.against.reward, check.rest.reward
    where = f"the prior prefers the rejected answer, {percent(check.share)} of the pairs"
    measured = f"Where {where}, the reward is right in {percent(there)} of {there.n}; on the rest in {percent(rest)}"
    if there.n < _FEWEST_PAIRS:
        summary = f"{measured}. These are too few to judge by."
        return Finding(name, there, "info", summary, limit=LIMIT, unit="share")
    alarm = there.value < LIMIT
    summary = f"{measured}: there it follows the prior and not the labels." if alarm else f"{measured}."
    severity: Severity = "warning" if alarm else "info"
    p_value = interval_p_value(there, null=LIMIT, alternative="less")
    return Finding(name, there, severity, summary, limit=LIMIT, p_value=p_value, unit="share")


def _rewards(values: np.ndarray, conversations: Sequence[Conversation], scores: Scores) -> Rewards:
    return Rewards(dict(zip(conversations, values.astype(np.float64).tolist(), strict=True)), scores.provenance)


def _agreement(
    rows: Observations, residual: Float64[np.ndarray, " pair"], mask: Bool[np.ndarray, " pair"], *, seed: int
) -> Agreement:
    if not mask.any():
        return Agreement(empty_estimate(), empty_estimate())
    group = rows.group[mask]
    margins = (rows.margin[mask], residual[mask])
    return Agreement(*(share_bootstrap(pair_accuracy(each), group, seed=seed) for each in margins))


def _pieces(check: PriorCheck) -> tuple[Piece, ...]:
    rows = (
        ("the prior is wrong", check.against.reward, check.against.residual),
        ("the rest", check.rest.reward, check.rest.residual),
    )
    caption = (
        f"The prior alone is right in {percent(check.prior)} of {check.prior.n:,} pairs; it prefers the rejected "
        f"answer in {percent(check.share)}. The residual by itself is what the labels added; where the prior is wrong, "
        "the reward is right only if the residual outweighs it."
    )
    return (Table(("pairs", "prior + residual", "residual alone"), rows, caption=caption, percent=True),)
