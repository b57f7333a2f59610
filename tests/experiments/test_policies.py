"""The experiments with policies: what is counted, by hand; and a quick run of each on a tiny policy."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from tests.optimise.trl.policies import TEMPLATE
from transformers import LlamaForCausalLM

from rewardsmith.core.conversation import user
from rewardsmith.optimise.samples import Sample, SampleGroup
from rewardsmith.text.load import prepared

EXPERIMENTS = str(Path(__file__).parents[2] / "experiments")


@pytest.fixture(scope="module", autouse=True)
def _as_scripts():
    """Experiments find each other as scripts do: by the folder that they lie in."""
    sys.path.insert(0, EXPERIMENTS)
    yield
    sys.path.remove(EXPERIMENTS)


@pytest.fixture(scope="module")
def compared() -> ModuleType:
    return importlib.import_module("reward_model_or_dpo")


@pytest.fixture(scope="module")
def hacking() -> ModuleType:
    return importlib.import_module("hacking")


@pytest.fixture(scope="module")
def world() -> ModuleType:
    return importlib.import_module("policy_world")


def group(*texts: str) -> SampleGroup:
    return SampleGroup((user("q"),), "g", tuple(Sample(text) for text in texts))


# ---- pairs ----


def test_the_better_response_is_chosen_where_gold_is_far_apart(world):
    rows = world.judged_rows([group("bad", "good")], np.array([[0.0, 50.0]]), seed=0)
    assert [(row["chosen"], row["rejected"]) for row in rows] == [("good", "bad")]
    rows = world.judged_rows([group("good", "bad")], np.array([[50.0, 0.0]]), seed=0)
    assert [(row["chosen"], row["rejected"]) for row in rows] == [("good", "bad")]


def test_three_responses_make_a_ring_of_three_pairs(world):
    rows = world.judged_rows([group("a", "b", "c")], np.array([[0.0, 50.0, 100.0]]), seed=0)
    assert [(row["chosen"], row["rejected"]) for row in rows] == [("b", "a"), ("c", "b"), ("c", "a")]


def test_equal_and_empty_texts_make_no_pair(world):
    assert world.judged_rows([group("a", "a")], np.array([[0.0, 9.0]]), seed=0) == []
    assert world.judged_rows([group("a", " ")], np.array([[0.0, 9.0]]), seed=0) == []


def test_half_a_point_is_judged_rightly_by_nearly_three_in_four(world):
    # σ(0.5 / 0.5) = 1 / (1 + e⁻¹) = 0.731
    rows = world.judged_rows([group("a", "b")] * 4000, np.tile([0.5, 0.0], (4000, 1)), seed=0)
    assert np.mean([row["chosen"] == "a" for row in rows]) == pytest.approx(0.731, abs=0.02)


def test_prompts_of_the_three_parts_ask_for_a_short_answer(world):
    asked = world.short_prompts()
    assert len(asked) == 111 == sum((world.Sizes().train, world.Sizes().watch, world.Sizes().judge))
    assert all(prompt[0].role == "system" and prompt[1].role == "user" for prompt, _ in asked)
    assert len({name for _, name in asked}) == 111


# ---- curves ----


def test_a_curve_is_read_on_straight_lines_in_the_root_of_kl(compared):
    nats, gain = np.array([[0.0, 1.0, 4.0]]), np.array([[0.0, 2.0, 1.0]])
    read = [compared.gain_between(nats, gain, level)[0] for level in (0.25, 1.0, 2.25, 4.0)]
    assert read == pytest.approx([1.0, 2.0, 1.5, 1.0])


def test_points_are_taken_in_the_order_of_their_kl(compared):
    nats, gain = np.array([[0.0, 4.0, 1.0, -0.5]]), np.array([[0.0, 1.0, 2.0, 0.0]])
    assert compared.gain_between(nats, gain, 2.25)[0] == pytest.approx(1.5)


def test_one_way_less_another_at_equal_kl(compared):
    prompts = np.ones((5, 1))
    one = compared.Curve(prompts * [[0.0, 1.0]], prompts * [[0.0, 3.0]])
    other = compared.Curve(prompts * [[0.0, 4.0]], prompts * [[0.0, 2.0]])
    levels = compared.common_levels({"one": one, "other": other})
    assert levels == [0.25, 0.5, 1.0]
    gap = compared.gap_at(one, other, 1.0)
    assert (gap.value, gap.low, gap.high) == pytest.approx((2.0, 2.0, 2.0))
    assert compared.gap_at(other, one, 1.0).value == pytest.approx(-2.0)


def test_intervals_resample_prompts_with_their_kl(compared):
    rng = np.random.default_rng(0)
    gain = np.column_stack([np.zeros(40), rng.normal(1, 2, 40)])
    curve = compared.Curve(np.tile([0.0, 1.0], (40, 1)), gain)
    found = compared.gain_at(curve, 1.0)
    assert found.value == pytest.approx(gain[:, 1].mean())
    half = 1.96 * gain[:, 1].std() / np.sqrt(40)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)


def test_a_reward_is_right_where_it_orders_as_gold_does(compared):
    gold = np.array([[0.0, 1.0, 1.0]])
    assert compared.accuracy(np.array([[0.0, 5.0, 7.0]]), gold) == [[2.0, 2.0]]
    assert compared.accuracy(np.array([[6.0, 5.0, 7.0]]), gold) == [[1.0, 2.0]]
    assert compared.accuracy(np.array([[5.0, 5.0, 7.0]]), gold) == [[1.5, 2.0]]


def test_rows_say_ours_less_the_peer(compared, hacking):
    prompts = np.ones((5, 1))
    curves = {
        name: compared.Curve(prompts * [[0.0, 1.0]], prompts * [[0.0, value]])
        for name, value in (("best-of-n", 3.0), ("dpo", 2.0), ("grpo", 1.0))
    }
    found = {row["name"]: row["value"] for row in compared.rows_of(curves, 1.0)}
    assert found == {
        "best-of-n-minus-dpo-gold-at-equal-kl": 1.0,
        "grpo-minus-dpo-gold-at-equal-kl": -1.0,
        "best-of-n-minus-grpo-gold-at-equal-kl": 2.0,
    }
    shown = {name: [_point(hacking, 0, 6.0), _point(hacking, 8, value)]
             for name, value in (("fixed", 4.0), ("adaptive", 5.5), ("stopped", 6.5), ("penalised", 5.0))}  # fmt: skip
    found = {row["name"]: row["value"] for row in hacking.rows_of(shown, {name: {"kept_step": 8} for name in shown})}
    assert found["hacking-adaptive-minus-fixed-gold"] == 1.5
    assert found["hacking-stopped-minus-fixed-gold"] == 2.5
    assert found["hacking-penalised-minus-fixed-gold"] == 1.0
    assert found["hacking-fixed-gold-change"] == -2.0


def _point(hacking: ModuleType, step: int, gold: float) -> Any:
    values = {name: [1.0, 1.0] for name in ("nats", "length", "finished", "proxy")}
    return hacking.point_from({"step": step, "gold": [gold, gold], **values})


# ---- arms ----


def test_a_point_survives_its_file_and_the_later_measurement_of_a_step_counts(hacking, tmp_path):
    arm = importlib.import_module("policy_arm")
    for step, gold in ((8, 1.0), (16, 2.0), (16, 3.0)):
        arm._keep(tmp_path / "points.jsonl", _point(hacking, step, gold).values())
    read = arm._read(tmp_path / "points.jsonl")
    assert {step: values["gold"][0] for step, values in read.items()} == {8: 1.0, 16: 3.0}
    assert arm.point_from(read[8]).values() == read[8]


def test_arms_differ_in_how_they_are_held_and_in_nothing_else(hacking, compared):
    arms = hacking.plan()
    assert arms["fixed"].settings == arms["penalised"].settings
    assert arms["fixed"].settings.training == arms["adaptive"].settings.training
    assert (arms["fixed"].select, arms["penalised"].select) == ("mean", "penalised")
    assert [name for name, arm in arms.items() if arm.watches_gold] == ["adaptive", "stopped"]
    assert (
        arms["adaptive"].settings.model_copy(update={"stop": arms["stopped"].settings.stop}) == arms["stopped"].settings
    )
    dpo, grpo = (compared.plan()[name].settings for name in ("dpo", "grpo"))
    assert dpo.training.learning_rate == grpo.training.learning_rate
    assert dpo.training.steps // dpo.measure.every_steps == grpo.training.steps // grpo.measure.every_steps == 4


# ---- both, on a tiny policy ----


@pytest.fixture(scope="module")
def tiny_policy(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("policy")
    torch.manual_seed(0)
    LlamaForCausalLM(tiny.llama_config(max_position_embeddings=512)).save_pretrained(folder)
    prepared(tiny.decoder_tokenizer(template=TEMPLATE)).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("name", ["hacking", "reward_model_or_dpo"])
def test_a_quick_run_goes_through_and_is_not_run_again(name, tiny_policy, tmp_path, monkeypatch, capsys):
    study, world = (importlib.import_module(each) for each in ("study", "policy_world"))
    monkeypatch.setattr(study, "RUNS", tmp_path)
    monkeypatch.setattr(world, "RUNS", tmp_path)
    experiment = importlib.import_module(name)
    arguments = ["--quick", "--policy", tiny_policy, "--encoder", tiny_policy]
    experiment.main(arguments)
    first = capsys.readouterr().out
    lines = (tmp_path / f"{name.replace('_', '-')}-quick.jsonl").read_text("utf-8").splitlines()
    points = [point for line in map(json.loads, lines) for point in line["result"].get("points", [])]
    assert points
    assert all(len(point["gold"]) == 3 and np.isfinite(point["nats"]).all() for point in points)
    assert not list(tmp_path.glob("policies-*/runs/*"))
    monkeypatch.setattr(importlib.import_module("policy_arm"), "run_trl", _never)
    experiment.main(arguments)
    assert capsys.readouterr().out == first


def _never(*_: Any, **__: Any) -> Any:
    raise AssertionError("a finished run was run again")
