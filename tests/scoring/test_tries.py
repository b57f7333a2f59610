"""When a server is asked again, with a clock that the tests wind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import OverloadError, ServingError, SettingsError
from rewardsmith.scoring.tries import Lost, Received, Send, TryLimits, Wait, tries

URL = "http://reward.example/v1/rewards"
LIMITS = TryLimits(timeout_s=10, deadline_s=60, max_attempts=4, backoff_s=1, max_wait_s=3)


class Clock:
    """Seconds that pass when something waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def drive(
    outcomes: Sequence[Received | Lost], limits: TryLimits = LIMITS, *, takes_s: float = 0.0, jitter: float = 0.0
):
    """What is done until the end, and the reply or the error."""
    clock, actions, came = Clock(), [], None
    left = list(outcomes)

    def refusal(received: Received, counted: str) -> OverloadError:
        return OverloadError(f"status {received.status}, {counted}")

    steps = tries(limits, where=URL, refusal=refusal, now=clock, jitter=lambda: jitter)
    while True:
        try:
            action = steps.send(came)
        except StopIteration as end:
            return actions, end.value, clock.now - 100
        except ServingError as error:
            return actions, error, clock.now - 100
        actions.append(action)
        if isinstance(action, Wait):
            clock.now += action.seconds
            came = None
        else:
            clock.now += takes_s
            came = left.pop(0)


BUSY = Received(429, b"")


def test_an_answer_ends_it() -> None:
    assert drive([Received(200, b"yes")]) == ([Send(10)], b"yes", 0)


def test_waits_double_up_to_the_longest_and_stop_after_the_last_try() -> None:
    actions, error, _ = drive([Received(503, b"")] * 9)
    assert actions == [Send(10), Wait(1), Send(10), Wait(2), Send(10), Wait(3), Send(10)]
    assert str(error) == "status 503, 4 tries"


def test_jitter_takes_up_to_a_quarter_off() -> None:
    actions, _, _ = drive([Received(502, b""), Received(200, b"")], jitter=0.8)
    assert actions[1] == Wait(pytest.approx(0.8))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 422, 500, 501, 507, 301, 204])
def test_other_statuses_are_final(status: int) -> None:
    actions, error, _ = drive([Received(status, b"")])
    assert (actions, str(error)) == ([Send(10)], f"status {status}, 1 try")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_passing_statuses_are_tried_again(status: int) -> None:
    actions, content, _ = drive([Received(status, b""), Received(200, b"yes")])
    assert (actions, content) == ([Send(10), Wait(1), Send(10)], b"yes")


def test_retry_after_is_obeyed_and_never_shortened() -> None:
    busy = Received(429, b"", "7")
    actions, content, _ = drive([busy, Received(200, b"yes")], jitter=0.4)
    assert actions[1] == Wait(pytest.approx(7.7))
    assert content == b"yes"


def test_a_server_that_asks_for_more_patience_than_there_is_is_given_up_at_once() -> None:
    actions, error, waited = drive([Received(429, b"", "3600")])
    assert (actions, waited) == ([Send(10)], 0)
    assert "429, 1 try" in str(error)


def test_lost_connections_end_in_an_error_that_names_the_url() -> None:
    actions, error, _ = drive([Lost("ConnectError: refused")] * 4)
    assert len(actions) == 7
    assert isinstance(error, ServingError)
    assert error.where == URL
    assert "does not answer, 4 tries" in str(error)
    assert "refused" in str(error)


def test_the_deadline_cuts_the_last_try_short() -> None:
    limits = TryLimits(timeout_s=10, deadline_s=25, max_attempts=99, backoff_s=1, max_wait_s=1)
    actions, error, waited = drive([Lost("no reply")] * 99, limits, takes_s=10)
    # 10 + 1 + 10 + 1 = 22 s are gone; 3 are left for the third try.
    assert actions == [Send(10), Wait(1), Send(10), Wait(1), Send(3)]
    assert "3 tries" in str(error)
    assert waited == 32  # the tries of this test take their 10 s whatever they are told


@given(
    outcomes=st.lists(st.sampled_from([BUSY, Received(503, b"", "2"), Lost("gone")]), min_size=40, max_size=40),
    deadline_s=st.floats(0.1, 50),
    attempts=st.integers(1, 20),
    jitter=st.floats(0, 0.99),
)
def test_it_always_ends_in_time(outcomes: list[Any], deadline_s: float, attempts: int, jitter: float) -> None:
    limits = TryLimits(timeout_s=5, deadline_s=deadline_s, max_attempts=attempts, backoff_s=0.5, max_wait_s=4)
    actions, error, waited = drive(outcomes, limits, jitter=jitter)
    assert isinstance(error, ServingError)
    assert waited <= deadline_s
    assert sum(isinstance(action, Send) for action in actions) <= attempts
    longest = max(0.05, deadline_s + 1e-9)  # of the clock, 100 and some
    assert all(action.timeout_s <= longest for action in actions if isinstance(action, Send))


@pytest.mark.parametrize(
    "wrong", [{"timeout_s": 0}, {"deadline_s": -1}, {"max_attempts": 0}, {"backoff_s": -1}, {"max_wait_s": -1}]
)
def test_limits_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        TryLimits(**wrong)
