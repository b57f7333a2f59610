"""How many labels does a choice save? Accuracy against number of labels, real pairs with their labels hidden.

Two data sets: HH-RLHF harmless (one human label a pair, its test set), and answers of many models to one prompt
(alpaca-eval-responses: GPT-4 turbo's rating decides). 30% of the prompt groups are test groups, the rest is the pool.
All choices start from the same 64 labels by lot and ask for more in batches, up to 1,024. The model is five two-layer
heads on frozen MiniLM features, each on a bootstrap of the labels, its reward their mean. The choices are those of
`rewardsmith refresh` without its share by lot. Distances are taken in the 64 first principal components.

Named before any result was seen: the choice that counts is `mixed`, against `random`. Of each choice, accuracy from 128
labels on is fitted as a + b·log n, with one slope b for all choices of a data set; the factor of labels saved is
exp((a − a_random) / b), which is below 1 where a choice wastes labels. The row is the geometric mean of both data
sets, with an interval that resamples seeds and test groups.

Changed after a first run: HH-RLHF was helpful and harmless pairs together. Their raters want opposite things, and no
choice came above .541 with 1,024 labels (by lot .521), where nothing can be said about labels saved (mixed: 3.2,
interval .4 to 2,700). The harmless pairs alone can be learned.

    python bench/label_efficiency.py            # about 5 minutes on one core once features are known
    python bench/label_efficiency.py --quick    # half a minute: does it run?
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from measure import ROOT

sys.path[:0] = [str(ROOT / "experiments")]

import cohorts  # noqa: E402
import ensembles  # noqa: E402
from head_bank import HeadPlan, score_heads, train_heads  # noqa: E402
from study import FIGURES, Study, row, write_rows  # noqa: E402

from rewardsmith.figures.style import PALETTE, drawing, to_svg  # noqa: E402
from rewardsmith.numerics.ranking import pair_accuracy  # noqa: E402
from rewardsmith.refresh.choose import choose  # noqa: E402
from rewardsmith.refresh.pool import Pool, Reading  # noqa: E402
from rewardsmith.refresh.settings import Choice, ChooseSettings  # noqa: E402

OUT = ROOT / "bench" / "results" / "optimise.json"
CHOICES: tuple[Choice, ...] = ("random", "margin", "disagreement", "diversity", "mixed")
COUNTED = "mixed"
SIZES = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
FITTED_FROM = 128
SEEDS = 5
MEMBERS = 5
TEST_SHARE = 0.3
STEPS, BATCH = 150, 64
COMPONENTS = 64
MOST_KNOWN = 500
DRAWS = 2000
NAMES = {"harmless": "HH-RLHF harmless, people", "alpaca": "AlpacaEval, GPT-4 turbo"}


@dataclass(frozen=True, slots=True)
class Data:
    """Pairs whose labels are known here and hidden from the choice.

    Attributes:
        features: `[row, feature]`.
        components: `[row, component]`, for distances.
        pairs: `[pair, 2]`, rows of the features: chosen, rejected.
        group: `[pair]`, prompt group.
    """

    features: np.ndarray
    components: np.ndarray
    pairs: np.ndarray
    group: np.ndarray


def main() -> None:
    """Run, or go on; print; write the row and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few pairs, sizes and seeds; nothing is written")
    quick = parser.parse_args().quick
    sizes, seeds = ((64, 128, 192), 2) if quick else (SIZES, SEEDS)
    data = {"harmless": load_harmless(quick=quick), "alpaca": load_alpaca(quick=quick)}
    study = Study("labels-quick" if quick else "labels")
    runs = {
        name: [
            study.run(
                {"data": name, "seed": seed, "sizes": list(sizes), "pairs": len(known.pairs)},
                lambda s=(known, seed): measure(*s, sizes=sizes),
            )
            for seed in range(seeds)
        ]
        for name, known in data.items()
    }
    samples = {name: factors(data[name], some, sizes) for name, some in runs.items()}
    for name, some in runs.items():
        show(name, some, samples[name], sizes)
    result = headline(samples, runs, sizes)
    print(f"runs took {study.seconds:.0f} s")
    if not quick:
        write_rows([result], OUT)
        FIGURES.mkdir(parents=True, exist_ok=True)
        (FIGURES / "labels.svg").write_text(figure(runs, sizes) + "\n", "utf-8")


# ---- data ----


def load_harmless(*, quick: bool) -> Data:
    """All usable pairs; features are those of `experiments/cohorts.py`."""
    known = cohorts.load_pairs(120 if quick else 10_000, max_tokens=64 if quick else 256)
    kept = np.flatnonzero(known.cohort == cohorts.COHORTS.index("harmless"))
    pairs = np.arange(2 * len(known.group)).reshape(-1, 2)[kept]
    return Data(known.features, components_of(known.features), pairs, known.group[kept])


def load_alpaca(*, quick: bool) -> Data:
    """Sixteen pairs a prompt of answers that were rated differently."""
    prompts, candidates = (24, 16) if quick else (240, 20)
    known = ensembles.load_candidates(prompts, candidates, max_tokens=64 if quick else 256)
    drawn = ensembles.draw_pairs(known.gold, np.arange(prompts), noise=0.0, rng=np.random.default_rng(0))
    unique = [np.unique(each, axis=0) for each in drawn]
    features = known.features.reshape(-1, known.features.shape[-1])
    group = np.repeat(np.arange(prompts), [len(each) for each in unique]).astype(str)
    return Data(features, components_of(features), np.concatenate(unique), group)


def components_of(features: np.ndarray) -> np.ndarray:
    """The first principal components."""
    centred = features - features.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return (centred @ vectors[:, -COMPONENTS:]).astype(np.float32)


# ---- one run ----


def measure(data: Data, seed: int, *, sizes: Sequence[int]) -> dict[str, Any]:
    """The credit of each test pair, after each size, by each choice: digits 0, 1 and 2 (halves)."""
    rng = np.random.default_rng([seed, 7])
    names, codes = np.unique(data.group, return_inverse=True)
    is_test = (rng.permutation(len(names)) < TEST_SHARE * len(names))[codes]
    pool, test = rng.permutation(np.flatnonzero(~is_test)), np.flatnonzero(is_test)
    labelled = dict.fromkeys(CHOICES, pool[: sizes[0]])
    credits: dict[str, list[str]] = {choice: [] for choice in CHOICES}
    for place, size in enumerate(sizes):
        rewards = train_all(data, labelled, seed=seed)
        for choice in CHOICES:
            margins = np.diff(rewards[choice].mean(axis=0)[data.pairs[test]][:, ::-1], axis=1)[:, 0]
            credits[choice].append("".join(f"{2 * credit:.0f}" for credit in pair_accuracy(margins.astype(np.float64))))
            if place + 1 < len(sizes):
                left = pool[~np.isin(pool, labelled[choice])]
                more = sizes[place + 1] - size
                found = ask(data, rewards[choice], left, labelled[choice], choice, n=more, seed=seed + place)
                labelled[choice] = np.concatenate([labelled[choice], found])
    return {"test": test.tolist(), "credits": credits}


def train_all(data: Data, labelled: Mapping[str, np.ndarray], *, seed: int) -> dict[str, np.ndarray]:
    """`[member, row]` of each choice; all heads of all choices are trained side by side."""
    plans = []
    for numbers in labelled.values():
        for member in range(MEMBERS):
            rng = np.random.default_rng([seed, member, 11])
            drawn = numbers[rng.integers(0, len(numbers), len(numbers))]
            plans.append(HeadPlan(100 * seed + member, 100 * seed + member, data.pairs[drawn]))
    n = len(next(iter(labelled.values())))
    epochs = max(1, -(-STEPS // -(-n // BATCH)))
    rewards = score_heads(data.features, train_heads(data.features, plans, epochs=epochs, batch_size=BATCH))
    return dict(zip(labelled, rewards.reshape(len(labelled), MEMBERS, -1), strict=True))


def ask(
    data: Data, rewards: np.ndarray, left: np.ndarray, labelled: np.ndarray, choice: Choice, *, n: int, seed: int
) -> np.ndarray:
    """The next pairs to label, as `rewardsmith refresh` would choose them."""
    pairs = data.pairs[left]
    members = rewards[:, pairs].astype(np.float64)
    reading = Reading(members.mean(axis=0), members, oriented(data, rewards, pairs))
    some = np.random.default_rng([seed, 13]).permutation(labelled)[:MOST_KNOWN]
    settings = ChooseSettings(pairs=n, by=choice, lot_share=0.0)
    pool = Pool((), pairs, tuple(data.group[left].tolist()))
    known = oriented(data, rewards, data.pairs[some])
    return left[[each.pair for each in choose(pool, reading, settings, known=known, seed=seed)]]


def oriented(data: Data, rewards: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """What the model likes better less the other: which of the two people chose is not in it."""
    mean = rewards.mean(axis=0)[pairs]
    sign = np.where(mean[:, 0] >= mean[:, 1], 1.0, -1.0)[:, None]
    return (sign * (data.components[pairs[:, 0]] - data.components[pairs[:, 1]])).astype(np.float32)


# ---- factors ----


def factors(data: Data, runs: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> np.ndarray:
    """`[draw, choice]`, the log of the factor of labels saved; draw 0 is what was measured, the others resample seeds
    and test groups."""
    names, codes = np.unique(data.group, return_inverse=True)
    sums = np.zeros((len(runs), len(names), len(CHOICES), len(sizes)))
    counts = np.zeros((len(runs), len(names)))
    for number, run in enumerate(runs):
        group = codes[np.array(run["test"])]
        np.add.at(counts[number], group, 1)
        np.add.at(sums[number], group, credits_of(run).transpose(2, 0, 1))
    rng = np.random.default_rng(0)
    drawn = []
    for draw in range(DRAWS + 1):
        weights, seeds = np.ones(len(names)), np.arange(len(runs))
        if draw:
            weights = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names)).astype(np.float64)
            seeds = rng.integers(0, len(runs), len(runs))
        total = np.einsum("g,sgcn->scn", weights, sums[seeds]) / (counts[seeds] @ weights)[:, None, None]
        drawn.append(log_factors(total.mean(axis=0), sizes))
    return np.array(drawn)


def credits_of(run: Mapping[str, Any]) -> np.ndarray:
    """`[choice, size, test pair]`, 0 to 1."""
    return np.array([[[int(digit) / 2 for digit in each] for each in run["credits"][choice]] for choice in CHOICES])


def log_factors(accuracy: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """(a − a_random) / b of accuracy = a + b·log n, `[choice, size]`, with one slope for all choices."""
    kept = [place for place, size in enumerate(sizes) if size >= FITTED_FROM]
    logs = np.log([sizes[place] for place in kept])
    values = accuracy[:, kept]
    centred = logs - logs.mean()
    slope = float((values.mean(axis=0) @ centred) / (centred @ centred))
    levels = values.mean(axis=1)
    return (levels - levels[CHOICES.index("random")]) / slope


def headline(samples: Mapping[str, np.ndarray], runs: Mapping[str, Any], sizes: Sequence[int]) -> dict[str, Any]:
    """The row of the choice that counts."""
    logs = np.mean([each[:, CHOICES.index(COUNTED)] for each in samples.values()], axis=0)
    low, high = np.exp(np.quantile(logs[1:], [0.025, 0.975]))
    by_data = {name: float(f"{np.exp(each[0, CHOICES.index(COUNTED)]):.4g}") for name, each in samples.items()}
    last = {
        choice: float(f"{np.mean([credits_of(run)[place, -1].mean() for some in runs.values() for run in some]):.4g}")
        for place, choice in enumerate(CHOICES)
        if choice in (COUNTED, "random")
    }
    unit = (
        f"labels by lot for one that was chosen ({COUNTED}), at equal accuracy, {FITTED_FROM} to {sizes[-1]} labels;"
        f" by data set {by_data}; accuracy at the end: {COUNTED} (ours), by lot (peer)"
    )
    n = sum(len(some) for some in runs.values())
    return row(
        "labels-saved-factor", float(np.exp(logs[0])), (float(low), float(high)), n=n, unit=unit,
        ours=last[COUNTED], peer=last["random"],
    )  # fmt: skip


def show(name: str, runs: Sequence[Mapping[str, Any]], samples: np.ndarray, sizes: Sequence[int]) -> None:
    """Print accuracy by size and the factor of each choice."""
    accuracy = np.mean([credits_of(run).mean(axis=2) for run in runs], axis=0)
    print(f"\n{NAMES[name]} ({len(runs)} seeds)\n{'labels':>14} " + " ".join(f"{size:>6}" for size in sizes))
    for place, choice in enumerate(CHOICES):
        low, high = np.exp(np.quantile(samples[1:, place], [0.025, 0.975]))
        told = " ".join(f"{value:>6.3f}" for value in accuracy[place])
        print(f"{choice:>14} {told}   factor {np.exp(samples[0, place]):.2f} [{low:.2f}, {high:.2f}]")


# ---- figure ----


def figure(runs: Mapping[str, Sequence[Mapping[str, Any]]], sizes: Sequence[int]) -> str:
    """Accuracy against labels, a data set a side."""
    with drawing():
        picture = Figure(figsize=(9.6, 3.8))
        for axes, (name, some) in zip(picture.subplots(1, len(runs)), runs.items(), strict=True):
            accuracy = np.mean([credits_of(run).mean(axis=2) for run in some], axis=0)
            for choice, values, colour in zip(CHOICES, accuracy, PALETTE, strict=False):
                dashed = "--" if choice == "random" else "-"
                axes.plot(sizes, values, dashed, color=colour, marker="o", markersize=3.5, label=choice)
            axes.set_xscale("log", base=2, subs=[])
            axes.set_xticks(sizes[::2], [str(size) for size in sizes[::2]])
            axes.set_title(NAMES[name])
            axes.set_xlabel("labels")
        picture.axes[0].set_ylabel("accuracy on held-out prompts")
        picture.axes[0].legend(loc="lower right")
        return to_svg(picture, "Accuracy against number of labels for five ways to choose what to label.")


if __name__ == "__main__":
    main()
