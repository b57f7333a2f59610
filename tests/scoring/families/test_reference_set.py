"""What members are standardised on."""

from __future__ import annotations

import pytest
from tests.training.toy import toy_preferences

from rewardsmith.core.errors import DataError
from rewardsmith.scoring.families.reference_set import reference_set


def test_each_response_of_a_prompt_stands_once():
    preferences = toy_preferences(6, responses=3)
    known = reference_set([*preferences, preferences[2]])

    assert len(known) == 18
    assert list(known.groups) == [f"group-{number}" for number in range(6) for _ in range(3)]
    assert known.conversations[4] == preferences[1].conversation(1)


def test_a_large_set_is_drawn_from_by_seed_and_stays_in_order():
    preferences = toy_preferences(40)
    some = reference_set(preferences, most=10, seed=1)
    assert len(set(some.groups)) == 10
    assert some == reference_set(preferences, most=10, seed=1)
    assert some != reference_set(preferences, most=10, seed=2)
    places = [int(group.removeprefix("group-")) for group in some.groups]
    assert places == sorted(places)
    assert max(places) >= 10


def test_no_preferences_are_no_reference_set():
    with pytest.raises(DataError, match="no reference set"):
        reference_set([])
