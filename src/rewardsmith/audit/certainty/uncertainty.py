"""Ensembles: does the members' disagreement say where the ensemble is wrong?

Beside it stands what a single model could say of itself, the smallness of its own margin: a spread that does no better
than that is no reason to pay for an ensemble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.observations import distinct_conversations, ordered_pairs
from rewardsmith.audit.part import Part
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer, Scores
from rewardsmith.figures.pieces import Picture, Piece, Prose, Section, Table
from rewardsmith.figures.plots import Curve, curves
from rewardsmith.numerics.abstention import Abstention, abstention, auroc_estimate
from rewardsmith.numerics.combination import spread
from rewardsmith.numerics.testing import interval_p_value

_FEWEST_OF_A_KIND = 10
_COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """What predicts that a pair is ordered wrongly.

    Attributes:
        auroc: Of the members' spread about the margin; ½ is chance.
        margin_auroc: Of the smallness of the combined margin.
        spread: Answering the pairs of least spread first.
        margin: Answering the pairs of largest margin first.
    """

    auroc: Estimate
    margin_auroc: Estimate
    spread: Abstention
    margin: Abstention


def uncertainty_part(scorer: Scorer, heldout: Sequence[Preference], *, seed: int = 0) -> Part | None:
    """The part `uncertainty`; `None` where the scorer gives no spread."""
    conversations = distinct_conversations(heldout)
    if not conversations or scorer.score(conversations[:1]).spread is None:
        return None
    measured = measure_uncertainty(scorer, heldout, seed=seed)
    return Part("uncertainty", tuple(uncertainty_findings(measured)), (_section(measured),), measured)


def measure_uncertainty(scorer: Scorer, heldout: Sequence[Preference], *, seed: int = 0) -> Uncertainty | Absent:
    """Score the conversations of `heldout`, and compare the spread of each pair's margin with whether it is wrong.

    Pairs that raters called equal, or whose two rewards are equal, are left out.
    """
    conversations = distinct_conversations(heldout)
    place = {conversation: number for number, conversation in enumerate(conversations)}
    pairs = [pair for pair in ordered_pairs(heldout) if not pair.tie]
    sides = np.array([[place[each] for each in pair.conversations] for pair in pairs], dtype=np.int64).reshape(-1, 2)
    groups = np.array([pair.preference.group for pair in pairs], dtype=object)
    scores = scorer.score(conversations)
    margins = _differences(np.asarray(scores.rewards, dtype=np.float64)[None], sides)[0]
    spreads = pair_spread(scores, sides)
    known = np.isfinite(margins) & np.isfinite(spreads) & (margins != 0)
    is_wrong = margins[known] < 0
    few = min(int(is_wrong.sum()), int((~is_wrong).sum()))
    if few < _FEWEST_OF_A_KIND:
        return Absent(f"Only {few} pairs are wrong, or right; at least {_FEWEST_OF_A_KIND} of each are needed.")
    smallness = -np.abs(margins[known])
    names = groups[known].astype(str)
    return Uncertainty(
        auroc=auroc_estimate(spreads[known], is_wrong, names, seed=seed),
        margin_auroc=auroc_estimate(smallness, is_wrong, names, seed=seed),
        spread=abstention(spreads[known], is_wrong),
        margin=abstention(smallness, is_wrong),
    )


def pair_spread(scores: Scores, sides: np.ndarray) -> Float64[np.ndarray, " pair"]:
    """Standard deviation over members of the margin of each pair; members' offsets for a prompt drop out.

    Where only each response's own spread is known, √(s₁² + s₂²), as if members erred independently.

    Args:
        sides: `[pair, 2]`, the numbers of chosen and rejected among the scored conversations.
    """
    if scores.members is not None:
        return spread(_differences(np.asarray(scores.members, dtype=np.float64), sides))
    own = np.asarray(scores.spread, dtype=np.float64)
    return np.hypot(own[sides[:, 0]], own[sides[:, 1]])


def uncertainty_findings(measured: Uncertainty | Absent) -> list[Finding]:
    """`ensemble.spread`: a warning where disagreement is *lower* on wrong pairs."""
    if isinstance(measured, Absent):
        return []
    estimate, margin = measured.auroc, measured.margin_auroc
    p_value = interval_p_value(estimate, null=0.5, alternative="less")
    said = (
        f"AUROC of the members' spread for a wrong pair: {estimate.value:.2f} [{estimate.low:.2f}, "
        f"{estimate.high:.2f}] over {estimate.n} pairs (of a small margin: {margin.value:.2f})"
    )
    if estimate.high < 0.5:
        summary = f"{said}: members agree more where they are wrong, so the spread misleads."
        return [Finding("ensemble.spread", estimate, "warning", summary, limit=0.5, p_value=p_value)]
    shown = "it says where the ensemble is wrong." if estimate.low > 0.5 else "that it says anything is not shown."
    return [Finding("ensemble.spread", estimate, "info", f"{said}: {shown}", limit=0.5, p_value=p_value)]


def _differences(
    rewards: Float[np.ndarray, "member conversation"], sides: np.ndarray
) -> Float[np.ndarray, "member pair"]:
    return rewards[:, sides[:, 0]] - rewards[:, sides[:, 1]]


def _section(measured: Uncertainty | Absent) -> Section:
    title, intro = "Uncertainty", "Do the members disagree where the ensemble is wrong?"
    if isinstance(measured, Absent):
        return Section(title, (Prose(measured.reason),), intro=intro)
    by = {"members' spread": measured.spread, "small margin": measured.margin}
    aurocs = (measured.auroc, measured.margin_auroc)
    rows = tuple(
        (name, estimate, curve.area, *(curve.risk_at(coverage) for coverage in _COVERAGES))
        for (name, curve), estimate in zip(by.items(), aurocs, strict=True)
    )
    columns = ("abstain by", "AUROC", "area", *(f"wrong at {coverage:.0%}" for coverage in _COVERAGES))
    caption = (
        f"Share of wrong pairs where only the surest are answered. Area under that curve: by lot "
        f"{measured.spread.random_area:.3f}, at best {measured.spread.best_area:.3f}."
    )
    picture = curves(
        {name: Curve(curve.coverages, curve.risks) for name, curve in by.items()},
        title="Abstention",
        x_label="share of pairs answered",
        y_label="share of them wrong",
        references={"all answered": measured.spread.random_area},
    )
    pieces: tuple[Piece, ...] = (Table(columns, rows, caption=caption), Picture(picture))
    return Section(title, pieces, intro=intro)
