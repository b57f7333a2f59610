"""Numbers between 0 and 1, where they are asked for and nowhere else."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from rewardsmith.core.errors import SettingsError
from rewardsmith.serve.protocols.activation import Activated, activated, sigmoid, wants_sigmoid


def test_values_by_hand() -> None:
    assert sigmoid(0.0) == 0.5
    assert sigmoid(math.log(3)) == pytest.approx(0.75)
    assert sigmoid(-math.log(3)) == pytest.approx(0.25)


@given(st.floats(allow_nan=False, width=32))
def test_as_scipy_has_it_and_symmetric(logit: float) -> None:
    assert sigmoid(logit) == pytest.approx(float(expit(logit)), rel=1e-12)
    assert sigmoid(logit) + sigmoid(-logit) == pytest.approx(1)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, False),
        ({"activation": False}, False),
        ({"use_activation": False, "softmax": False}, False),
        ({"activation": True}, True),
        ({"use_activation": True}, True),
        ({"use_activation": True, "activation": True}, True),
    ],
)
def test_a_reward_is_raw_unless_asked_otherwise(asked: dict[str, Any], wanted: bool) -> None:
    is_sigmoid = wants_sigmoid(Activated(**asked))

    assert is_sigmoid is wanted
    assert activated([2.5], is_sigmoid=is_sigmoid) == [pytest.approx(1 / (1 + math.exp(-2.5))) if wanted else 2.5]


def test_a_softmax_over_one_logit_is_refused() -> None:
    with pytest.raises(SettingsError, match="whatever the text"):
        wants_sigmoid(Activated(softmax=True))


def test_a_contradiction_is_refused() -> None:
    with pytest.raises(SettingsError, match="contradict"):
        wants_sigmoid(Activated(use_activation=True, activation=False))
