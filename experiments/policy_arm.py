"""One policy trained in one way, measured as it goes on fresh responses to prompts that it never learnt from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from policy_world import World
from transformers import AutoModelForCausalLM

from rewardsmith.core.conversation import to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.finding import Estimate
from rewardsmith.core.scores import Scorer
from rewardsmith.models.causal_lm import CausalLm
from rewardsmith.numerics.combination import Rule
from rewardsmith.numerics.intervals import group_bootstrap
from rewardsmith.optimise.measure import FreshMeasure
from rewardsmith.optimise.pairs import DpoPair
from rewardsmith.optimise.policy.local import LocalPolicy
from rewardsmith.optimise.reward.function import reward_function
from rewardsmith.optimise.reward.settings import RewardSettings
from rewardsmith.optimise.samples import log_ratios
from rewardsmith.optimise.selection import selection_values
from rewardsmith.optimise.settings import OptimiseSettings
from rewardsmith.optimise.trl.dpo import dpo_trainer
from rewardsmith.optimise.trl.grpo import grpo_trainer
from rewardsmith.optimise.trl.run import TrlOutcome, run_trl, step_rows
from rewardsmith.training.checkpoint import PREFIX

JUDGE_SEED = 11
WATCH_SEED = 12
POINTS = "points.jsonl"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way.

    Attributes:
        said: For tables and pictures.
        settings: Of the run.
        select: Of an ensemble: what counts as its reward.
        weight: λ of `penalised`.
        watches_gold: The run sees gold of the prompts that are set aside for watching.
        judge_n: Responses to each prompt that judges.
        watch_n: Responses to each prompt that watches.
    """

    said: str
    settings: OptimiseSettings
    select: Rule = "mean"
    weight: float = 0.0
    watches_gold: bool = False
    judge_n: int = 2
    watch_n: int = 2


@dataclass(frozen=True, slots=True)
class Point:
    """The policy at one moment, on the prompts that judge: a value a prompt, means over its responses.

    Attributes:
        step: Optimiser steps so far.
        gold: Points of the rubric.
        nats: log π − log π_ref of whole responses: its mean over prompts is KL(π ‖ π_ref).
        length: Tokens.
        finished: Share of responses that ended by themselves.
        proxy: The reward that is optimised.
    """

    step: int
    gold: np.ndarray
    nats: np.ndarray
    length: np.ndarray
    finished: np.ndarray
    proxy: np.ndarray

    def values(self) -> dict[str, Any]:
        """As JSON."""
        return {"step": self.step} | {name: getattr(self, name).round(5).tolist() for name in _ARRAYS}


_ARRAYS = ("gold", "nats", "length", "finished", "proxy")


def point_from(values: Mapping[str, Any]) -> Point:
    """The inverse of `Point.values`."""
    return Point(int(values["step"]), *(np.array(values[name], dtype=np.float64) for name in _ARRAYS))


def train_grpo(world: World, arm: Arm, scorer: Scorer) -> dict[str, Any]:
    """GRPO against `scorer`: the log of the run, the points, and why it ended."""
    training = arm.settings.training
    places = step_rows(
        len(world.train), per_step=training.prompts_per_step, steps=training.steps, seed=arm.settings.seed
    )
    rows = Dataset.from_list([{"prompt": to_dicts(world.train[place][0])} for place in places])
    reward = reward_function(scorer, RewardSettings(select=arm.select, weight=arm.weight))
    return _train(world, arm, scorer, "grpo", lambda lm, work: grpo_trainer(lm, rows, reward, arm.settings, work))


def train_dpo(world: World, arm: Arm, scorer: Scorer, pairs: Sequence[DpoPair]) -> dict[str, Any]:
    """DPO on `pairs`; `scorer` only looks on."""
    training = arm.settings.training
    places = step_rows(len(pairs), per_step=training.prompts_per_step, steps=training.steps, seed=arm.settings.seed)
    rows = Dataset.from_list([pairs[place].row() for place in places])
    return _train(world, arm, scorer, "dpo", lambda lm, work: dpo_trainer(lm, world.lm, rows, arm.settings, work))


def measure_point(world: World, arm: Arm, lm: CausalLm, scorer: Scorer, *, step: int) -> Point:
    """Fresh responses to the prompts that judge, from the same seeds each time."""
    policy = LocalPolicy(lm, world.sampling, reference=world.lm)
    groups = list(policy.sample(world.judge, n=arm.judge_n, seed=JUDGE_SEED))
    texts = [text for group in groups for text in group.conversations()]
    shape = (len(groups), arm.judge_n)
    proxy = selection_values(scorer.score(texts), arm.select, weight=arm.weight)
    ratios = np.stack([_ratios(group) for group in groups])
    return Point(
        step=step,
        gold=world.gold.rate(texts).reshape(shape).mean(axis=1),
        nats=ratios.mean(axis=1),
        length=np.array([[each.n_tokens for each in group.samples] for group in groups]).mean(axis=1),
        finished=np.array([[each.is_finished for each in group.samples] for group in groups]).mean(axis=1),
        proxy=proxy.reshape(shape).mean(axis=1),
    )


def forget_checkpoints(world: World) -> None:
    """Remove what finished runs went on from: a gigabyte or so each."""
    shutil.rmtree(world.folder / "runs", ignore_errors=True)


def estimate_of(values: np.ndarray) -> Estimate:
    """Mean over prompts, with an interval that resamples them."""
    return group_bootstrap(values, np.arange(len(values)))


def _train(world: World, arm: Arm, scorer: Scorer, method: str, build: Any) -> dict[str, Any]:
    known = {"method": method, "arm": arm_config(arm), "reward": scorer.score([]).provenance.model_digest}
    work = world.folder / "runs" / digest_json(known)[:16]
    work.mkdir(parents=True, exist_ok=True)
    latest: list[Point] = []

    sampling = world.sampling.model_copy(update={"n": arm.watch_n})
    watched = FreshMeasure(world.lm, world.watch, sampling, seed=WATCH_SEED, scorer=scorer, gold=world.gold)

    def measure(trained: CausalLm) -> Mapping[str, float]:
        # Training may run in bfloat16; what is reported is float32.
        with torch.autocast("cpu", enabled=False):
            latest[:] = [measure_point(world, arm, trained, scorer, step=0)]
            if not arm.watches_gold:
                return {}
            return watched(trained)

    def on_line(lines: Sequence[Mapping[str, float]]) -> None:
        if latest:
            _keep(work / POINTS, latest.pop().values() | {"step": int(lines[-1]["step"])})

    outcome = run_trl(world.lm, arm.settings, work, build=lambda lm: build(lm, work), measure=measure, on_line=on_line)
    points = _read(work / POINTS)
    last = int(outcome.lines[-1]["step"])
    if last not in points:
        points[last] = measure_point(world, arm, _last(world, work, last), scorer, step=last).values()
    return _result(outcome, [points[step] for step in sorted(points) if step <= last])


def _result(outcome: TrlOutcome, points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    lines = [{name: round(value, 5) for name, value in line.items()} for line in outcome.lines]
    return {"lines": lines, "points": list(points), "stopped": outcome.stopped, "kept_step": outcome.kept_step}


def _last(world: World, work: Path, step: int) -> CausalLm:
    """A run that ended early left a checkpoint there."""
    network = AutoModelForCausalLM.from_pretrained(str(work / f"{PREFIX}{step}"), dtype=torch.float32)
    return CausalLm(network, world.lm.tokenizer, world.lm.digest)


def arm_config(arm: Arm) -> dict[str, Any]:
    """What decides its outcome, as JSON."""
    values: dict[str, Any] = {"settings": arm.settings.model_dump(mode="json", exclude={"ppo"})}
    return values | {"select": arm.select, "weight": arm.weight, "watches_gold": arm.watches_gold,
                     "judge_n": arm.judge_n, "watch_n": arm.watch_n}  # fmt: skip


def _ratios(group: Any) -> np.ndarray:
    found = log_ratios(group)
    assert found is not None, "a local policy knows its reference"
    return found


def _keep(file: Path, values: Mapping[str, Any]) -> None:
    """Beside the points of other steps; a step that is measured again, since a kill came between, has the later one."""
    known = _read(file) | {int(values["step"]): dict(values)}
    draft = file.with_suffix(".partial")
    draft.write_text("".join(json.dumps(each) + "\n" for each in known.values()), "utf-8")
    draft.replace(file)


def _read(file: Path) -> dict[int, dict[str, Any]]:
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    return {values["step"]: values for values in map(json.loads, lines)}
