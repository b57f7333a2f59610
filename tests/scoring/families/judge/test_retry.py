from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.scoring.families.judge.retry import asked_wait_s, is_passing, wait_s

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "passing"),
    [(200, False), (400, False), (401, False), (404, False), (408, True), (429, True), (500, True), (503, True)],
)
def test_what_may_pass_is_tried_again(status: int, passing: bool):
    assert is_passing(status) is passing


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None):
    assert asked_wait_s(header, now=NOW) == seconds


def test_waits_double_up_to_the_longest():
    waits = [wait_s(failed, backoff_s=0.5, max_wait_s=3, jitter=0) for failed in (1, 2, 3, 4, 5)]
    assert waits == [0.5, 1.0, 2.0, 3.0, 3.0]


@given(st.integers(1, 10_000), st.floats(0, 1e6), st.floats(0, 100), st.floats(0, 0.999))
def test_a_wait_is_within_its_bounds(failed: int, backoff: float, longest: float, jitter: float):
    assert 0 <= wait_s(failed, backoff_s=backoff, max_wait_s=longest, jitter=jitter) <= longest
