from __future__ import annotations

from math import comb

import numpy as np
import pytest
from tests.audit.planted import FunctionScorer

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.family import settle
from rewardsmith.audit.stress.pressure import Pressure, measure_pressure
from rewardsmith.audit.stress.pressure_findings import pressure_findings
from rewardsmith.core.conversation import assistant, response_text, user
from rewardsmith.core.errors import DataError
from rewardsmith.preferences.candidates import Candidates

PROMPTS, SIZE = 40, 16


def candidates(*, prompts: int = PROMPTS, size: int = SIZE, gold=lambda quality: quality, seed: int = 0):
    """Each answer says its quality, a number that differs within a prompt, and is as long as it."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(prompts):
        qualities = rng.permutation(size)
        texts = [f"{quality:03d} " + "x" * int(quality) for quality in qualities]
        ratings = np.array([gold(int(quality)) for quality in qualities], dtype=np.float64)
        made.append(
            Candidates((user(f"p{number}"),), tuple((assistant(text),) for text in texts), ratings, str(number))
        )
    return made


def quality_of(conversation) -> int:
    return int(response_text(conversation)[:3])


BY_QUALITY = FunctionScorer(lambda conversation: float(quality_of(conversation)))


def measured(scorer, groups, **options) -> Pressure:
    pressure = measure_pressure(scorer, groups, **options)
    assert isinstance(pressure, Pressure)
    return pressure


def named(pressure):
    return {finding.name: finding for finding in settle(pressure_findings(pressure))}


def test_two_prompts_by_hand():
    def texts(prompt, *rated):
        responses = tuple((assistant(text),) for text, _ in rated)
        return Candidates((user(prompt),), responses, np.array([gold for _, gold in rated], dtype=float), prompt)

    # The reward is the number of characters: 4, 3, 2, 1 of both prompts.
    groups = [
        texts("a", ("aaaa", 1), ("aaa", 4), ("aa", 3), ("a", 0)),
        texts("b", ("**b**", 5), ("bbb", 2), ("bb", 1), ("b", 0)),
    ]
    pressure = measured(FunctionScorer(lambda conversation: len(response_text(conversation))), groups)
    assert [point.n for point in pressure.points] == [1, 2, 4]
    # n = 2 has weights 3/6, 2/6, 1/6, 0: a gives (3 + 8 + 3)/6 = 14/6, b gives (15 + 4 + 1)/6 = 20/6.
    assert [point.gold.value for point in pressure.points] == pytest.approx([2.0, 17 / 6, 3.0])
    assert pressure.points[2].length.value == pytest.approx((4 + 5) / 2)
    assert [point.markdown.value for point in pressure.points] == pytest.approx([1 / 8, (3 / 6) / 2, 1 / 2])
    # Variances of the gold: a 2.5, b 3.5, so the deviation is √3; the gain at n = 4 is 1/√3.
    assert pressure.points[2].gold_gain.value == pytest.approx(1 / np.sqrt(3))
    assert pressure.turn.n == 4
    assert pressure.turn.fall.value == 0.0
    # The top two of each: a in the wrong order, b in the right one. All pairs: a 4 of 6, b 6 of 6.
    assert pressure.top_accuracy.value == 0.5
    assert pressure.accuracy.value == pytest.approx(10 / 12)


def test_a_reward_that_is_the_gold_does_not_turn():
    pressure = measured(BY_QUALITY, candidates())
    assert pressure.turn.n == SIZE
    assert pressure.points[-1].gold.value == SIZE - 1
    assert (pressure.accuracy.value, pressure.top_accuracy.value) == (1.0, 1.0)
    found = named(pressure)
    assert {finding.severity for finding in found.values()} == {"info"}


def test_gold_up_to_a_quality_and_then_length_turns_where_it_was_planted():
    # Gold rises with quality up to 11, then every further character costs three. The reward is quality throughout.
    worth = [quality if quality <= 11 else 11 - 3 * (quality - 11) for quality in range(SIZE)]
    pressure = measured(BY_QUALITY, candidates(gold=lambda quality: worth[quality]))
    # All prompts are alike, so the curve is Σ C(i, n−1)/C(16, n)·gold(i): 5, 5.67, 4.46, 1.60, −1.
    exact = [sum(comb(i, n - 1) * worth[i] for i in range(SIZE)) / comb(SIZE, n) for n in (1, 2, 4, 8, 16)]
    assert exact[0] == 5.0
    assert exact[-1] == -1.0
    assert [point.gold.value for point in pressure.points] == pytest.approx(exact)
    assert pressure.turn.n == 2
    found = named(pressure)["pressure.turn"]
    assert found.severity == "critical"
    assert found.estimate.value < -1
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert "best of 2" in found.summary


def test_a_reward_that_is_upside_down_falls_from_the_start():
    pressure = measured(BY_QUALITY, candidates(gold=lambda quality: -quality))
    assert pressure.turn.n == 1
    found = named(pressure)["pressure.turn"]
    assert found.severity == "critical"
    assert "falls from the start" in found.summary


def test_the_top_candidates_are_looked_at_by_themselves():
    # Right below quality 12, upside down above it: the top quarter of 16.
    pressure = measured(BY_QUALITY, candidates(gold=lambda quality: quality if quality < 12 else 40 - quality))
    assert pressure.top_accuracy.value == 0.0
    assert pressure.accuracy.value == pytest.approx(1 - 6 / 120)
    assert named(pressure)["pressure.top_accuracy"].severity == "warning"


def test_length_drift_follows_the_reward():
    points = measured(BY_QUALITY, candidates()).points
    lengths = [point.length.value for point in points]
    assert lengths == sorted(lengths)
    assert lengths[0] == pytest.approx(4 + 7.5)
    assert lengths[-1] == 4 + 15


def test_a_constant_reward_has_no_spread():
    found = named(measured(FunctionScorer(lambda _: 1.0), candidates()))
    assert found["pressure.spread"].severity == "critical"
    assert found["pressure.spread"].estimate.value == 1.0
    assert found["pressure.turn"].severity == "info"


def test_noise_is_not_called_a_turn():
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise: dict = {}
        scorer = FunctionScorer(lambda one, noise=noise, rng=rng: noise.setdefault(one, float(rng.normal())))
        pressure = measured(scorer, candidates(seed=seed), seed=seed)
        alarms += any(finding.severity != "info" for finding in named(pressure).values())
    assert alarms <= 3


def test_few_prompts_give_values_and_no_verdict():
    found = named(measured(BY_QUALITY, candidates(prompts=5, gold=lambda quality: -quality)))
    assert found["pressure.turn"].severity == "info"
    assert found["pressure.turn"].p_value is None
    assert "Too few" in found["pressure.turn"].summary


def test_a_sample_is_scored_once_and_repeats_itself():
    groups = candidates()
    scorer = FunctionScorer(lambda conversation: float(quality_of(conversation)))
    first = measured(scorer, groups, max_groups=10, max_candidates=8)
    assert len(scorer.asked) == len(set(scorer.asked)) == 80
    assert (first.groups, first.candidates) == (10, 80)
    assert first == measured(BY_QUALITY, groups, max_groups=10, max_candidates=8)


def test_small_groups_and_missing_rewards_are_counted():
    groups = [*candidates(prompts=30), *candidates(prompts=3, size=4)]
    pressure = measured(FunctionScorer(lambda one: np.nan if quality_of(one) == 0 else float(quality_of(one))), groups)
    assert (pressure.groups, pressure.left_out, pressure.unscored) == (30, 3, 30)


def test_without_candidates_there_is_no_curve():
    with pytest.raises(DataError, match="no candidates"):
        measure_pressure(BY_QUALITY, [])
    few = measure_pressure(FunctionScorer(lambda _: float("nan")), candidates())
    assert isinstance(few, Absent)
    assert pressure_findings(few) == []
