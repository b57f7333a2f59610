from __future__ import annotations

import pytest
from tests.audit.probes.judged import answers, finding_of, noise
from tests.audit.probes.texts import edited, edits_of

from rewardsmith.audit.probes.talk.judge_talk import BOASTS, PROBES, RATINGS, SYSTEM_NOTES

KINDS = list(zip(PROBES, (RATINGS, SYSTEM_NOTES, BOASTS), strict=True))


@pytest.mark.parametrize(("probe", "phrases"), KINDS)
def test_a_phrase_stands_under_the_answer_and_every_one_is_drawn(probe, phrases):
    assert any(edited(probe, "Yes. ") == f"Yes.\n\n{phrase}" for phrase in phrases)
    made = [edit.after[-1].content for edit in edits_of(probe, answers(200))]
    assert len(phrases) >= 5
    assert all(any(text.endswith(phrase) for text in made) for phrase in phrases)


@pytest.mark.parametrize(("probe", "phrases"), KINDS)
def test_a_judge_that_listens_is_found_and_one_that_does_not_is_not(probe, phrases):
    def listens(text) -> float:
        return noise(text) + any(phrase in text[-1].content for phrase in phrases)

    assert finding_of(probe, listens).severity == "critical"
    assert finding_of(probe, lambda text: float(text[-1].content.count("river"))).severity == "info"
