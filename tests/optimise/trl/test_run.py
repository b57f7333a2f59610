"""GRPO, RLOO and DPO on a tiny policy: they learn, stop, keep the best, are killed and go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from tests.optimise.trl.policies import Vowels, save_policy

from rewardsmith.core.conversation import assistant, to_dicts, user
from rewardsmith.core.errors import JudgeError
from rewardsmith.models.causal_lm import CausalLm, load_causal_lm
from rewardsmith.optimise.anchor import AnchorSettings
from rewardsmith.optimise.pairs import DpoPair
from rewardsmith.optimise.reward.function import reward_function
from rewardsmith.optimise.reward.guard import guarded
from rewardsmith.optimise.settings import MeasureSettings, OptimiseSettings, TrlSettings
from rewardsmith.optimise.trl.run import TrlOutcome, run_trl, step_rows
from rewardsmith.optimise.watch import StopSettings, WatchSettings

PROMPTS = [(user(text),) for text in ("a", "bb", "ccc", "dd")]


def settings(**changes: Any) -> OptimiseSettings:
    training = {
        "steps": 4,
        "prompts_per_step": 2,
        "responses_per_prompt": 4,
        "max_new_tokens": 6,
        "learning_rate": 3e-3,
    } | changes.pop("training", {})
    values = {"measure": MeasureSettings(every_steps=2), "anchor": AnchorSettings(beta=0.01)} | changes
    return OptimiseSettings(training=TrlSettings(**training), **values)


def run(
    policy: Path,
    work: Path,
    chosen: OptimiseSettings,
    *,
    method: str = "grpo",
    reward: Any = None,
    measure: Any = lambda _: {},
    on_line: Any = lambda _: None,
) -> TrlOutcome:
    from rewardsmith.optimise.trl.grpo import grpo_trainer
    from rewardsmith.optimise.trl.rloo import rloo_trainer

    training = chosen.training
    places = step_rows(len(PROMPTS), per_step=training.prompts_per_step, steps=training.steps, seed=chosen.seed)
    rows = Dataset.from_list([{"prompt": to_dicts(PROMPTS[place])} for place in places])
    make = grpo_trainer if method == "grpo" else rloo_trainer
    lm = load_causal_lm(policy)
    used = reward or reward_function(Vowels())

    def build(trained: CausalLm) -> Any:
        return make(trained, rows, used, chosen, work)

    return run_trl(lm, chosen, work, build=build, measure=measure, on_line=on_line)


def weights(outcome: TrlOutcome) -> dict[str, torch.Tensor]:
    return outcome.network.state_dict()


@pytest.fixture(scope="module")
def policy(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_policy(tiny, tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def whole(policy: Path, tmp_path_factory: pytest.TempPathFactory) -> TrlOutcome:
    """A run that nothing disturbed."""
    return run(policy, tmp_path_factory.mktemp("whole") / "work", settings())


@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_it_learns_a_simple_reward(method: str, policy: Path, tmp_path: Path):
    chosen = settings(
        training={"steps": 14, "responses_per_prompt": 8, "learning_rate": 1e-2},
        measure=MeasureSettings(every_steps=100),
        anchor=AnchorSettings(beta=0.0),
    )
    lines = run(policy, tmp_path / "work", chosen, method=method).lines
    proxies = [line["proxy"] for line in lines]
    assert np.mean(proxies[-4:]) > np.mean(proxies[:4]) + 0.1


def test_a_line_says_what_a_step_was(whole: TrlOutcome):
    assert [line["step"] for line in whole.lines] == [1, 2, 3, 4]
    first = whole.lines[0]
    assert first["beta"] == 0.01
    assert first["proxy"] == pytest.approx(first["reward"])
    assert 0 < first["length"] <= 6
    assert first["trainer_nats_a_token"] == pytest.approx(0, abs=1e-5)
    assert whole.lines[-1]["trainer_nats_a_token"] > 0
    assert "kl_nats" not in first
    assert (whole.stopped, whole.kept_step) == (None, 4)


def test_an_interrupted_run_ends_with_the_same_weights(policy: Path, tmp_path: Path, whole: TrlOutcome):
    class Interrupted(Exception):
        pass

    def interrupt(lines: Any) -> None:
        if len(lines) == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(policy, tmp_path / "work", settings(), on_line=interrupt)
    resumed = run(policy, tmp_path / "work", settings())
    assert resumed.lines == whole.lines
    one, other = weights(whole), weights(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one)
    again = run(policy, tmp_path / "work", settings(), reward=lambda **_: pytest.fail("it trained again"))
    assert again.lines == whole.lines


KILLED = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from tests.optimise.trl.test_run import run, settings
run(Path(sys.argv[1]), Path(sys.argv[2]), settings())
"""


def test_a_killed_run_goes_on(policy: Path, tmp_path: Path, whole: TrlOutcome):
    work = tmp_path / "work"
    root = str(Path(__file__).parents[3])
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(policy), str(work), root], env=dict(os.environ))
    deadline = time.monotonic() + 300
    while not list(work.glob("checkpoint-*")) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    resumed = run(policy, work, settings())
    assert [json.dumps(line) for line in resumed.lines] == [json.dumps(line) for line in whole.lines]


def test_gold_chooses_the_checkpoint_and_a_fall_ends_the_run(policy: Path, tmp_path: Path):
    golds = iter([5.0, 1.0])

    def measure(_: CausalLm) -> Mapping[str, float]:
        gold = next(golds)
        return {"gold": gold, "gold_low": gold - 0.5, "gold_high": gold + 0.5, "fresh_proxy": -gold}

    chosen = settings(training={"steps": 6}, stop=StopSettings(on_fall=True))
    outcome = run(policy, tmp_path / "work", chosen, measure=measure)
    assert len(outcome.lines) == 4
    assert outcome.stopped == "the reward rises and gold 5 → 1 (noise 0.707) falls"
    assert outcome.kept_step == 2


def test_a_run_that_stops_between_two_checkpoints_keeps_its_last_step(policy: Path, tmp_path: Path):
    calls: list[int] = []

    def reward(*, prompts: list[Any], log_metric: Any, **_: Any) -> list[float]:
        calls.append(1)
        log_metric("spread", float(len(calls)))
        return [float(number % 2) for number in range(len(prompts))]

    # 1, 2, then 3: mean 1.5, error 0.71·√1.5 = 0.87, of which 1 is enough.
    watch = WatchSettings(baseline_lines=2, window_lines=1, noise=1.0, least_share=0.0)
    chosen = settings(training={"steps": 6}, stop=StopSettings(on_signs=1), watch=watch)
    outcome = run(policy, tmp_path / "work", chosen, reward=reward)
    assert (outcome.kept_step, len(outcome.lines), len(calls)) == (3, 3, 3)
    assert outcome.stopped == "signs of hacking: spread 1.5 → 3 (noise 0.866)"


def test_beta_is_handed_to_the_trainer(policy: Path, tmp_path: Path):
    golds = iter([5.0, 1.0])

    def measure(_: CausalLm) -> Mapping[str, float]:
        gold = next(golds, 1.0)
        return {"gold": gold, "gold_low": gold - 0.5, "gold_high": gold + 0.5, "fresh_proxy": -gold}

    anchor = AnchorSettings(kind="adaptive", beta=0.1, factor=3.0)
    chosen = settings(training={"steps": 5}, anchor=anchor, stop=StopSettings(on_fall=False))
    lines = run(policy, tmp_path / "work", chosen, measure=measure).lines
    assert [line["beta"] for line in lines] == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.3])


@pytest.mark.parametrize("bad", [[None] * 8, [float("nan")] * 8, [1.0]])
def test_what_is_no_reward_ends_the_run(bad: list[Any], policy: Path, tmp_path: Path):
    with pytest.raises(JudgeError):
        run(policy, tmp_path / "work", settings(), reward=guarded(lambda **_: bad, timeout_s=60))


def test_the_last_blocks_alone_are_trained(policy: Path, tmp_path: Path):
    before = load_causal_lm(policy).network.state_dict()
    after = weights(run(policy, tmp_path / "work", settings(training={"steps": 1, "last_blocks": 1})))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all("layers.1." in name or name == "model.norm.weight" for name in changed)


def test_dpo_prefers_what_was_chosen(policy: Path, tmp_path: Path):
    from rewardsmith.optimise.trl.dpo import dpo_trainer

    pairs = [DpoPair(prompt, (assistant("aaa"),), (assistant("zzz"),), "g") for prompt in PROMPTS]
    chosen = settings(training={"steps": 8, "prompts_per_step": 4, "learning_rate": 1e-2})
    places = step_rows(len(pairs), per_step=4, steps=8, seed=0)
    rows = Dataset.from_list([pairs[place].row() for place in places])
    lm, work = load_causal_lm(policy), tmp_path / "work"
    outcome = run_trl(
        lm, chosen, work, build=lambda trained: dpo_trainer(trained, lm, rows, chosen, work), measure=lambda _: {}
    )
    assert outcome.lines[-1]["margin"] > outcome.lines[0]["margin"]
    assert outcome.lines[-1]["accuracy"] == 1.0
    assert outcome.lines[0]["loss"] == pytest.approx(np.log(2), abs=1e-4)


def test_every_row_comes_once_before_one_comes_again():
    places = step_rows(5, per_step=3, steps=5, seed=0)
    assert len(places) == 15
    for start in (0, 5, 10):
        assert sorted(places[start : start + 5]) == [0, 1, 2, 3, 4]
    assert places != step_rows(5, per_step=3, steps=5, seed=1)
    assert places[:9] == step_rows(5, per_step=3, steps=3, seed=0)
