"""KL of whole responses on samples whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import user
from rewardsmith.core.errors import DataError
from rewardsmith.optimise.kl import nats_a_token, sequence_kl, sequence_kl_k3
from rewardsmith.optimise.samples import Sample, SampleGroup


def _group(name: str, *pairs: tuple[float, float], n_tokens: int = 4) -> SampleGroup:
    samples = tuple(Sample("x", n_tokens, True, own, reference) for own, reference in pairs)
    return SampleGroup((user(name),), name, samples)


def test_a_coin_by_hand():
    # π = (.7, .3), π_ref = (.5, .5), ten draws that fall exactly so: KL = .7 log 1.4 + .3 log .6 = .08228.
    draws = [(math.log(0.7), math.log(0.5))] * 7 + [(math.log(0.3), math.log(0.5))] * 3
    group = _group("g", *draws)
    assert sequence_kl([group]).value == pytest.approx(0.7 * math.log(1.4) + 0.3 * math.log(0.6), abs=1e-12)
    # The mean of ρ − 1 is nought where the frequencies are exact.
    assert sequence_kl_k3([group]).value == pytest.approx(0.082283, abs=1e-6)
    assert nats_a_token([group]).value == pytest.approx(0.082283 / 4, abs=1e-6)


def test_one_sample_by_hand_and_its_sign():
    # log π − log π_ref = 1: k3 = e^−1 − 1 + 1.
    assert sequence_kl([_group("g", (-1.0, -2.0))]).value == 1.0
    assert sequence_kl_k3([_group("g", (-1.0, -2.0))]).value == pytest.approx(0.367879, abs=1e-6)
    assert sequence_kl([_group("g", (-2.0, -1.0))]).value == -1.0
    assert sequence_kl_k3([_group("g", (-2.0, -1.0))]).value == pytest.approx(math.e - 2, abs=1e-6)


def test_samples_count_alike_and_prompts_are_resampled():
    groups = [_group("a", (0.0, -1.0)), _group("b", (0.0, -4.0), (0.0, -4.0), n_tokens=1)]
    found = sequence_kl(groups)
    assert (found.value, found.n, found.groups) == (3.0, 3, 2)
    # Whatever is drawn, the mean lies between the prompts'.
    assert (found.low, found.high) == (1.0, 4.0)
    # (1 + 4 + 4) nats over 4 + 1 + 1 tokens.
    assert nats_a_token(groups).value == pytest.approx(1.5)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20))
def test_k3_is_never_below_nought(ratios: list[float]):
    groups = [_group(str(number), (ratio, 0.0)) for number, ratio in enumerate(ratios)]
    assert sequence_kl_k3(groups, draws=0).value >= 0
    assert sequence_kl(groups, draws=0).value == pytest.approx(float(np.mean(ratios)))


def test_what_is_not_known_is_refused():
    half = SampleGroup((user("a"),), "a", (Sample("x", 1, True, -1.0, -1.0), Sample("y", 1, True, -1.0)))
    with pytest.raises(DataError, match="log-probabilities"):
        sequence_kl([half])
    with pytest.raises(DataError, match="unknown length"):
        nats_a_token([_group("g", (0.0, 0.0), n_tokens=0)])
    assert math.isnan(sequence_kl([]).value)
