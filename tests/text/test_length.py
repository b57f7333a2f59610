"""Over-long conversations: drop, truncate, raise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import OverlengthError
from rewardsmith.text.length import LengthPolicy, fit


def ids(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


PREFIX = ids(1, 10, 11, 12, 13)
TAILS = (ids(20, 21), ids(30, 31, 32))


@pytest.mark.parametrize("policy", ["drop", "truncate", "raise"])
@pytest.mark.parametrize("max_tokens", [None, 8, 100])
def test_what_fits_is_left_alone(policy: LengthPolicy, max_tokens: int | None) -> None:
    fitted = fit(PREFIX, TAILS, max_tokens=max_tokens, policy=policy, bos_id=1)
    assert fitted is not None
    assert fitted.prefix.tolist() == PREFIX.tolist()
    assert fitted.cut_tokens == 0


def test_truncate_keeps_the_bos_and_cuts_the_prompts_left() -> None:
    # 5 + 3 = 8 tokens, 6 allowed: two go, and they are 10 and 11.
    fitted = fit(PREFIX, TAILS, max_tokens=6, policy="truncate", bos_id=1)
    assert fitted is not None
    assert fitted.prefix.tolist() == [1, 12, 13]
    assert [tail.tolist() for tail in fitted.tails] == [[20, 21], [30, 31, 32]]
    assert fitted.cut_tokens == 2


def test_truncate_without_a_bos() -> None:
    fitted = fit(PREFIX, TAILS, max_tokens=6, policy="truncate")
    assert fitted is not None
    assert fitted.prefix.tolist() == [11, 12, 13]


def test_responses_are_never_cut() -> None:
    # BOS and the longest tail need 4.
    assert fit(PREFIX, TAILS, max_tokens=4, policy="truncate", bos_id=1) is not None
    assert fit(PREFIX, TAILS, max_tokens=3, policy="truncate", bos_id=1) is None
    assert fit(PREFIX, TAILS, max_tokens=3, policy="truncate") is not None
    assert fit(PREFIX, TAILS, max_tokens=2, policy="truncate") is None


def test_drop_and_raise() -> None:
    assert fit(PREFIX, TAILS, max_tokens=7, policy="drop") is None
    with pytest.raises(OverlengthError, match=r"at most 7 tokens; got 8 tokens \(5 shared, 3"):
        fit(PREFIX, TAILS, max_tokens=7, policy="raise")


@given(
    prefix=st.lists(st.integers(2, 99), max_size=12),
    tails=st.lists(st.lists(st.integers(2, 99), max_size=12), min_size=1, max_size=4),
    max_tokens=st.integers(1, 25),
    has_bos=st.booleans(),
)
def test_truncation_cuts_as_little_as_possible(
    prefix: list[int], tails: list[list[int]], max_tokens: int, has_bos: bool
) -> None:
    whole = ids(*([1] if has_bos else []), *prefix)
    fitted = fit(whole, [ids(*tail) for tail in tails], max_tokens=max_tokens, policy="truncate", bos_id=1)
    longest = max(map(len, tails))
    if fitted is None:
        assert longest + has_bos > max_tokens
        return
    assert [tail.tolist() for tail in fitted.tails] == tails
    n_kept = len(fitted.prefix)
    assert n_kept + longest == min(max_tokens, len(whole) + longest)
    assert fitted.cut_tokens == len(whole) - n_kept
    kept_prompt = fitted.prefix.tolist()[has_bos:]
    assert kept_prompt == prefix[len(prefix) - len(kept_prompt) :]
    assert not has_bos or fitted.prefix[0] == 1
