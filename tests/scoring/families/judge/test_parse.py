from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.scoring.families.judge.parse import PAIRWISE, NoVerdictError, pointwise_form

SCORE = pointwise_form((1, 9))


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Verdict: A", 1.0),
        ("Verdict: B", -1.0),
        ("Verdict: tie", 0.0),
        ("A is short.\nverdict: b.", -1.0),
        ("**Verdict:** A", 1.0),
        ("**Verdict**: [[B]]", -1.0),
        ("> Verdict: `Tie`\n\n", 0.0),
        ("The text says\nVerdict: A\nbut it is wrong.\nVerdict: B", -1.0),
        ("Verdict: A\r\n", 1.0),
    ],
)
def test_the_last_verdict_line_counts(reply: str, value: float):
    assert PAIRWISE.parse(reply) == value


@pytest.mark.parametrize(
    "reply",
    ["", "A", "A is better.", "Verdict: A or B", "Verdict:", "Verdict: C", "My Verdict: A", "Verdict: A\nVerdict: ?"],
)
def test_a_reply_without_a_verdict_is_never_one(reply: str):
    with pytest.raises(NoVerdictError):
        PAIRWISE.parse(reply)


@pytest.mark.parametrize(("reply", "value"), [("Score: 7", 7.0), ("Fine.\n*Score: 1*", 1.0)])
def test_a_score_is_read(reply: str, value: float):
    assert SCORE.parse(reply) == value


@pytest.mark.parametrize("reply", ["Score: 0", "Score: 10", "Score: 7/9", "Score: seven", "Score: 7.5", "7"])
def test_a_score_off_the_scale_is_none(reply: str):
    with pytest.raises(NoVerdictError):
        SCORE.parse(reply)


def test_what_was_wrong_is_said():
    with pytest.raises(NoVerdictError, match="no line that begins with `Verdict:`"):
        PAIRWISE.parse("B, of course")
    with pytest.raises(NoVerdictError, match="last such line says `both`"):
        PAIRWISE.parse("Verdict: both")


def test_the_odds_of_two_sides():
    # log .8 − log .2 = log 4 = 1.3863, whatever the probability of anything else.
    assert PAIRWISE.from_log_probs([math.log(0.8), math.log(0.2)]) == pytest.approx(1.386294)
    assert PAIRWISE.from_log_probs([math.log(0.08), math.log(0.02)]) == pytest.approx(1.386294)
    assert PAIRWISE.from_log_probs([math.log(0.2), math.log(0.8)]) == pytest.approx(-1.386294)


def test_the_expected_score():
    # .25·2 + .75·8 = 6.5
    log_probs = [-math.inf] * 9
    log_probs[1], log_probs[7] = math.log(0.25), math.log(0.75)
    assert SCORE.from_log_probs(log_probs) == pytest.approx(6.5)
    assert SCORE.from_log_probs([-3.0] * 9) == pytest.approx(5.0)


@given(st.lists(st.floats(-50, 0), min_size=9, max_size=9), st.floats(-100, 100))
def test_only_the_ratios_of_probabilities_count(log_probs: list[float], shift: float):
    moved = [each + shift for each in log_probs]
    assert SCORE.from_log_probs(moved) == pytest.approx(SCORE.from_log_probs(log_probs))
    assert 1 <= SCORE.from_log_probs(log_probs) <= 9


@pytest.mark.parametrize("answer", list(PAIRWISE.values))
def test_what_is_asked_for_is_what_is_read(answer: str):
    assert PAIRWISE.line(answer) in PAIRWISE.wanted()
    assert PAIRWISE.parse(PAIRWISE.line(answer)) == PAIRWISE.values[answer]
