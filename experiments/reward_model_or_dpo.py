"""Reward model or DPO? The same pairs, the same policy, three ways to use them, compared at equal KL.

Pairs of the policy's own responses, judged by the rubric with a rater's noise, are used

- by DPO, which needs no reward model;
- by a reward model that learnt from them, and best-of-n, which trains nothing more;
- by the same reward model, and GRPO.

Gold (the rubric, default weights) and KL are measured on fresh responses to prompts that nothing has learnt from; KL of
best-of-n is log n − (n−1)/n. Each way gives a curve of gold gained against √KL, on straight lines between its
measured points; the ways are held against each other where all of them have been. Intervals resample prompts, KL and
gold together. One training seed a way.

    python experiments/reward_model_or_dpo.py            # about 20 minutes on two quiet cores; goes on where it stopped
    python experiments/reward_model_or_dpo.py --quick    # a minute: does it run?
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from policy_arm import Arm, arm_config, estimate_of, forget_checkpoints, point_from, train_dpo, train_grpo
from policy_world import (
    ENCODER,
    POLICY,
    QUICK,
    World,
    base_samples,
    build_world,
    conversations_of,
    rated,
    reward_model,
    training_pairs,
)
from study import FIGURES, ROOT, Row, Study, row, write_rows

from rewardsmith.core.finding import Estimate
from rewardsmith.core.scores import Scorer
from rewardsmith.figures.style import PALETTE, drawing, to_svg
from rewardsmith.numerics.best_of_n import best_of_n, best_of_n_nats, size_grid
from rewardsmith.numerics.intervals import DRAWS, draw_counts, from_samples, group_bootstrap
from rewardsmith.optimise.anchor import AnchorSettings
from rewardsmith.optimise.settings import MeasureSettings, OptimiseSettings, TrlSettings
from rewardsmith.optimise.watch import StopSettings
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.single import load_single

ROWS = ROOT / "bench" / "results" / "optimise.json"
BEST_OF, DPO, GRPO = "best-of-n", "dpo", "grpo"
SAID = {BEST_OF: "best-of-n by the reward model", DPO: "DPO on the pairs", GRPO: "GRPO on the reward model"}
COLUMNS = ("gold", "length", "finished")


@dataclass(frozen=True, slots=True)
class Curve:
    """What a way costs and gains, from the first policy on.

    Attributes:
        nats: `[prompt, point]`, its mean over prompts is KL; the first point is the first policy, at 0.
        gain: `[prompt, point]`, gold less that of the first policy.
    """

    nats: np.ndarray
    gain: np.ndarray

    @property
    def reach(self) -> float:
        """The largest KL that was measured."""
        return float(self.nats.mean(axis=0).max())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, or go on; print the table; write rows and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few prompts and steps; nothing is written")
    parser.add_argument("--policy", default=POLICY, help="another first policy")
    parser.add_argument("--encoder", default=ENCODER, help="another base of the reward model")
    said = parser.parse_args(arguments)
    study = Study("reward-model-or-dpo-quick" if said.quick else "reward-model-or-dpo")
    world = build_world(QUICK if said.quick else None, policy=said.policy, encoder=said.encoder)
    runs = {}
    for name, arm in plan(quick=said.quick).items():
        key = {"folder": world.folder.name, "way": name, "arm": arm_config(arm)}
        runs[name] = study.run(key, lambda name=name, arm=arm: run(world, name, arm))
    base = study.run({"folder": world.folder.name, "way": BEST_OF}, lambda: choose(world))
    curves = curves_of(base, runs)
    levels = common_levels(curves)
    report(base, runs, curves, levels)
    print(f"\nruns took {study.seconds:.0f} s")
    forget_checkpoints(world)
    if not said.quick:
        write_rows(rows_of(curves, levels[-1]), ROWS)
        FIGURES.mkdir(parents=True, exist_ok=True)
        (FIGURES / "reward_model_or_dpo.svg").write_text(figure(curves, levels) + "\n", "utf-8")


# ---- runs ----


def plan(*, quick: bool = False) -> dict[str, Arm]:
    """DPO sees nearly every pair once; GRPO writes 12 responses a step. They are compared at equal KL, not steps."""

    def settings(beta: float, *, prompts: int, steps: int) -> OptimiseSettings:
        return OptimiseSettings(
            anchor=AnchorSettings(kind="fixed", beta=beta),
            stop=StopSettings(on_fall=False),
            measure=MeasureSettings(every_steps=1 if quick else steps // 4),
            training=TrlSettings(
                steps=2 if quick else steps,
                prompts_per_step=2 if quick else prompts,
                responses_per_prompt=4,
                max_new_tokens=QUICK.max_new_tokens if quick else 40,
                learning_rate=1e-4,
                last_blocks=1 if quick else 6,
            ),
        )

    return {
        DPO: Arm(SAID[DPO], settings(0.1, prompts=6, steps=48)),
        GRPO: Arm(SAID[GRPO], settings(0.02, prompts=3, steps=24)),
    }


def run(world: World, name: str, arm: Arm) -> dict[str, Any]:
    """DPO or GRPO."""
    pairs, scorer = training_pairs(world), judge_of(world)
    return train_dpo(world, arm, scorer, pairs) if name == DPO else train_grpo(world, arm, scorer)


def judge_of(world: World) -> Scorer:
    """The reward model of the pairs."""
    return load_single(reward_model(world, seed=0), ScoringOptions(overlength="truncate"))


def choose(world: World) -> dict[str, Any]:
    """Best-of-n of the first policy's responses, at each n exactly; and how well the reward model does."""
    groups, scorer = base_samples(world, "judge"), judge_of(world)
    gold = rated(world, groups)
    rewards = scorer.score(conversations_of(groups)).rewards.astype(np.float64).reshape(gold.shape)
    sizes = size_grid(gold.shape[1])
    columns = {
        "gold": gold,
        "length": np.array([[each.n_tokens for each in group.samples] for group in groups], dtype=np.float64),
        "finished": np.array([[each.is_finished for each in group.samples] for group in groups], dtype=np.float64),
    }
    found = [
        best_of_n(rewards[place], np.column_stack([columns[name][place] for name in COLUMNS]), sizes)
        for place in range(len(groups))
    ]
    values = {name: np.stack(found)[:, :, place].round(5).tolist() for place, name in enumerate(COLUMNS)}
    oracle = [best_of_n(own, own[:, None], sizes)[:, 0] for own in gold]
    return {
        "sizes": list(sizes),
        **values,
        "oracle": np.stack(oracle).round(5).tolist(),
        "pairs": len(training_pairs(world)),
        "accuracy": accuracy(rewards, gold),
    }


def accuracy(rewards: np.ndarray, gold: np.ndarray) -> list[list[float]]:
    """`[prompt][credit, pairs]`: how many pairs of a prompt's responses that differ in gold are ordered as gold is."""
    found = []
    for own, points in zip(rewards, gold, strict=True):
        one, other = np.triu_indices(len(own), k=1)
        differs = points[one] != points[other]
        credit = (1 + np.sign(own[one] - own[other]) * np.sign(points[one] - points[other])) / 2
        found.append([float(credit[differs].sum()), float(differs.sum())])
    return found


# ---- curves ----


def curves_of(base: Mapping[str, Any], runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Curve]:
    """Best-of-n, DPO and GRPO on the same prompts."""
    gold = np.array(base["gold"])
    nats = np.array([best_of_n_nats(n) for n in base["sizes"]])
    curves = {BEST_OF: Curve(np.tile(nats, (len(gold), 1)), gold - gold[:, :1])}
    for name, result in runs.items():
        points = [point_from(values) for values in result["points"]]
        nought = np.zeros((len(gold), 1))
        curves[name] = Curve(
            np.column_stack([nought, *(point.nats for point in points)]),
            np.column_stack([nought, *(point.gold - gold[:, 0] for point in points)]),
        )
    return curves


def common_levels(curves: Mapping[str, Curve], *, shares: Sequence[float] = (0.25, 0.5, 1.0)) -> list[float]:
    """KLs at which all curves are known: shares of the smallest of their reaches."""
    reach = min(curve.reach for curve in curves.values())
    return [share * reach for share in shares]


def gain_between(nats: np.ndarray, gain: np.ndarray, level: float) -> np.ndarray:
    """`[draw, point]` curves read at one KL, on straight lines in √KL; `[draw]`.

    Points are taken in the order of their KL, a KL below 0 (it is an estimate) as 0. Beyond a draw's last point its
    last gain is taken: that happens at the edge of what was measured only.
    """
    order = np.argsort(nats, axis=1, kind="stable")
    d = np.sqrt(np.maximum(np.take_along_axis(nats, order, axis=1), 0.0))
    values = np.take_along_axis(gain, order, axis=1)
    return np.array([np.interp(np.sqrt(level), *each) for each in zip(d, values, strict=True)])


def resampled(curve: Curve, level: float) -> tuple[float, np.ndarray]:
    """Gain at one KL, and the same of resampled prompts; equal draws for all curves over as many prompts."""
    prompts = len(curve.gain)
    value = gain_between(curve.nats.mean(axis=0)[None], curve.gain.mean(axis=0)[None], level)[0]
    draws = [
        gain_between(counts @ curve.nats / prompts, counts @ curve.gain / prompts, level)
        for counts in draw_counts(prompts, draws=DRAWS if prompts > 1 else 0, seed=0)
    ]
    return float(value), np.concatenate([np.empty(0), *draws])


def gain_at(curve: Curve, level: float) -> Estimate:
    """Gold gained at one KL."""
    value, draws = resampled(curve, level)
    return from_samples(value, draws, n=len(curve.gain), groups=len(curve.gain))


def gap_at(one: Curve, other: Curve, level: float) -> Estimate:
    """Gold gained by one way less that of another, at one KL, on the same prompts."""
    (value, draws), (peer, others) = resampled(one, level), resampled(other, level)
    return from_samples(value - peer, draws - others, n=len(one.gain), groups=len(one.gain))


# ---- report ----


def report(
    base: Mapping[str, Any],
    runs: Mapping[str, Mapping[str, Any]],
    curves: Mapping[str, Curve],
    levels: Sequence[float],
) -> None:
    """Print each way's points, and the ways at equal KL."""
    right = np.array(base["accuracy"])
    share = estimate_of(right[right[:, 1] > 0] @ [1, 0] / right[right[:, 1] > 0, 1])
    print(f"{base['pairs']} training pairs; reward model right on {_said(share, 3)} of pairs of unseen prompts")
    first = estimate_of(np.array(base["gold"])[:, 0])
    print(f"first policy: gold {_said(first)}, {np.mean(np.array(base['length'])[:, 0]):.1f} tokens")
    for place, n in enumerate(base["sizes"]):
        gain = estimate_of(curves[BEST_OF].gain[:, place])
        best = np.mean(np.array(base["oracle"])[:, place]) - first.value
        length, finished = (np.mean(np.array(base[name])[:, place]) for name in ("length", "finished"))
        print(
            f"best of {n:2}  KL {best_of_n_nats(n):5.2f}  gained {_said(gain)}  length {length:.1f}  "
            f"finished {finished:.2f}  (by gold itself {best:.2f})"
        )
    for name, result in runs.items():
        for place, point in enumerate(map(point_from, result["points"]), start=1):
            kl, gain = estimate_of(point.nats), estimate_of(curves[name].gain[:, place])
            print(
                f"{name:5} step {point.step:3}  KL {_said(kl)}  gained {_said(gain)}  "
                f"length {point.length.mean():.1f}  finished {point.finished.mean():.2f}  "
                f"reward {point.proxy.mean():.2f}"
            )
    for level in levels:
        print(
            f"\nat {level:.2f} nats: " + "; ".join(f"{SAID[k]} {_said(gain_at(c, level))}" for k, c in curves.items())
        )
        for one, other in PAIRS:
            print(f"  {one} minus {other}: {_said(gap_at(curves[one], curves[other], level))}")


PAIRS = ((BEST_OF, DPO), (GRPO, DPO), (BEST_OF, GRPO))


def rows_of(curves: Mapping[str, Curve], level: float) -> list[Row]:
    """The ways at the largest KL that all of them reach."""
    found = []
    for one, other in PAIRS:
        gap = gap_at(curves[one], curves[other], level)
        ends = [round(gain_at(curves[name], level).value, 3) for name in (one, other)]
        unit = f"gold points of 10 gained at {level:.2f} nats: {one} (ours) minus {other} (peer), the same pairs"
        name = f"{one}-minus-{other}-gold-at-equal-kl"
        found.append(row(name, gap.value, (gap.low, gap.high), n=gap.groups, unit=unit, ours=ends[0], peer=ends[1]))
    return found


def _said(estimate: Estimate, digits: int = 2) -> str:
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


# ---- figure ----


def figure(curves: Mapping[str, Curve], levels: Sequence[float]) -> str:
    """Gold gained against √KL."""
    with drawing():
        picture = Figure(figsize=(7.2, 4.2))
        axes = picture.add_subplot()
        for (name, curve), colour in zip(curves.items(), PALETTE, strict=False):
            d = np.sqrt(np.maximum(curve.nats.mean(axis=0), 0))
            found = [group_bootstrap(column, np.arange(len(column))) for column in curve.gain.T]
            order = np.argsort(d)
            values, low, high = (np.array([getattr(e, end) for e in found])[order] for end in ("value", "low", "high"))
            axes.plot(d[order], values, color=colour, marker="o", markersize=3.5, label=SAID[name])
            axes.fill_between(d[order], low, high, color=colour, alpha=0.13, linewidth=0)
        axes.axvline(np.sqrt(levels[-1]), color="0.5", linewidth=0.8, linestyle=(0, (4, 3)))
        axes.axhline(0, color="0.5", linewidth=0.8)
        axes.set_xlabel("√KL from the first policy, √nats a response")
        axes.set_ylabel("gold gained, points of 10")
        axes.set_title("The same pairs, three ways")
        axes.legend(loc="upper left")
        said = ", ".join(f"{SAID[name]} {gain_at(curve, levels[-1]).value:.2f}" for name, curve in curves.items())
        return to_svg(picture, f"Gold gained against KL. At {levels[-1]:.2f} nats: {said}.")


if __name__ == "__main__":
    main()
