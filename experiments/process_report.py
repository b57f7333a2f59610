"""What `process.py` prints and draws of its result: plain numbers in, tables, rows and a picture out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from study import Row, row

from rewardsmith.core.finding import Estimate
from rewardsmith.figures.style import PALETTE, drawing, to_svg
from rewardsmith.numerics.intervals import group_bootstrap, moment_bootstrap, paired_difference, share_bootstrap
from rewardsmith.numerics.steps import NO_ERROR, step_auroc, step_credits

METHODS = {
    "prm product": "PRM, product",
    "prm minimum": "PRM, minimum",
    "prm last": "PRM, last step",
    "orm same": "ORM, same traces",
    "orm gsm8k": "ORM, GSM8K solutions",
    "majority": "vote on the answer",
    "random": "chance",
    "oracle": "any of the four",
}


def report(result: dict[str, Any]) -> list[Row]:
    """Print the tables; the rows that are kept."""
    print(f"\nPRM from {result['train_traces']} traces with {result['train_labels']} step labels; ", end="")
    print(f"ORM, same traces: one label each; ORM, GSM8K: {result['orm_traces']} solutions")
    print(f"\n{'held out':18}{'traces':>8}{'steps':>8}{'right':>8}  {'accuracy':24}{'AUROC':24}first-error F1")
    for name, test in result["tests"].items():
        print(
            f"{name:18}{len(test['gold']):8}{len(test['labels']):8}{np.mean(test['labels']):8.3f}  " + _step_line(test)
        )
    credits, groups = result["best_of_4"], result["problems"]
    print(f"\nbest of 4 on {len(groups)} GSM8K problems; AUROC of solutions: {result['auroc_of_solutions']}")
    for name, said in METHODS.items():
        ours = share_bootstrap(np.array(credits[name]), groups)
        gain = paired_difference(np.array(credits[name]), np.array(credits["random"]), groups)
        print(f"{said:24}{_shown(ours):26} minus chance {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]")
    return [
        _difference_row("prm-minus-orm-best-of-4", credits, groups, peer="orm same"),
        _difference_row("prm-minus-gsm8k-orm-best-of-4", credits, groups, peer="orm gsm8k"),
        _difference_row("prm-minus-majority-best-of-4", credits, groups, peer="majority"),
    ]


def _step_line(test: dict[str, Any]) -> str:
    logits, labels = np.array(test["logits"]), np.array(test["labels"], np.float64)
    accuracy = group_bootstrap(step_credits(logits, labels), test["step_groups"])
    auroc = group_bootstrap(
        np.column_stack([logits, labels]),
        test["step_groups"],
        statistic=lambda table: step_auroc(table[:, 0], table[:, 1]),
        draws=200,
    )
    f1 = first_error_estimate(test)
    return f"{_shown(accuracy):24}{_shown(auroc):24}{_shown(f1)}"


def first_error_estimate(test: dict[str, Any]) -> Estimate:
    """ProcessBench's F1; where no trace is free of errors, the accuracy on those that there are."""
    gold, predicted = np.array(test["gold"]), np.array(test["predicted"])
    found, is_wrong = (gold == predicted).astype(float), (gold != NO_ERROR).astype(float)
    moments = np.column_stack([found * is_wrong, is_wrong, found * (1 - is_wrong), 1 - is_wrong])
    return moment_bootstrap(moments, test["groups"], statistic=_f1 if (is_wrong == 0).any() else _accuracy)


def _f1(sums: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = sums[:, 0] / sums[:, 1], sums[:, 2] / sums[:, 3]
        return np.where(a + b > 0, 2 * a * b / (a + b), np.where(np.isnan(a + b), np.nan, 0.0))


def _accuracy(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0] / sums[:, 1]


def _difference_row(name: str, credits: dict[str, list[float]], groups: Sequence[str], *, peer: str) -> Row:
    ours, theirs = np.array(credits["prm product"]), np.array(credits[peer])
    gain = paired_difference(ours, theirs, groups)
    return row(
        name,
        gain.value,
        (gain.low, gain.high),
        n=gain.groups,
        unit=f"accuracy of the best of 4, {METHODS['prm product']} (ours) against {METHODS[peer]} (peer)",
        ours=float(f"{ours.mean():.4g}"),
        peer=float(f"{theirs.mean():.4g}"),
    )


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


# ---- figure ----


def figure(result: dict[str, Any]) -> str:
    """Best of 4 by method on the left; first errors by test set on the right."""
    credits, groups = result["best_of_4"], result["problems"]
    best = {METHODS[name]: share_bootstrap(np.array(credits[name]), groups) for name in METHODS}
    first = {name: first_error_estimate(test) for name, test in result["tests"].items()}
    with drawing():
        picture = Figure(figsize=(9.6, 3.8))
        left, right = picture.subplots(1, 2, width_ratios=(3, 2))
        for axes, values, colour in ((left, best, PALETTE[0]), (right, first, PALETTE[1])):
            for place, estimate in enumerate(values.values()):
                axes.plot([estimate.low, estimate.high], [place, place], color=colour)
                axes.plot([estimate.value], [place], color=colour, marker="o", markersize=6)
            axes.set_yticks(range(len(values)), list(values))
            axes.invert_yaxis()
        left.set_title(f"Best of 4, {len(groups)} problems")
        left.set_xlabel("share of right solutions")
        right.set_title("First error, held out")
        right.set_xlabel("F1 (mr-gsm8k: accuracy)")
        return to_svg(picture, "Best-of-4 accuracy by method, and first-error F1 by test set, with 95% intervals.")
