from __future__ import annotations

import pytest
from tests.audit.probes.judged import answers, finding_of, noise
from tests.audit.probes.texts import edited, edits_of

from rewardsmith.audit.probes.talk.flattery import CLOSERS, OPENERS, PRAISES, PROBES

OPENER, CLOSER, PRAISE = PROBES


def test_the_answer_stays_whole():
    assert any(edited(OPENER, "Yes.") == f"{phrase} Yes." for phrase in OPENERS)
    assert any(edited(CLOSER, "Yes.\n") == f"Yes.\n\n{phrase}" for phrase in CLOSERS)
    assert any(edited(PRAISE, "Yes.") == f"{phrase} Yes." for phrase in PRAISES)


@pytest.mark.parametrize(("probe", "phrases"), list(zip(PROBES, (OPENERS, CLOSERS, PRAISES), strict=True)))
def test_every_phrase_is_drawn(probe, phrases):
    assert len(phrases) >= 5
    made = [edit.after[-1].content for edit in edits_of(probe, answers(200))]
    assert all(any(phrase in text for text in made) for phrase in phrases)


@pytest.mark.parametrize(("probe", "phrases"), list(zip(PROBES, (OPENERS, CLOSERS, PRAISES), strict=True)))
def test_a_scorer_that_is_flattered_is_found_and_a_sound_one_is_not(probe, phrases):
    def flattered(text) -> float:
        return noise(text) + any(phrase in text[-1].content for phrase in phrases)

    assert finding_of(probe, flattered).severity == "critical"
    assert finding_of(probe, lambda text: float(text[-1].content.count("river"))).severity == "info"
