"""Is the best of n of an ensemble worth more than that of one model, with and without wrong labels?

`alpaca-eval-responses`: many models' answers to a prompt, rated by one annotator against one reference; the rating is
the gold value. Heads of two layers on frozen MiniLM features learn from pairs of answers to half of the prompts, with
0% or 25% of the labels flipped, and choose among the candidates of the other half. Three random halvings, each used
both ways, so that every prompt is a test prompt three times; intervals resample prompts.

    python experiments/ensembles.py            # about 8 minutes on one core, of which features take 5, once
    python experiments/ensembles.py --quick    # a minute: does it run?
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from head_bank import HeadPlan, averaged, score_heads, train_heads
from matplotlib.figure import Figure
from study import FIGURES, Row, Study, frozen_features, require_data, row, write_rows

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.finding import Estimate
from rewardsmith.figures.style import PALETTE, drawing, to_svg
from rewardsmith.numerics.abstention import abstention, auroc_estimate
from rewardsmith.numerics.best_of_n import best_of_n
from rewardsmith.numerics.combination import (
    Standard,
    centred,
    mean,
    penalised,
    spread,
    standard_of,
    standardise,
    worst,
)
from rewardsmith.numerics.intervals import group_bootstrap, paired_difference
from rewardsmith.preferences.bootstrap import bootstrap_rows

GOLD = "weighted_alpaca_eval_gpt4_turbo:vs_gpt4_1106_preview"
MEMBERS = 5
PENALTY = 0.5
PAIRS_A_PROMPT = 16
LEAST_GAP = 0.02
NOISE = (0.0, 0.25)
SIZES = (1, 2, 4, 8, 16)
METHODS = {
    "single": "one model (mean of the five)",
    "seed mean": "seeds, mean",
    "seed worst": "seeds, worst",
    "seed penalised": "seeds, mean − ½ variance",
    "seed worst, centred": "seeds, worst, centred by prompt",
    "bootstrap mean": "bootstraps, mean",
    "bootstrap worst": "bootstraps, worst",
    "bootstrap penalised": "bootstraps, mean − ½ variance",
    "warm": "weights averaged (WARM)",
}
SHOWN = ("single", "seed mean", "seed worst", "seed penalised", "bootstrap worst", "warm")


@dataclass(frozen=True, slots=True)
class Candidates:
    """As many rated answers to each prompt.

    Attributes:
        prompts: Names.
        conversations: Prompt by prompt.
        gold: `[prompt, candidate]`, P(the answer beats the reference).
        features: `[prompt, candidate, feature]`.
    """

    prompts: tuple[str, ...]
    conversations: tuple[Conversation, ...]
    gold: np.ndarray
    features: np.ndarray


def main() -> None:
    """Run, or go on; print the table; write rows and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few prompts and one halving; nothing is written")
    quick = parser.parse_args().quick
    prompts, candidates, halvings = (24, 16, 1) if quick else (240, 20, 3)
    known = load_candidates(prompts, candidates, max_tokens=64 if quick else 256)
    study = Study("ensembles-quick" if quick else "ensembles")
    size = {"prompts": prompts, "candidates": candidates}
    runs = {
        noise: [
            study.run(
                {"noise": noise, "halving": halving, "side": side, **size},
                lambda s=(noise, halving, side): measure(known, *s),
            )
            for halving in range(halvings)
            for side in (0, 1)
        ]
        for noise in NOISE
    }
    rows = report(runs)
    print(f"runs took {study.seconds:.0f} s")
    if not quick:
        write_rows(rows)
        FIGURES.mkdir(parents=True, exist_ok=True)
        (FIGURES / "ensembles.svg").write_text(figure(runs) + "\n", "utf-8")


# ---- data ----


def load_candidates(prompts: int, candidates: int, *, max_tokens: int) -> Candidates:
    """The first prompts by name (a hash), and candidates drawn from their rated answers."""
    (path,) = require_data("alpaca-eval-responses.jsonl.gz")
    rated: dict[str, list[dict[str, Any]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for each in map(json.loads, stream):
            if GOLD in each["ratings"]:
                rated.setdefault(each["prompt_id"], []).append(each)
    enough = sorted(name for name, rows in rated.items() if len(rows) >= candidates)[:prompts]
    chosen = [
        rated[name][index]
        for number, name in enumerate(enough)
        for index in np.random.default_rng([0, number]).permutation(len(rated[name]))[:candidates]
    ]
    conversations = tuple((user(each["prompt"]), assistant(each["response"])) for each in chosen)
    features = frozen_features(conversations, base="builtin:minilm-l6", max_tokens=max_tokens, pooling="mean")
    # Three of MiniLM's dimensions never move.
    features = features[:, features.std(axis=0) > 1e-6]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    gold = np.array([each["ratings"][GOLD] for each in chosen]).reshape(len(enough), candidates)
    return Candidates(tuple(enough), conversations, gold, features.reshape(*gold.shape, -1))


def draw_pairs(gold: np.ndarray, prompts: np.ndarray, *, noise: float, rng: np.random.Generator) -> np.ndarray:
    """`[prompt, pair, 2]`: numbers of better and worse candidates among all, a share of them the wrong way round.

    Pairs are drawn, with replacement, from those whose ratings differ by at least 0.02.
    """
    drawn = []
    for prompt in prompts:
        better, other = np.nonzero(gold[prompt][:, None] - gold[prompt][None] >= LEAST_GAP)
        if not len(better):
            better, other = np.array([gold[prompt].argmax()]), np.array([gold[prompt].argmin()])
        picks = rng.integers(0, len(better), PAIRS_A_PROMPT)
        drawn.append(np.column_stack([better[picks], other[picks]]) + prompt * gold.shape[1])
    pairs = np.stack(drawn)
    flipped = rng.random(pairs.shape[:2]) < noise
    return np.where(flipped[..., None], pairs[..., ::-1], pairs)


# ---- one run ----


def measure(known: Candidates, noise: float, halving: int, side: int) -> dict[str, Any]:
    """Train on one half of the prompts, choose on the other."""
    rng = np.random.default_rng([halving, side, round(100 * noise)])
    order = np.random.default_rng([7, halving]).permutation(len(known.prompts))
    half = len(order) // 2
    train, test = (order[:half], order[half:]) if side == 0 else (order[half:], order[:half])
    pairs = draw_pairs(known.gold, train, noise=noise, rng=rng)
    flat = known.features.reshape(-1, known.features.shape[-1])
    rewards = {name: score_heads(flat, heads) for name, heads in _banks(flat, pairs, seed=100 * halving).items()}
    proxies, members = _proxies(rewards, train, known.gold.shape)
    curves = {
        name: [[_gold_curve(proxy.reshape(known.gold.shape)[p], known.gold[p]) for p in test] for proxy in some]
        for name, some in proxies.items()
    }
    heldout = draw_pairs(known.gold, test, noise=0.0, rng=rng).reshape(-1, 2)
    return {
        "prompts": [known.prompts[p] for p in test],
        "curves": {name: np.round(np.mean(some, axis=0), 5).tolist() for name, some in curves.items()},
        "random": float(known.gold[test].mean()),
        "best": float(known.gold[test].max(axis=1).mean()),
        "accuracy": {name: float(np.mean([_margins(p, heldout) > 0 for p in some])) for name, some in proxies.items()},
        "uncertainty": {name: _uncertainty(some, heldout) for name, some in members.items()},
    }


def _banks(features: np.ndarray, pairs: np.ndarray, *, seed: int) -> dict[str, Any]:
    """The heads of each kind of ensemble, all trained at once."""
    numbers = range(seed, seed + MEMBERS)
    everything = pairs.reshape(-1, 2)
    names = [str(number) for number in range(len(pairs))]
    drawn = [pairs[bootstrap_rows(names, seed=number)].reshape(-1, 2) for number in numbers]
    plans = [
        *(HeadPlan(number, number, everything) for number in numbers),
        *(HeadPlan(number, number, some) for number, some in zip(numbers, drawn, strict=True)),
        *(HeadPlan(seed, number, everything) for number in numbers),
    ]
    heads = train_heads(features, plans)
    parts = {
        name: {key: value[start : start + MEMBERS] for key, value in heads.items()}
        for name, start in zip(("seed", "bootstrap", "warm"), range(0, 3 * MEMBERS, MEMBERS), strict=True)
    }
    return {**parts, "warm": averaged(parts["warm"])}


def _proxies(
    rewards: dict[str, np.ndarray], train: np.ndarray, shape: tuple[int, ...]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """`[variant, candidate]` of each method, and the members on the scale of the training prompts."""
    groups = np.repeat(np.arange(shape[0]), shape[1])
    is_known = np.isin(groups, train)
    standards: dict[str, Standard] = {
        name: standard_of(rewards[name][:, is_known], groups[is_known]) for name in ("seed", "bootstrap")
    }
    members = {name: standardise(rewards[name], standard) for name, standard in standards.items()}
    proxies = {"single": rewards["seed"], "warm": rewards["warm"]}
    for name, some in members.items():
        proxies[f"{name} mean"] = mean(some)[None]
        proxies[f"{name} worst"] = worst(some)[None]
        proxies[f"{name} penalised"] = penalised(some, PENALTY)[None]
    proxies["seed worst, centred"] = worst(centred(members["seed"], groups))[None]
    return proxies, members


def _gold_curve(proxy: np.ndarray, gold: np.ndarray) -> list[float]:
    return best_of_n(proxy.astype(np.float64), gold[:, None], SIZES)[:, 0].tolist()


def _margins(rewards: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return rewards[..., pairs[:, 0]] - rewards[..., pairs[:, 1]]


def _uncertainty(members: np.ndarray, pairs: np.ndarray) -> dict[str, list[float]]:
    margins = _margins(members, pairs)
    return {
        "spread": np.round(spread(margins), 4).tolist(),
        "margin": np.round(mean(margins), 4).tolist(),
    }


# ---- report ----


def report(runs: dict[float, list[dict[str, Any]]]) -> list[Row]:
    """Print the table; the rows that are kept."""
    rows = []
    for noise, some in runs.items():
        groups = np.concatenate([run["prompts"] for run in some])
        curves = {name: np.concatenate([run["curves"][name] for run in some]) for name in METHODS}
        _print_table(noise, some, curves, groups)
        for name in ("seed", "bootstrap"):
            _print_uncertainty(name, *_uncertain(some, name))
        if noise == max(runs):
            rows = [_gain_row(curves, groups), _spread_row(some)]
    return rows


def _print_table(noise: float, some: list[dict[str, Any]], curves: dict[str, np.ndarray], groups: np.ndarray) -> None:
    ends = ", ".join(f"{name} {np.mean([run[name] for run in some]):.3f}" for name in ("random", "best"))
    print(f"\n{noise:.0%} of the labels flipped; {len(set(groups))} prompts, {len(some)} runs; gold win rate: {ends}")
    print(f"{'':34}{'accuracy':>10}" + "".join(f"{f'n={n}':>8}" for n in SIZES) + f"   n={SIZES[-1]} minus one model")
    for name, said in METHODS.items():
        accuracy = np.mean([run["accuracy"][name] for run in some])
        gain = paired_difference(curves[name][:, -1], curves["single"][:, -1], groups)
        values = "".join(f"{value:8.3f}" for value in curves[name].mean(axis=0))
        print(f"{said:34}{accuracy:10.3f}{values}   {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]")


def _uncertain(some: list[dict[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Spread, combined margin, whether it is wrong, and the prompt, of all held-out pairs of all runs."""
    spreads = np.concatenate([run["uncertainty"][name]["spread"] for run in some])
    margins = np.concatenate([run["uncertainty"][name]["margin"] for run in some])
    groups = np.concatenate([np.repeat(run["prompts"], PAIRS_A_PROMPT) for run in some])
    return spreads, margins, margins < 0, groups


def _print_uncertainty(
    name: str, spreads: np.ndarray, margins: np.ndarray, is_wrong: np.ndarray, groups: np.ndarray
) -> None:
    by = {"spread": spreads, "small margin": -np.abs(margins), "spread / margin": spreads / np.abs(margins).clip(1e-6)}
    for kind, values in by.items():
        estimate, curve = auroc_estimate(values, is_wrong, groups, draws=500), abstention(values, is_wrong)
        print(
            f"{name}: {kind} for a wrong pair: AUROC {estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}], "
            f"wrong {curve.risk_at(1.0):.3f} of all, {curve.risk_at(0.5):.3f} of the surest half (n = {estimate.n})"
        )


def _gain_row(curves: dict[str, np.ndarray], groups: np.ndarray) -> Row:
    ours, peer = curves["seed worst"][:, -1], curves["single"][:, -1]
    gain = paired_difference(ours, peer, groups)
    return row(
        "ensemble-min-minus-single-gold-under-noise",
        gain.value,
        (gain.low, gain.high),
        n=gain.groups,
        unit=f"gold win rate of the best of {SIZES[-1]}, 25% of the labels flipped",
        ours=_rounded(group_bootstrap(ours, groups)),
        peer=_rounded(group_bootstrap(peer, groups)),
    )


def _spread_row(some: list[dict[str, Any]]) -> Row:
    spreads, margins, is_wrong, groups = _uncertain(some, "seed")
    ours = auroc_estimate(spreads, is_wrong, groups, draws=500)
    peer = auroc_estimate(-np.abs(margins), is_wrong, groups, draws=500)
    return row(
        "ensemble-spread-auroc-under-noise",
        ours.value,
        (ours.low, ours.high),
        n=ours.groups,
        unit="AUROC for a wrong pair: members' spread (ours), smallness of the margin (peer)",
        ours=_rounded(ours),
        peer=_rounded(peer),
    )


def _rounded(estimate: Estimate) -> float:
    return float(f"{estimate.value:.4g}")


# ---- figure ----


def figure(runs: dict[float, list[dict[str, Any]]]) -> str:
    """Gold by n above, abstention below; without noise on the left, with it on the right."""
    with drawing():
        picture = Figure(figsize=(9.6, 7.2))
        above, below = picture.subplots(2, len(runs), sharey="row")
        for axes, (noise, some) in zip(above, runs.items(), strict=True):
            for name, colour in zip(SHOWN, PALETTE, strict=True):
                values = np.concatenate([run["curves"][name] for run in some]).mean(axis=0)
                axes.plot(SIZES, values, color=colour, marker="o", markersize=3.5, label=METHODS[name])
            axes.set_xscale("log", base=2, subs=[])
            axes.set_xticks(SIZES, [str(n) for n in SIZES])
            axes.set_title(f"{noise:.0%} of the labels flipped")
            axes.set_xlabel("n")
        for axes, some in zip(below, runs.values(), strict=True):
            spreads, margins, is_wrong, _ = _uncertain(some, "seed")
            for label, values, colour in (
                ("by the members' spread", spreads, PALETTE[2]),
                ("by the margin", -np.abs(margins), PALETTE[0]),
            ):
                curve = abstention(values, is_wrong)
                shown = slice(math.ceil(0.05 * len(is_wrong)), None, max(1, len(is_wrong) // 200))
                axes.plot(curve.coverages[shown], curve.risks[shown], color=colour, label=label)
            axes.set_xlabel("share of pairs answered")
        above[0].set_ylabel("gold win rate of the best of n")
        below[0].set_ylabel("share of them wrong")
        above[0].legend(loc="upper left")
        below[0].legend(loc="lower right")
        return to_svg(picture, "Best-of-n gold curves and abstention curves of one model and of ensembles.")


if __name__ == "__main__":
    main()
