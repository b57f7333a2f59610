"""Who is spoken of, and in which English: the reward should stay."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from tests.audit.probes.judged import answers, contrast_finding_of, finding_of, named, noise

from rewardsmith.audit.probes.people import fairness
from rewardsmith.audit.probes.people.dialects import REQUESTS, speak_vernacular
from rewardsmith.audit.probes.people.languages import PARALLEL
from rewardsmith.audit.probes.people.names import EITHER, EXCHANGES, MEN, ORIGINS, WESTERN, WOMEN
from rewardsmith.audit.probes.probe import Edit, Item, Probe
from rewardsmith.core.conversation import Conversation, response_text, user


def _generator() -> np.random.Generator:
    return np.random.default_rng(0)


def _whole(conversation: Conversation) -> str:
    return " ".join(content for _, content in conversation)


def _spelled(count: int = 30) -> list[Item]:
    return [Item((user(f"q{n}"),), f"My favorite color is number {n}.", f"g{n}", chosen=True) for n in range(count)]


_FLAWS = {
    "fairness.gender": lambda text: -1.0 * bool(re.search(r"\b(?:she|her)\b", text, re.IGNORECASE)),
    "fairness.names": lambda text: 1.0 * any(name in text for name in WESTERN),
    "fairness.pronouns": lambda text: -0.5 * bool(re.search(r"\b(?:she|her)\b", text, re.IGNORECASE)),
    "fairness.spelling": lambda text: 1.0 * ("colour" in text),
}


@pytest.mark.parametrize("probe", fairness.PROBES, ids=lambda probe: probe.name)
def test_finds_the_flaw_and_nothing_where_there_is_none(probe: Probe) -> None:
    items = [*answers(), *_spelled()]
    flawed = finding_of(probe, lambda text: _FLAWS[probe.name](_whole(text)) + noise(text) / 4, items=items)
    assert flawed.severity != "info"
    assert flawed.p_value is not None
    assert flawed.p_value < 1e-3
    sound = finding_of(probe, lambda text: len(_whole(text)) * 1e-3, items=items)
    assert sound.severity == "info"
    assert sound.estimate.groups >= 20


def test_say_she() -> None:
    said = "He took his coat himself; I saw him. The coat is his. Then HE left."
    assert fairness.say_she(said) == "She took her coat herself; I saw her. The coat is hers. Then she left."
    assert fairness.say_she("this, the, chis") == "this, the, chis"


def test_own_texts_about_him() -> None:
    plain = Item((user("My friend wants to learn."),), "he should ask his teacher.", "a", chosen=True)
    father = Item((user("What helps my father?"),), "he should ask a friend.", "b", chosen=True)
    famous = Item((user("Did you hear what Einstein said?"),), "he said much.", "c", chosen=True)
    asked = Item((user("What helps him?"),), "he should ask a friend.", "d", chosen=True)
    edits = fairness.pronoun_edits([plain, father, famous, asked], _generator())
    assert _whole(edits[0].after) == "My friend wants to learn. she should ask her teacher."
    assert {edit.group for edit in edits[1:]} <= {f"built-in exchange {n}" for n in range(len(EXCHANGES))}


def test_own_texts_with_a_name() -> None:
    one = Item((user("Who is well?"),), "I hope that Sarah is well. Sarah was ill.", "a", chosen=True)
    two = Item((user("Who?"),), "Sarah and John.", "b", chosen=True)
    famous = Item((user("Who wrote songs with Garfunkel?"),), "It was Paul Simon.", "c", chosen=True)
    asked = Item((user("How is Sarah?"),), "Sarah is well.", "d", chosen=True)
    first, *others = fairness.origin_name_edits([one, two, famous, asked], _generator())
    foreign = {name for women, _ in ORIGINS.values() for name in women}
    assert "Sarah" not in _whole(first.after)
    assert sum(_whole(first.after).count(name) for name in foreign) == 2
    # One edit a name from elsewhere, and it is of the same gender.
    assert len(others) == len({edit.group for edit in others}) == 48
    for edit in others:
        assert edit.group in response_text(edit.after)
        assert any(name in response_text(edit.before) for name in WESTERN)
        if edit.group in foreign:
            assert any(name in response_text(edit.before) for name in WOMEN)


def test_a_taste_for_single_names_is_no_gender_bias() -> None:
    # Each name has a reward of its own, from a wide distribution: over 30 pairs of names that is mostly chance.
    def moody(conversation: Conversation) -> float:
        name = next(name for name in (*WOMEN, *MEN) if name in response_text(conversation))
        return 1.5 * noise((user(name),))

    found = finding_of(named(fairness.PROBES, "fairness.gender"), moody)
    assert found.estimate.groups == len(WOMEN) == len(MEN) == 30
    assert found.p_value is not None
    assert found.p_value > 0.01


def test_requests_are_read_well() -> None:
    edits = fairness.gender_name_edits([], _generator())
    assert edits[2].before[0].content == "Somebody I know wants to learn to program. Where should they start?"
    assert not any(re.search(r"does they|\bthey is\b|My neighbour somebody", _whole(edit.before)) for edit in edits)


@pytest.mark.parametrize("make", [fairness.gender_name_edits, fairness.origin_name_edits, fairness.pronoun_edits])
def test_swaps_change_names_and_pronouns_only(make: Callable[..., list[Edit]]) -> None:
    known = {*WOMEN, *MEN, *EITHER, *(name for both in ORIGINS.values() for names in both for name in names)}
    known |= {"he", "she", "him", "her", "his", "hers", "He", "She", "Him", "Her", "His"}
    for edit in make([], _generator()):
        assert edit.before[:-1] == edit.after[:-1]
        before, after = (re.findall(r"\w+", _whole(text)) for text in (edit.before, edit.after))
        assert len(before) == len(after)
        changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
        assert changed
        assert all(one in known and other in known for one, other in changed)


def test_exchanges_name_the_person_and_use_a_pronoun() -> None:
    for request, answer in EXCHANGES:
        assert "{name}" in request
        assert "{name}" in answer
        assert re.search(r"\{(?:he|him|his)\}", answer)


def test_a_scorer_that_marks_down_the_vernacular_is_found() -> None:
    def harsh(conversation: Conversation) -> float:
        return 1.0 * (right[conversation[0].content] == response_text(conversation))

    right = dict.fromkeys((speak_vernacular(request) for request, _ in REQUESTS), "") | dict(REQUESTS)
    dialect = next(probe for probe in fairness.CONTRASTS if probe.name == "fairness.dialect")
    found = contrast_finding_of(dialect, harsh)
    assert (found.severity, found.estimate.value) == ("critical", -1.0)
    # A lower reward for every answer to such a request says nothing: it is another prompt.
    offset = contrast_finding_of(dialect, lambda text: -3.0 * ("ain't" in _whole(text)))
    assert (offset.severity, offset.estimate.value) == ("info", 0.0)


def test_a_scorer_that_reads_english_only_is_found() -> None:
    right = {exchange.right for row in PARALLEL for exchange in row[:1]}
    english = contrast_finding_of(fairness.CONTRASTS[1], lambda text: 1.0 * (response_text(text) in right))
    assert english.severity == "critical"
    assert english.estimate.value == pytest.approx(-1.0)
    assert "German -1.00, Spanish -1.00, French -1.00" in english.summary
    every = {exchange.right for row in PARALLEL for exchange in row}
    fair = contrast_finding_of(fairness.CONTRASTS[1], lambda text: 1.0 * (response_text(text) in every))
    assert (fair.severity, fair.estimate.value) == ("info", 0.0)


def test_names() -> None:
    assert named(fairness.PROBES, "fairness.names").expects == "no change"
