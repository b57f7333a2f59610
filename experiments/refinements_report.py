"""Tables, rows and the figure of `refinements.py`, from the held-out Δ of its runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from study import FIGURES, Row, row

from rewardsmith.audit.heldout.lengths import length_matched
from rewardsmith.audit.observations import Observations
from rewardsmith.core.finding import Estimate
from rewardsmith.figures.style import PALETTE, drawing, to_svg
from rewardsmith.numerics.calibration import expected_calibration_error, log_losses
from rewardsmith.numerics.intervals import group_bootstrap
from rewardsmith.numerics.ranking import pair_accuracy

SEEDS = 5
_DRAWS = 200

Runs = Mapping[str, Sequence[Mapping[str, Any]]]
"""Variant → one result a seed."""


def final(runs: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """`[seed, pair]`: Δ after the last epoch."""
    return np.array([run["epochs"][-1] for run in runs])


def credits(deltas: np.ndarray) -> np.ndarray:
    """`[pair]`: mean over the seeds of what each pair earns."""
    return np.mean([pair_accuracy(each) for each in deltas], axis=0)


def losses(deltas: np.ndarray) -> np.ndarray:
    """`[pair]`: mean over the seeds of −log σ(Δ)."""
    return np.mean([log_losses(each) for each in deltas], axis=0)


def calibration_error(deltas: np.ndarray) -> float:
    """Mean over the seeds of the expected calibration error."""
    return float(np.mean([expected_calibration_error(each) for each in deltas]))


def length_correlation(deltas: np.ndarray, gaps: np.ndarray) -> float:
    """Mean over the seeds of Spearman's correlation of Δr and Δlength, each pair in both orders."""
    both = np.concatenate([gaps, -gaps])
    found: list[Any] = [spearmanr(np.concatenate([each, -each]), both) for each in deltas]
    return float(np.mean([each.statistic for each in found]))


def difference(
    rows: Observations, ours: np.ndarray, peer: np.ndarray, statistic: Callable[[np.ndarray, np.ndarray], float]
) -> Estimate:
    """statistic(ours) − statistic(peer), both of (Δ, Δlength), resampling prompt groups.

    Args:
        ours: `[seed, pair]`; likewise `peer`.
    """
    seeds = len(ours)
    table = np.column_stack([*ours, *peer, rows.length_difference])

    def gap(values: np.ndarray) -> float:
        first, second, length = values[:, :seeds].T, values[:, seeds : 2 * seeds].T, values[:, -1]
        return statistic(first, length) - statistic(second, length)

    return group_bootstrap(table, rows.group, statistic=gap, draws=_DRAWS)


def print_tables(
    rows: Mapping[str, Observations],
    runs: Mapping[str, Runs],
    audits: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> None:
    """One table of figures and one of audits a data set."""
    for name, observed in rows.items():
        judged = np.flatnonzero(observed.prob_chosen > 0.5)
        part = observed.where(observed.prob_chosen > 0.5)
        longer = np.mean(part.length_difference > 0)
        print(f"\n{name}: {len(judged)} held-out pairs; the longer answer wins {longer:.3f} of them")
        print(f"{'':28}{'accuracy':>24}{'minus plain':>26}{'matched':>9}{'corr':>8}{'NLL':>8}{'ECE':>7}")
        for variant, some in runs[name].items():
            _print_variant(variant, part, final(some)[:, judged], final(runs[name][_baseline(variant)])[:, judged])
        print(f"{'':28}" + "".join(f"{probe:>22}" for probe in next(iter(audits[name].values()))["shifts"]))
        for variant, audit in audits[name].items():
            shifts = "".join(f"{v:+9.2f} [{low:+.2f},{high:+.2f}]" for v, low, high in audit["shifts"].values())
            print(f"{variant:28}{shifts}")
            found = (f"{key} {value:+.3f} ({severity})" for key, (value, severity) in audit["findings"].items())
            print(f"{'':28}" + ", ".join(found))


def _print_variant(variant: str, part: Observations, ours: np.ndarray, peer: np.ndarray) -> None:
    accuracy = group_bootstrap(credits(ours), part.group)
    gain = group_bootstrap(credits(ours) - credits(peer), part.group)
    matched = credits(ours)[length_matched(part)].mean() if length_matched(part).any() else float("nan")
    print(
        f"{variant:28}{accuracy.value:8.3f} [{accuracy.low:.3f}, {accuracy.high:.3f}]"
        f"{gain.value:+9.3f} [{gain.low:+.3f}, {gain.high:+.3f}]{matched:9.3f}"
        f"{length_correlation(ours, part.length_difference):+8.3f}"
        f"{losses(ours).mean():8.3f}{calibration_error(ours):7.3f}"
    )


def _baseline(variant: str) -> str:
    """What a variant stands against: the plain training on the same labels."""
    return "plain, 25% flipped" if variant.endswith("flipped") else "plain"


# ---- rows ----

_ACCURACY = ("accuracy, held-out pairs, mean of 5 seeds", lambda deltas, _: float(credits(deltas).mean()))
_NLL = ("nats a held-out pair, mean of 5 seeds", lambda deltas, _: float(losses(deltas).mean()))
_ECE = ("expected calibration error, mean of 5 seeds", lambda deltas, _: calibration_error(deltas))
_LENGTH = ("Spearman correlation of Δreward with Δlength, mean of 5 seeds", length_correlation)

COMPARISONS: tuple[tuple[str, str, str, tuple[str, Any]], ...] = (
    ("hard-minus-uniform-accuracy", "hard", "plain", _ACCURACY),
    ("hard-minus-uniform-ece", "hard", "plain", _ECE),
    ("hard-minus-uniform-accuracy-25-flipped", "hard, 25% flipped", "plain, 25% flipped", _ACCURACY),
    ("margin-up-minus-plain-accuracy", "margin 0 to 1", "plain", _ACCURACY),
    ("margin-down-minus-plain-accuracy", "margin 1 to 0", "plain", _ACCURACY),
    ("smoothing-minus-plain-nll", "smoothing 0.1", "plain", _NLL),
    ("smoothing-minus-plain-accuracy-25-flipped", "smoothing 0.25, 25% flipped", "plain, 25% flipped", _ACCURACY),
    ("smoothing-minus-plain-nll-25-flipped", "smoothing 0.25, 25% flipped", "plain, 25% flipped", _NLL),
    ("other-answers-minus-plain-accuracy", "other answers", "plain", _ACCURACY),
    ("cut-answers-minus-plain-accuracy", "cut answers", "plain", _ACCURACY),
    ("balanced-minus-plain-accuracy", "balanced", "plain", _ACCURACY),
    ("balanced-minus-plain-length-correlation", "balanced", "plain", _LENGTH),
    ("penalty-3-minus-plain-accuracy", "penalty 3", "plain", _ACCURACY),
    ("penalty-3-minus-plain-length-correlation", "penalty 3", "plain", _LENGTH),
)
"""Name of the row, variant, what it stands against, and the figure."""


def refinement_rows(rows: Mapping[str, Observations], runs: Mapping[str, Runs]) -> list[Row]:
    """One row a comparison and data set."""
    found = []
    for data, observed in rows.items():
        judged = np.flatnonzero(observed.prob_chosen > 0.5)
        part = observed.where(observed.prob_chosen > 0.5)
        for name, variant, against, (unit, statistic) in COMPARISONS:
            ours, peer = (final(runs[data][each])[:, judged] for each in (variant, against))
            estimate = difference(part, ours, peer, statistic)
            sides = (float(f"{statistic(each, part.length_difference):.4g}") for each in (ours, peer))
            found.append(_row(f"refinements-{data}-{name}", estimate, unit, *sides))
    return found


def _row(name: str, estimate: Estimate, unit: str, ours: float, peer: float) -> Row:
    return row(name, estimate.value, (estimate.low, estimate.high), n=estimate.n, unit=unit, ours=ours, peer=peer)


# ---- figure ----


def write_figure(rows: Mapping[str, Observations], runs: Mapping[str, Runs]) -> None:
    """Accuracy and calibration by epoch, uniform and hard; accuracy against length correlation for the variants."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    (FIGURES / "refinements.svg").write_text(figure(rows, runs) + "\n", "utf-8")


def figure(rows: Mapping[str, Observations], runs: Mapping[str, Runs]) -> str:
    """The SVG: a row of three panels a data set."""
    with drawing():
        picture = Figure(figsize=(11.4, 3.7 * len(rows)))
        panels = picture.subplots(len(rows), 3, squeeze=False)
        for axes, (data, observed) in zip(panels, rows.items(), strict=True):
            judged = np.flatnonzero(observed.prob_chosen > 0.5)
            _draw_epochs(axes[0], axes[1], runs[data], judged)
            axes[0].set_title(data)
            _draw_lengths(axes[2], runs[data], judged, observed.length_difference[judged])
        return to_svg(picture, "Accuracy and calibration error by epoch; accuracy against length correlation.")


def _draw_epochs(above: Any, beside: Any, runs: Runs, judged: np.ndarray) -> None:
    labels = {"plain": "uniform", "hard": "hard", "plain, 25% flipped": "uniform, 25% flipped"}
    labels["hard, 25% flipped"] = "hard, 25% flipped"
    for colour, (variant, label) in zip(PALETTE, labels.items(), strict=False):
        epochs = np.array([run["epochs"] for run in runs[variant]])[:, :, judged].swapaxes(0, 1)
        numbers = range(1, len(epochs) + 1)
        above.plot(numbers, [credits(each).mean() for each in epochs], color=colour, marker="o", ms=3, label=label)
        beside.plot(numbers, [calibration_error(each) for each in epochs], color=colour, marker="o", ms=3)
    above.set_ylabel("held-out accuracy")
    beside.set_ylabel("calibration error (ECE)")
    for axes in (above, beside):
        axes.set_xlabel("epoch")
    above.legend(fontsize=8)


def _draw_lengths(axes: Any, runs: Runs, judged: np.ndarray, gaps: np.ndarray) -> None:
    shown = ("plain", "balanced", "penalty 0.3", "penalty 3", "balanced + penalty 3", "cut answers")
    for colour, variant in zip(PALETTE, shown, strict=True):
        deltas = final(runs[variant])[:, judged]
        axes.plot(length_correlation(deltas, gaps), credits(deltas).mean(), "o", color=colour, label=variant)
    axes.set_xlabel("correlation of Δreward with Δlength")
    axes.set_ylabel("held-out accuracy")
    axes.legend(fontsize=8)
