from __future__ import annotations

from tests.audit.probes.judged import finding_of
from tests.audit.probes.texts import edited

from rewardsmith.audit.probes.shape.repetition import PROBES

LAST, EACH = PROBES


def test_repetitions_by_hand():
    assert edited(LAST, "One. Two!") == "One. Two! Two! Two! Two!"
    assert edited(EACH, "One. Two!") == "One. One. Two! Two!"
    assert edited(EACH, "One.\n- Two") is None


def test_a_counter_of_words_is_found_and_a_counter_of_distinct_words_is_not():
    for probe in PROBES:
        assert finding_of(probe, lambda text: len(text[-1].content.split()) / 10).severity == "critical"
        assert finding_of(probe, lambda text: float(len(set(text[-1].content.split())))).severity == "info"
