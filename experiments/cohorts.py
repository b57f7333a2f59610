"""Helpful and harmless reward models merged: does the loudest win, and what does fairness cost either cohort?

HH-RLHF helpful and harmless pairs, 1,872 and 2,298 before the checks. Two-layer heads on frozen MiniLM features: a
specialist a cohort, trained for 6 epochs, and one that was trained ten times as long, which makes its rewards larger by
itself. Five folds over prompt groups: each pair is a test pair once, and of the rest a sixth of the groups is the
reference set, on which scales, temperatures and thresholds are fitted. Three seeds; a pair's credit is their mean.

Named before any result was seen: the merge that counts is the standardised sum, held against the naive sum, by the
accuracy of the worse cohort, where one of the two specialists was trained longer (the mean of the two cases).

    python experiments/cohorts.py            # about 8 minutes on one core, of which features take 6, once
    python experiments/cohorts.py --quick    # a minute: does it run?
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from head_bank import HeadPlan, score_heads, train_heads
from matplotlib.figure import Figure
from study import FIGURES, Row, Study, frozen_features, require_data, row, write_rows

from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Preference
from rewardsmith.figures.style import INK, PALETTE, drawing, to_svg
from rewardsmith.numerics.calibration import fit_temperature
from rewardsmith.numerics.combination import standard_of, standardise
from rewardsmith.numerics.intervals import group_bootstrap, moment_bootstrap
from rewardsmith.numerics.merging import Constraint, Merge
from rewardsmith.preferences.reading import Reader
from rewardsmith.preferences.settings import DataSettings, SourceSettings

COHORTS = ("helpful", "harmless")
FOLDS = 5
EPOCHS = 6
LONGER = 10 * EPOCHS
REFERENCE_SHARE = 1 / 6
QUANTILE, STRENGTH = 0.25, 4.0
CONDITIONS = {
    "as is": (EPOCHS, EPOCHS),
    "helpful longer": (LONGER, EPOCHS),
    "harmless longer": (EPOCHS, LONGER),
}
METHODS = {
    "helpful": "specialist: helpful",
    "harmless": "specialist: harmless",
    "sum": "naive sum",
    "standardised": "standardised sum",
    "log-odds": "calibrated log-odds",
    "worst-cohort": "worst cohort",
    "helpful, harmless limited": "helpful, harmless above a threshold",
    "harmless, helpful limited": "harmless, helpful above a threshold",
    "joint": "joint training",
}
SHOWN = ("sum", "standardised", "log-odds", "worst-cohort", "helpful, harmless limited", "harmless, helpful limited")


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of both cohorts.

    Attributes:
        features: `[2·pair, feature]`: rows 2k and 2k + 1 are chosen and rejected of pair k.
        cohort: `[pair]`, 0 helpful, 1 harmless.
        group: `[pair]`, prompt group.
    """

    features: np.ndarray
    cohort: np.ndarray
    group: np.ndarray


def main() -> None:
    """Run, or go on; print the table; write rows and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few pairs and one seed; nothing is written")
    quick = parser.parse_args().quick
    most, seeds = (120, 1) if quick else (10_000, 3)
    known = load_pairs(most, max_tokens=64 if quick else 256)
    study = Study("cohorts-quick" if quick else "cohorts")
    runs = [
        study.run({"fold": fold, "seed": seed, "pairs": len(known.group)}, lambda s=(fold, seed): measure(known, *s))
        for fold in range(FOLDS)
        for seed in range(seeds)
    ]
    rows = report(known, runs)
    print(f"runs took {study.seconds:.0f} s")
    if not quick:
        write_rows(rows)
        FIGURES.mkdir(parents=True, exist_ok=True)
        (FIGURES / "cohorts.svg").write_text(figure(known, runs) + "\n", "utf-8")


# ---- data ----


def load_pairs(most: int, *, max_tokens: int) -> Pairs:
    """The first pairs of each cohort that pass the checks."""
    files = require_data(*(f"hh-rlhf-{name}-test-pairs.jsonl.gz" for name in COHORTS))
    kept = [_usable(str(path))[:most] for path in files]
    asked = [
        preference.conversation(number)
        for some in kept
        for preference in some
        for number in (preference.pairs[0].chosen, preference.pairs[0].rejected)
    ]
    features = frozen_features(asked, base="builtin:minilm-l6", max_tokens=max_tokens, pooling="mean")
    spread = features.std(axis=0)
    return Pairs(
        # Two of MiniLM's dimensions never vary.
        features=(features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0),
        cohort=np.repeat([0, 1], [len(some) for some in kept]),
        group=np.array([preference.group for some in kept for preference in some]),
    )


def _usable(path: str) -> list[Preference]:
    reader = Reader(DataSettings(sources=(SourceSettings(path=path),)))
    return [judged.outcome for judged in reader if isinstance(judged.outcome, Preference)]


def parts(known: Pairs, fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of the training, reference and test pairs; a group is in one of them, whichever cohort it is in."""
    names, codes = np.unique(known.group, return_inverse=True)
    place = np.random.default_rng(0).permutation(len(names))
    is_test = (place % FOLDS == fold)[codes]
    lottery = np.random.default_rng([1, fold]).random(len(names))[codes]
    is_reference = ~is_test & (lottery < REFERENCE_SHARE)
    train, reference, test = (np.flatnonzero(each) for each in (~is_test & ~is_reference, is_reference, is_test))
    return train, reference, test


# ---- one run ----


def measure(known: Pairs, fold: int, seed: int) -> dict[str, Any]:
    """Credits of every method on the test pairs of a fold, and how loud the specialists are."""
    train, reference, test = parts(known, fold)
    own = [train[known.cohort[train] == cohort] for cohort in (0, 1)]
    rewards = {
        (cohort, epochs): _trained(known, own[cohort], seed=seed, epochs=epochs)
        for cohort in (0, 1)
        for epochs in (EPOCHS, LONGER)
    }
    joint = _credits(_trained(known, train, seed=seed, epochs=EPOCHS), test)
    found: dict[str, Any] = {"test": test.tolist(), "credits": {}, "loudness": {}}
    for condition, epochs in CONDITIONS.items():
        members = np.stack([rewards[cohort, epochs[cohort]] for cohort in (0, 1)])
        rules = _rules(known, members, reference)
        found["credits"][condition] = {
            "helpful": _credits(members[0], test),
            "harmless": _credits(members[1], test),
            **{name: _credits(merge(members), test) for name, merge in rules.items()},
            "joint": joint,
        }
        standard = rules["standardised"].standard
        found["loudness"][condition] = [] if standard is None else np.round(standard.scales, 3).tolist()
    return found


def _trained(known: Pairs, pairs: np.ndarray, *, seed: int, epochs: int) -> np.ndarray:
    """The rewards of all responses under a head that was trained on `pairs`."""
    plan = HeadPlan(seed, seed, np.column_stack([2 * pairs, 2 * pairs + 1]))
    return score_heads(known.features, train_heads(known.features, [plan], epochs=epochs))[0].astype(np.float64)


def _rules(known: Pairs, members: np.ndarray, reference: np.ndarray) -> dict[str, Merge]:
    """Each rule, fitted on the reference pairs: scales on those of both cohorts, the rest on each member's own."""
    rows = np.column_stack([2 * reference, 2 * reference + 1]).ravel()
    standard = standard_of(members[:, rows], np.repeat(known.group[reference], 2), names=COHORTS)
    own = [reference[known.cohort[reference] == cohort] for cohort in (0, 1)]
    margins = [members[k][2 * some] - members[k][2 * some + 1] for k, some in enumerate(own)]
    scaled = standardise(members, standard)
    thresholds = np.array([np.quantile(scaled[k][2 * some], QUANTILE) for k, some in enumerate(own)])
    limited = [
        Merge("constrained", standard=standard, constraint=Constraint(objective, thresholds, STRENGTH))
        for objective in (0, 1)
    ]
    return {
        "sum": Merge("sum"),
        "standardised": Merge("standardised", standard=standard),
        "log-odds": Merge("log-odds", temperatures=np.array([fit_temperature(each) for each in margins])),
        "worst-cohort": Merge("worst-cohort", standard=standard),
        "helpful, harmless limited": limited[0],
        "harmless, helpful limited": limited[1],
    }


def _credits(rewards: np.ndarray, pairs: np.ndarray) -> list[float]:
    """1 where the preferred response has the higher reward, ½ where both have the same."""
    return (0.5 + 0.5 * np.sign(rewards[2 * pairs] - rewards[2 * pairs + 1])).tolist()


# ---- report ----


def credits_of(known: Pairs, runs: Sequence[Mapping[str, Any]], condition: str) -> dict[str, np.ndarray]:
    """Method → `[pair]`, the mean credit over seeds; each pair is a test pair of one fold."""
    sums = {name: np.zeros(len(known.group)) for name in METHODS}
    counts = np.zeros(len(known.group))
    for run in runs:
        counts[run["test"]] += 1
        for name, values in run["credits"][condition].items():
            sums[name][run["test"]] += values
    return {name: total / counts for name, total in sums.items()}


def accuracies(known: Pairs, credits: np.ndarray) -> tuple[Estimate, Estimate]:
    """Of the helpful and of the harmless pairs."""
    helpful, harmless = (
        group_bootstrap(credits[known.cohort == cohort], known.group[known.cohort == cohort]) for cohort in (0, 1)
    )
    return helpful, harmless


def worse_cohort_gain(known: Pairs, cases: Sequence[tuple[np.ndarray, np.ndarray]]) -> Estimate:
    """min over cohorts of the accuracy of the first less that of the second, mean over the cases.

    Interval over prompt groups of both cohorts: in each draw the worse cohort is found anew.
    """
    is_cohort = [(known.cohort == cohort).astype(float) for cohort in (0, 1)]
    columns = [credits * each for case in cases for credits in case for each in is_cohort]

    def gain(sums: np.ndarray) -> np.ndarray:
        shares = sums[:, 2:].reshape(len(sums), len(cases), 2, 2) / sums[:, None, None, :2]
        worse = shares.min(axis=3)
        return (worse[:, :, 0] - worse[:, :, 1]).mean(axis=1)

    return moment_bootstrap(np.column_stack([*is_cohort, *columns]), known.group, statistic=gain)


def report(known: Pairs, runs: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Print the tables; the rows that are kept."""
    credits = {condition: credits_of(known, runs, condition) for condition in CONDITIONS}
    for condition, methods in credits.items():
        loud = np.mean([run["loudness"][condition] for run in runs], axis=0)
        print(f"\n{condition}: within-prompt SD of the specialists {loud[0]:.2f} (helpful), {loud[1]:.2f} (harmless)")
        print(f"{'':38}{'helpful':>24}{'harmless':>24}   worse cohort, minus the naive sum")
        for name, said in METHODS.items():
            shown = "".join(f"{_text(each):>24}" for each in accuracies(known, methods[name]))
            gain = worse_cohort_gain(known, [(methods[name], methods["sum"])])
            print(f"{said:38}{shown}   {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]")
    longer = [name for name in CONDITIONS if name != "as is"]
    return [
        _row(
            known,
            "merged-minus-naive-worst-cohort",
            [credits[name] for name in longer],
            "one specialist trained longer",
        ),
        _row(known, "merged-minus-naive-worst-cohort-as-is", [credits["as is"]], "specialists trained alike"),
    ]


def _row(known: Pairs, name: str, cases: Sequence[Mapping[str, np.ndarray]], said: str) -> Row:
    gain = worse_cohort_gain(known, [(case["standardised"], case["sum"]) for case in cases])
    nothing = np.zeros(len(known.group))
    ours, peer = (
        worse_cohort_gain(known, [(case[method], nothing) for case in cases]) for method in ("standardised", "sum")
    )
    return row(
        name,
        gain.value,
        (gain.low, gain.high),
        n=len(known.group),
        unit=f"accuracy of the worse cohort, {said}: standardised sum (ours), naive sum (peer)",
        ours=float(f"{ours.value:.4g}"),
        peer=float(f"{peer.value:.4g}"),
    )


def _text(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


# ---- figure ----


def figure(known: Pairs, runs: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy on the helpful pairs against that on the harmless ones, a panel a condition."""
    with drawing():
        picture = Figure(figsize=(11.5, 4.6))
        panels = picture.subplots(1, len(CONDITIONS), sharex=True, sharey=True)
        for axes, condition in zip(panels, CONDITIONS, strict=True):
            methods = credits_of(known, runs, condition)
            for name in ("helpful", "harmless", "joint"):
                x, y = accuracies(known, methods[name])
                axes.plot(x.value, y.value, "x", color=INK)
                axes.annotate(METHODS[name], (x.value, y.value), textcoords="offset points", xytext=(5, 4), fontsize=8)
            for name, colour in zip(SHOWN, PALETTE, strict=True):
                x, y = accuracies(known, methods[name])
                errors = [[[each.value - each.low], [each.high - each.value]] for each in (x, y)]
                axes.errorbar(
                    x.value, y.value, xerr=errors[0], yerr=errors[1], fmt="o", color=colour, lw=1, label=METHODS[name]
                )
            axes.set_title(condition)
            axes.set_xlabel("accuracy, helpful")
        panels[0].set_ylabel("accuracy, harmless")
        picture.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return to_svg(picture, "Accuracy on helpful and on harmless pairs of specialists, merges and joint training.")


if __name__ == "__main__":
    main()
