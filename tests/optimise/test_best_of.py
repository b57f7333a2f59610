"""The line of a prompt and the summary of a run, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rewardsmith.core.conversation import user
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.optimise.best_of import BestOfSettings, best_of, summarise
from rewardsmith.optimise.policy.policy import SamplingSettings
from rewardsmith.optimise.sample_store import group_from
from rewardsmith.optimise.samples import Sample, SampleGroup

SETTINGS = BestOfSettings(sampling=SamplingSettings(n=4))


def _group(name: str, *texts: str) -> SampleGroup:
    return SampleGroup((user(name),), name, tuple(Sample(text, 3, text != "cut") for text in texts))


def _scores(*rewards: float, members: list[list[float]] | None = None) -> Scores:
    table = None if members is None else np.array(members, dtype=np.float32)
    spread = None if table is None else table.std(axis=0)
    return Scores(np.array(rewards, dtype=np.float32), Provenance("m", "t"), spread, table)


def test_a_line_holds_the_pick_and_what_it_stood_against():
    group = _group("p", "a", "b", "c", "d")
    line = best_of(group, _scores(1, 4, 3, 0), SETTINGS)
    assert group_from(line) == group
    assert (line["response"], line["pick"], line["reward"], line["mean_reward"]) == ("b", 1, 4.0, 2.0)
    assert (line["value"], line["tied"], line["spread"], line["rewards"]) == (4.0, 1, None, [1.0, 4.0, 3.0, 0.0])
    assert line["nats"] == pytest.approx(math.log(4) - 3 / 4)


def test_an_ensemble_is_picked_by_its_rule_and_its_spread_is_the_picks():
    # Means 2 and 1.5; the worst 0 and 1.
    scores = _scores(2, 1.5, members=[[0, 1], [4, 2]])
    group = _group("p", "a", "b")
    mean, worst = (best_of(group, scores, SETTINGS.model_copy(update={"select": rule})) for rule in ("mean", "worst"))
    assert (mean["pick"], mean["value"], mean["spread"]) == (0, 2.0, 2.0)
    assert (worst["pick"], worst["value"], worst["reward"], worst["spread"]) == (1, 1.0, 1.5, 0.5)


def test_a_response_without_a_reward_does_not_count():
    line = best_of(_group("p", "a", "b", "c"), _scores(math.nan, 1, 3), SETTINGS)
    assert (line["pick"], line["n"], line["mean_reward"], line["rewards"]) == (2, 2, 2.0, [None, 1.0, 3.0])
    assert line["nats"] == pytest.approx(math.log(2) - 1 / 2)


def test_a_run_in_numbers():
    lines = [
        best_of(_group("p", "a", "b", "b", "cut"), _scores(0, 4, 4, 0), SETTINGS),
        best_of(_group("q", "a", "b"), _scores(0, 2), SETTINGS),
    ]
    found = summarise(lines, SETTINGS, is_drawn=True)
    assert (found.prompts, found.responses, found.tied, found.repeated, found.unfinished, found.fewer) == (
        2, 6, 1, 1, 1, 1,
    )  # fmt: skip
    # 4 − 2 and 2 − 1.
    assert (found.gain.value, found.gain.low, found.gain.high) == (1.5, 1.0, 2.0)
    assert found.nats == pytest.approx((math.log(4) - 3 / 4 + math.log(2) - 1 / 2) / 2)
    assert "upper bound: in 1 of 2" in found.note
    assert "upper bound" not in summarise(lines[1:], SETTINGS, is_drawn=True).note
    assert summarise(lines, SETTINGS, is_drawn=False).note.startswith("selection nats")
    cool = BestOfSettings(sampling=SamplingSettings(temperature=0.5))
    assert "temperature 0.5" in summarise(lines, cool, is_drawn=True).note
    # Nothing is known of how a single prompt varies.
    assert summarise(lines[1:], SETTINGS, is_drawn=True).to_dict()["gain"]["low"] is None
