"""Proxy and gold of policies on the way, by hand; and the responses that gold does not rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from tests.audit.planted import FunctionScorer

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.stress.budget import Budget
from rewardsmith.audit.stress.pressure import Pressure, measure_pressure
from rewardsmith.core.conversation import Conversation, response_text, user
from rewardsmith.core.errors import DataError
from rewardsmith.optimise.pressure import RlPressure, measure_rl, rate_groups, rl_findings
from rewardsmith.optimise.pressure_report import pressure_sections
from rewardsmith.optimise.samples import Sample, SampleGroup


class WrittenGold:
    """Gold stands in the response, before a colon; `?` is not rated."""

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"gold": "written"}

    def rate(self, conversations: Sequence[Conversation]) -> np.ndarray:
        texts = [response_text(each).partition(":")[0] for each in conversations]
        return np.array([np.nan if text == "?" else float(text) for text in texts])


GOLD = WrittenGold()
REWARD = FunctionScorer(lambda conversation: float(response_text(conversation).partition(":")[2]))


def group(name: str, *pairs: tuple[object, float], nats: float = 0.0) -> SampleGroup:
    samples = tuple(
        Sample(f"{gold}:{reward}", n_tokens=1, log_prob=-1.0, log_prob_reference=-1.0 - nats) for gold, reward in pairs
    )
    return SampleGroup((user(name),), name, samples)


def test_responses_without_a_rating_are_left_out_and_repeats_stay():
    rated = rate_groups([group("a", (1, 0), ("?", 1), (1, 0)), group("b", ("?", 2))], GOLD)
    assert rated.unrated == 2
    (only,) = rated.candidates
    assert (only.group, only.ratings.tolist(), len(only)) == ("a", [1.0, 1.0], 2)
    with pytest.raises(DataError, match="rates none"):
        rate_groups([group("a", ("?", 1))], GOLD)


def test_repeated_draws_count_as_often_as_they_were_drawn():
    # Of 1, 1, 1, 2 a random one is worth 5/4; a set of three of the distinct ones would be worth 3/2.
    rated = rate_groups([group("a", (1, 0), (1, 0), (1, 0), (2, 1))], GOLD)
    found = measure_pressure(REWARD, rated.candidates, is_drawn=True)
    assert isinstance(found, Pressure)
    assert found.points[0].gold.value == pytest.approx(5 / 4)
    assert found.unit == "nats"


def test_gains_of_a_checkpoint_by_hand():
    start = [group("a", (0, 0), (2, 4)), group("b", (1, 0), (3, 4)), group("c", (1, 1), (1, 1))]
    trained = [group("b", (4, 6), (4, 6), nats=0.5), group("a", (1, 4), (1, 4), nats=1.5)]
    found = measure_rl(start, [("late", trained)], REWARD, GOLD)
    # Of a and b, which both answered: gold 1 and 2 at first, 1 and 4 then: gains 0 and 2. Deviation of gold within a
    # prompt √((1 + 1)/2) = 1, of the reward √((4 + 4)/2) = 2; rewards 2 and 2, then 4 and 6: gains 2 and 4.
    (point,) = found.points
    assert (found.prompts, found.left_out) == (2, 1)
    assert point.gold_gain.value == pytest.approx(1.0)
    assert point.proxy_gain.value == pytest.approx(3 / 2)
    assert point.kl.value == pytest.approx(1.0)
    assert point.length.value == len("4:6")
    assert isinstance(found.budget, Absent)
    assert rl_findings(found) == []


def rl_run(prompts: int = 24) -> RlPressure:
    """Gold 2d − d² of standard deviation 1 within a prompt: the peak is at d = 1."""
    names = [f"p{number}" for number in range(prompts)]
    start = [group(name, (-1, -1), (1, 1)) for name in names]
    checkpoints = []
    for step, nats in enumerate((2.25, 0.25, 1.0, -0.01)):
        d = max(nats, 0.0) ** 0.5
        checkpoints.append((f"step {step}", [group(name, (2 * d - d * d, 2 * d), nats=nats) for name in names]))
    return measure_rl(start, checkpoints, REWARD, GOLD)


def test_checkpoints_stand_by_kl_and_give_a_budget():
    found = rl_run()
    assert [round(point.kl.value, 2) for point in found.points] == [-0.01, 0.25, 1.0, 2.25]
    assert [round(point.gold_gain.value, 2) for point in found.points] == [0.0, 0.75, 1.0, 0.75]
    assert isinstance(found.budget, Budget)
    assert found.budget.form == "rl"
    # All prompts are alike: the budget is the peak of the fitted curve, which is another form than the planted one.
    assert found.budget.nats == pytest.approx(found.budget.peak_nats.value, rel=0.02)
    assert 0.6 < found.budget.nats < 2.25
    (finding,) = rl_findings(found)
    assert (finding.name, finding.unit) == ("pressure.rl_budget", "nats")


def test_the_report_shows_both_and_says_what_is_absent():
    rl = rl_run()
    sections = pressure_sections(Absent("No prompt has candidates."), rl, rl_findings(rl))
    assert [section.title for section in sections] == [
        "How far may this reward be followed?",
        "Optimisation pressure",
        "RL",
    ]
    assert len(pressure_sections(Absent("None."), Absent("None."), [])) == 2


def test_what_cannot_be_compared_is_refused():
    one = [group("a", (0, 0), (2, 4))]
    with pytest.raises(DataError, match="by every policy"):
        measure_rl(one, [("x", [group("b", (0, 0))])], REWARD, GOLD)
    with pytest.raises(DataError, match="comes twice"):
        measure_rl(one * 2, [("x", one)], REWARD, GOLD)
    bare = [SampleGroup((user("a"),), "a", (Sample("1:1"),))]
    with pytest.raises(DataError, match="without log-probabilities"):
        measure_rl(one, [("x", bare)], REWARD, GOLD)
