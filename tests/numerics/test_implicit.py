"""The reward that a policy implies."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.numerics.implicit import implicit_reward

LOG_PROBS = st.lists(st.floats(-200, 0), min_size=3, max_size=3).map(lambda values: np.array(values))


def test_hand_values() -> None:
    # .1 · (−10 + 12) = .2, over 4 tokens .05; .1 · (−7 + 2) = −.5, over 5 tokens −.1
    policy, reference, n_tokens = np.array([-10.0, -7.0]), np.array([-12.0, -2.0]), np.array([4, 5])
    np.testing.assert_allclose(implicit_reward(policy, reference, n_tokens, beta=0.1), [0.2, -0.5])
    found = implicit_reward(policy, reference, n_tokens, beta=0.1, normalise="per_token")
    np.testing.assert_allclose(found, [0.05, -0.1])


def test_an_empty_response_has_no_reward() -> None:
    none = np.zeros(1)
    assert implicit_reward(none, none, np.array([0]), beta=1.0, normalise="per_token").tolist() == [0.0]


@given(LOG_PROBS, LOG_PROBS, st.floats(0.01, 10))
def test_swapping_the_two_turns_the_sign_and_the_same_policy_gives_0(one, other, beta) -> None:
    tokens = np.array([1, 2, 3])
    np.testing.assert_allclose(
        implicit_reward(one, other, tokens, beta=beta), -implicit_reward(other, one, tokens, beta=beta)
    )
    assert not implicit_reward(one, one, tokens, beta=beta).any()
