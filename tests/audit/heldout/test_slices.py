from __future__ import annotations

import numpy as np
from tests.audit.planted import observed, simple

from rewardsmith.audit.heldout.slices import measure_slices, slice_findings
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair, Preference


def asked(name: str, *prompt: str, votes: tuple[str, ...] = (), width: int = 5) -> Preference:
    texts = [f"{text} {name}" for text in prompt]
    turns = tuple(user(text) if place % 2 == 0 else assistant(text) for place, text in enumerate(texts))
    return Preference(
        turns, ((assistant("a" * width),), (assistant("b" * width),)), (Pair(0, 1),), name, name, "s", votes
    )


def slices_of(preferences, rewards):
    slices = measure_slices(preferences, observed(preferences, rewards), seed=0)
    return slices, {finding.name: finding for finding in slice_findings(slices)}


def by_name(slices):
    return {one.name: one for one in slices}


def test_accuracy_by_turns_by_hand():
    preferences = [asked("1", "q"), asked("2", "q2"), asked("3", "q", "a", "q"), asked("4", *"qaqaqaqaq")]
    slices, _ = slices_of(preferences, [(1, 0), (0, 1), (1, 0), (1, 0)])
    turns = by_name(one for one in slices if one.dimension == "turns")
    assert (turns["1 turn of the user"].accuracy.value, turns["1 turn of the user"].accuracy.n) == (0.5, 2)
    assert turns["1 turn of the user"].rest.value == 1.0
    assert turns["2 turns of the user"].accuracy.n == 1
    assert turns["4 or more turns of the user"].accuracy.n == 1


def test_quarters_by_length_in_order():
    preferences = [asked(str(width), "q", width=width) for width in range(1, 101)]
    slices, _ = slices_of(preferences, [(1, 0)] * 100)
    lengths = [one for one in slices if one.dimension == "length"]
    assert [one.name for one in lengths] == [
        "up to 26 characters", "27 to 50 characters", "51 to 75 characters", "from 76 characters",
    ]  # fmt: skip
    assert sum(one.accuracy.n for one in lengths) == 100


def test_scripts_and_agreement():
    preferences = [
        asked("1", "What is it?", votes=("chosen",) * 3),
        asked("2", "这是什么意思", votes=("chosen", "chosen", "rejected")),
        asked("3", "что это", votes=("chosen", "rejected", "chosen", "rejected", "chosen")),
    ]
    slices, _ = slices_of(preferences, [(1, 0)] * 3)
    names = {one.name for one in slices}
    assert {"Latin script", "Cjk script", "Cyrillic script"} <= names
    assert {"all raters agree", "at least two thirds agree", "fewer than two thirds agree"} <= names


def test_one_slice_is_none():
    preferences = [simple(str(number), "aaaa", "bbbb") for number in range(40)]
    slices, found = slices_of(preferences, [(1, 0)] * 40)
    assert [one for one in slices if one.dimension in ("turns", "agreement", "script")] == []
    assert "slice.turns" not in found


def half_wrong_in_one_slice(right: float):
    preferences = [asked(str(number), *("q" if number % 3 else "qaq")) for number in range(600)]
    rng = np.random.default_rng(1)
    wins = [(1, 0) if number % 3 or rng.random() < right else (0, 1) for number in range(600)]
    return slices_of(preferences, wins)[1]["slice.turns"]


def test_a_slice_where_the_model_fails_is_named():
    finding = half_wrong_in_one_slice(0.5)
    assert finding.severity == "warning"
    assert "2 turns of the user" in finding.summary
    assert finding.estimate.value < -0.4
    assert finding.p_value is not None
    assert finding.p_value < 1e-6


def test_a_slice_that_is_a_little_weaker_is_not():
    assert half_wrong_in_one_slice(0.93).severity == "info"


def test_less_accuracy_where_raters_differ_is_as_it_should_be_and_below_chance_is_not():
    votes = [("chosen",) * 3 if number % 2 else ("chosen", "chosen", "rejected") for number in range(200)]
    preferences = [asked(str(number), "q", votes=some) for number, some in enumerate(votes)]
    half = [(1, 0) if number % 4 else (0, 1) for number in range(200)]
    assert slices_of(preferences, half)[1]["slice.agreement"].severity == "info"
    opposite = [(1, 0) if number % 2 or number % 20 == 0 else (0, 1) for number in range(200)]
    finding = slices_of(preferences, opposite)[1]["slice.agreement"]
    assert finding.severity == "warning"
    assert finding.p_value is not None
    assert finding.p_value < 1e-6
