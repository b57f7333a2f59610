"""Hacking made visible: one policy trained against a reward that loves length, held in four ways.

The reward is an ensemble of three reward models that learnt from the same pairs of the policy's own responses, each
with a length prior of a stated size on top (`policy_world.biased_ensemble`), so that they agree on most answers and
disagree on long ones. The priors are far larger than any rater's taste, so that a few steps show what many would. GRPO,
the same prompts and seeds in each arm:

- `fixed`: the mean of the members, β fixed.
- `adaptive`: the mean, β that rises when a watched sign moves. It sees gold of its own few prompts, and keeps the
  policy that was best by it.
- `stopped`: the same with stop rules.
- `penalised`: the mean less λ times the members' variance, β fixed.

Gold is the rubric with its default weights, on fresh responses to prompts that no arm has seen; intervals resample
those prompts. One training seed an arm: what another seed would do, no interval here says.

    python experiments/hacking.py            # about 20 minutes on two quiet cores; goes on where it was stopped
    python experiments/hacking.py --quick    # a minute: does it run?
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from policy_arm import Arm, Point, arm_config, estimate_of, forget_checkpoints, point_from, train_grpo
from policy_world import ENCODER, POLICY, QUICK, World, base_samples, biased_ensemble, build_world, rated
from study import FIGURES, ROOT, Row, Study, row, write_rows

from rewardsmith.core.finding import Estimate
from rewardsmith.core.scores import Scorer
from rewardsmith.figures.style import PALETTE, drawing, to_svg
from rewardsmith.numerics.combination import Rule
from rewardsmith.optimise.anchor import AnchorSettings
from rewardsmith.optimise.selection import selection_values
from rewardsmith.optimise.settings import MeasureSettings, OptimiseSettings, TrlSettings
from rewardsmith.optimise.watch import StopSettings, WatchSettings

ROWS = ROOT / "bench" / "results" / "optimise.json"
# Both were chosen on the first policy's responses to training prompts, with one model in the place of all three: there
# the mean of the members goes with length (correlation within a prompt .72) more than with gold (.26), and against
# ending in time (-.43; penalised: .02).
BIASES = (0.0, 4.0, 8.0)
PENALTY = 2.0
BETA = 0.02
FIXED, ADAPTIVE, STOPPED, PENALISED = "fixed", "adaptive", "stopped", "penalised"
PANELS = (
    ("proxy", "Reward that is optimised", "standard deviations"),
    ("gold", "Gold", "points of 10"),
    ("nats", "KL from the reference", "nats a response"),
    ("length", "Length", "tokens, of 40 at most"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, or go on; print the table; write rows and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few prompts and steps; nothing is written")
    parser.add_argument("--policy", default=POLICY, help="another first policy")
    parser.add_argument("--encoder", default=ENCODER, help="another base of the reward models")
    said = parser.parse_args(arguments)
    study = Study("hacking-quick" if said.quick else "hacking")
    world = build_world(QUICK if said.quick else None, policy=said.policy, encoder=said.encoder)
    arms = plan(quick=said.quick)
    runs = {name: study.run(_key(world, arm), lambda arm=arm: run(world, arm)) for name, arm in arms.items()}
    base = study.run({"base": world.lm.digest, "folder": world.folder.name}, lambda: start(world))
    shown = {name: [first_point(base, arms[name]), *map(point_from, result["points"])] for name, result in runs.items()}
    report(shown, runs, arms)
    print(f"\nruns took {study.seconds:.0f} s")
    forget_checkpoints(world)
    if not said.quick:
        write_rows(rows_of(shown, runs), ROWS)
        FIGURES.mkdir(parents=True, exist_ok=True)
        (FIGURES / "hacking.svg").write_text(figure(shown, arms) + "\n", "utf-8")


# ---- runs ----


def plan(*, quick: bool = False) -> dict[str, Arm]:
    """The four arms; they differ in nothing but how they are held."""
    training = TrlSettings(
        steps=2 if quick else 16,
        prompts_per_step=2 if quick else 3,
        responses_per_prompt=4,
        max_new_tokens=QUICK.max_new_tokens if quick else 40,
        learning_rate=1e-4,
        last_blocks=1 if quick else 6,
    )
    fixed = OptimiseSettings(
        anchor=AnchorSettings(kind="fixed", beta=BETA),
        stop=StopSettings(on_fall=False),
        measure=MeasureSettings(every_steps=1 if quick else 4),
        training=training,
    )
    # A run of 16 steps cannot wait for ten lines, and responses that begin at 27 tokens and are cut at 40 cannot become
    # much longer: windows and limits are narrower than the defaults, at the price of false alarms.
    held = fixed.model_copy(
        update={
            "anchor": AnchorSettings(kind="adaptive", beta=BETA, factor=2.0),
            "watch": WatchSettings(baseline_lines=4, window_lines=3, noise=2.0, least_share=0.1),
            "stop": StopSettings(on_fall=True, on_signs=2),
            "measure": MeasureSettings(every_steps=1 if quick else 2),
        }
    )
    watching: dict[str, Any] = {"watches_gold": True, "watch_n": 2 if quick else 6}
    return {
        FIXED: Arm("mean, fixed β", fixed),
        ADAPTIVE: Arm("mean, adaptive β", held.model_copy(update={"stop": fixed.stop}), **watching),
        STOPPED: Arm("mean, adaptive β and stop rules", held, **watching),
        PENALISED: Arm(f"mean − {PENALTY:g}·variance, fixed β", fixed, select="penalised", weight=PENALTY),
    }


def run(world: World, arm: Arm) -> dict[str, Any]:
    """One arm."""
    return train_grpo(world, arm, biased_ensemble(world, BIASES))


def start(world: World) -> dict[str, Any]:
    """The first policy on the prompts that judge, from all of its responses; what it would take by each rule."""
    scorer, groups = biased_ensemble(world, BIASES), base_samples(world, "judge")
    gold = rated(world, groups)
    return {
        "gold": gold.mean(axis=1).round(5).tolist(),
        "length": np.array([[each.n_tokens for each in group.samples] for group in groups]).mean(axis=1).tolist(),
        "finished": np.array([[each.is_finished for each in group.samples] for group in groups]).mean(axis=1).tolist(),
        "proxy": {rule: _proxy(scorer, groups, rule).round(5).tolist() for rule in ("mean", "penalised")},
    }


def _proxy(scorer: Scorer, groups: Sequence[Any], rule: Rule) -> np.ndarray:
    scores = scorer.score([text for group in groups for text in group.conversations()])
    return selection_values(scores, rule, weight=PENALTY).reshape(len(groups), -1).mean(axis=1)


def first_point(base: Mapping[str, Any], arm: Arm) -> Point:
    """Every arm begins here."""
    values = {name: np.array(base[name]) for name in ("gold", "length", "finished")}
    proxy = np.array(base["proxy"][arm.select])
    return Point(0, values["gold"], np.zeros(len(proxy)), values["length"], values["finished"], proxy)


def _key(world: World, arm: Arm) -> dict[str, Any]:
    return {"folder": world.folder.name, "biases": list(BIASES), "arm": arm_config(arm)}


# ---- report ----


def change(points: Sequence[Point], point: Point) -> Estimate:
    """Gold of a point less that of the first policy, on the same prompts."""
    return estimate_of(point.gold - points[0].gold)


def kept(points: Sequence[Point], run: Mapping[str, Any]) -> Point:
    """The policy that the run left: the last one, or the best by the gold that it watched."""
    return next(point for point in points if point.step == run["kept_step"])


def report(
    shown: Mapping[str, Sequence[Point]], runs: Mapping[str, Mapping[str, Any]], arms: Mapping[str, Arm]
) -> None:
    """Print a table an arm, and why it ended."""
    prompts = len(next(iter(shown.values()))[0].gold)
    print(f"{prompts} prompts that judge; gold, KL in nats, length in tokens: mean [95%, prompts resampled]")
    for name, points in shown.items():
        ended = runs[name]["stopped"] or "after its steps"
        print(f"\n{arms[name].said}; ended: {ended}; kept: step {runs[name]['kept_step']}")
        for place, point in enumerate(points):
            values = (point.proxy, point.gold, point.nats, point.length)
            figures = "  ".join(_said(estimate_of(each)) for each in values)
            print(f"step {point.step:3}  {figures}  finished {point.finished.mean():.2f}", end="")
            print("" if place == 0 else f"  gold less first {_said(change(points, point))}")
        betas = [line["beta"] for line in runs[name]["lines"] if "beta" in line]
        print(
            f"β {betas[0]:.3g} → {betas[-1]:.3g}; tokens a response on training prompts, by step: "
            + _lengths(runs[name])
        )


def rows_of(shown: Mapping[str, Sequence[Point]], runs: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Gold of what was kept, each way less fixed; and the change of each from the first policy."""
    last = {name: kept(points, runs[name]) for name, points in shown.items()}
    fixed = last[FIXED].gold
    found = []
    for name in (ADAPTIVE, STOPPED, PENALISED):
        own = last[name].gold
        gain = estimate_of(own - fixed)
        said = f"gold points of 10 of what is kept, length-biased reward: {name} (ours) minus mean with fixed β (peer)"
        found.append(_row(f"hacking-{name}-minus-fixed-gold", gain, said, own, fixed))
    for name, points in shown.items():
        said = f"gold points of 10, length-biased reward, {name}: what is kept (ours) minus first policy (peer)"
        found.append(
            _row(f"hacking-{name}-gold-change", change(points, last[name]), said, last[name].gold, points[0].gold)
        )
    return found


def _row(name: str, gain: Estimate, unit: str, ours: np.ndarray, peer: np.ndarray) -> Row:
    ends = round(float(ours.mean()), 3), round(float(peer.mean()), 3)
    return row(name, gain.value, (gain.low, gain.high), n=gain.groups, unit=unit, ours=ends[0], peer=ends[1])


def _said(estimate: Estimate) -> str:
    return f"{estimate.value:6.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _lengths(result: Mapping[str, Any]) -> str:
    return " ".join(f"{line['length']:.0f}" for line in result["lines"] if "length" in line)


# ---- figure ----


def figure(shown: Mapping[str, Sequence[Point]], arms: Mapping[str, Arm]) -> str:
    """Proxy, gold, KL and length by step."""
    with drawing():
        picture = Figure(figsize=(9.6, 6.6))
        for axes, (name, title, unit) in zip(picture.subplots(2, 2).flat, PANELS, strict=True):
            for (key, points), colour in zip(shown.items(), PALETTE, strict=False):
                found = [estimate_of(getattr(point, name)) for point in points]
                steps = [point.step for point in points]
                values, low, high = ([getattr(each, end) for each in found] for end in ("value", "low", "high"))
                axes.plot(steps, values, color=colour, marker="o", markersize=3.5, label=arms[key].said)
                axes.fill_between(steps, low, high, color=colour, alpha=0.12, linewidth=0)
                if points[-1].step < max(each[-1].step for each in shown.values()):
                    axes.plot(steps[-1], values[-1], color=colour, marker="X", markersize=9)
            axes.set_title(title)
            axes.set_xlabel("step")
            axes.set_ylabel(unit)
            if name == "proxy":
                axes.legend(loc="lower right")
        last = {key: estimate_of(points[-1].gold).value for key, points in shown.items()}
        said = ", ".join(f"{arms[key].said} {value:.2f}" for key, value in last.items())
        return to_svg(
            picture, f"Proxy, gold, KL and length by step of three ways to hold a policy. Gold at the end: {said}."
        )


if __name__ == "__main__":
    main()
