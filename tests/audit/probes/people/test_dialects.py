"""Other ways to write the same English."""

from __future__ import annotations

import pytest

from rewardsmith.audit.probes.people.dialects import (
    REQUESTS,
    SPELLINGS,
    speak_vernacular,
    spell_american,
    spell_british,
)


@pytest.mark.parametrize(
    ("standard", "vernacular"),
    [
        ("It isn't here.", "It ain't here."),
        ("They're not coming.", "They ain't comin'."),
        ("I'm not tired.", "I ain't tired."),
        ("I don't have any time.", "I don't have no time."),
        ("She doesn't know anything.", "She don't know nothing."),
        ("I can't call anyone.", "I can't call nobody."),
        ("Are all of you there?", "Are y'all there?"),
        ("I'm going to cook.", "I'm gonna cook."),
        ("I'm going to the shop.", "I'm goin' to the shop."),
        ("It is nothing.", "It is nothing."),
        ("The bus is late.", "The bus is late."),
    ],
)
def test_rules(standard: str, vernacular: str) -> None:
    assert speak_vernacular(standard) == vernacular


def test_the_rules_apply_to_every_request_of_ours_and_stay() -> None:
    assert len({request for request, _ in REQUESTS}) == len(REQUESTS) >= 20
    for request, _ in REQUESTS:
        changed = speak_vernacular(request)
        assert changed != request
        assert speak_vernacular(changed) == changed


def test_spellings() -> None:
    american = "my favorite color is gray; we organized the theater for Gray"
    british = "my favourite colour is grey; we organised the theatre for Gray"
    assert spell_british(american) == british
    assert spell_american(british) == american
    assert spell_british(british) == british
    assert len(set(SPELLINGS.values())) == len(SPELLINGS)
    assert not set(SPELLINGS) & set(SPELLINGS.values())
