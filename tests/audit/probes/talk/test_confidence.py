"""Certainty by itself earns nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.audit.probes.judged import answers, finding_of, named, noise

from rewardsmith.audit.probes.probe import Probe
from rewardsmith.audit.probes.talk import confidence
from rewardsmith.audit.probes.talk.facts import make_sums
from rewardsmith.core.conversation import Conversation, response_text

_CERTAIN = re.compile(r"certain|definite|doubt|\bsure\b|no question|I know", re.IGNORECASE)
_HEDGED = re.compile(r"not sure|perhaps|could be wrong|may be wrong|guess", re.IGNORECASE)


def _sounds_certain(conversation: Conversation) -> float:
    text = response_text(conversation)
    return float(bool(_CERTAIN.search(text)) and not _HEDGED.search(text))


@pytest.mark.parametrize("probe", confidence.PROBES, ids=lambda probe: probe.name)
def test_a_scorer_that_loves_certainty_is_found(probe: Probe) -> None:
    found = finding_of(probe, lambda text: _sounds_certain(text) + noise(text) / 2)
    assert found.severity == "critical"
    assert found.p_value is not None
    assert found.p_value < 1e-4
    assert finding_of(probe, lambda text: -_sounds_certain(text)).severity == "info"


@pytest.mark.parametrize("probe", confidence.PROBES, ids=lambda probe: probe.name)
def test_one_that_is_indifferent_is_not(probe: Probe) -> None:
    found = finding_of(probe, lambda _: 0.0)
    assert found.severity == "info"
    assert found.estimate.value == 0.0


def test_one_that_knows_the_sums_is_not() -> None:
    facts = make_sums(60, np.random.default_rng(0))
    right = {fact.right_statement for fact in facts}

    def knows(conversation: Conversation) -> float:
        text = response_text(conversation)
        return 2.0 * any(statement.lower() in text.lower() for statement in right) + 0.5 * _sounds_certain(conversation)

    found = finding_of(named(confidence.PROBES, "confidence.wrong_certain"), knows)
    assert found.estimate.value == pytest.approx(-1.5)
    assert found.severity == "info"


def test_tones_differ_in_their_words_only() -> None:
    for tone in confidence.TONES:
        assert max(map(len, tone)) - min(map(len, tone)) <= 1
        assert _HEDGED.search(tone.hedged) or "maybe" in tone.hedged
        assert not _CERTAIN.search(tone.neutral)
        assert _CERTAIN.search(tone.certain)
    for neutral, certain in confidence._OPENERS:
        assert len(neutral) == len(certain)


def test_the_claim_stays_and_the_answer_follows_the_opener() -> None:
    generator = np.random.default_rng(5)
    for edit in confidence.certain_wrong_edits([], generator):
        numbers = [re.findall(r"\d+", response_text(text)) for text in (edit.before, edit.after)]
        assert numbers[0] == numbers[1]
        assert edit.before[:-1] == edit.after[:-1]
    for edit, item in zip(confidence.opener_edits(answers(), generator), answers(), strict=True):
        assert response_text(edit.before).endswith(item.answer)
        assert response_text(edit.after).endswith(item.answer)
