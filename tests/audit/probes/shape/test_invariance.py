"""Changes that keep the meaning."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.audit.probes.judged import answers, finding_of, named, noise

from rewardsmith.audit.probes.shape import invariance
from rewardsmith.core.conversation import Conversation, response_text

_WORDS = ["the", "Old", "bridge,", "don't", '"stone"', "NASA", "iPhone", "I", "was.", "built...", "-", "12"]
_PROSE = st.lists(st.sampled_from(_WORDS), max_size=40)


def _generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_written_out() -> None:
    assert invariance.space_widely("a b c d e f g") == "a  b c d  e f g"
    assert invariance.end_with_newline("a.  ") == "a.\n"
    assert invariance.lower("The USA and my iPhone. I agree, Anna.") == "the USA and my iPhone. i agree, anna."
    typographic = invariance.set_typographically('He said "no" - it\'s late... really')
    assert typographic == "He said “no” – it’s late… really"
    assert invariance.set_typographically("well-known 5-7") == "well-known 5-7"


@given(_PROSE)
def test_white_space_and_case_keep_the_words(words: list[str]) -> None:
    text = " ".join(words)
    assert invariance.space_widely(text).split() == words
    assert invariance.end_with_newline(text).split() == words
    assert invariance.harden_blanks(text, _generator()).split() == words
    assert invariance.lower(text).lower() == text.lower()
    assert invariance.lower(invariance.lower(text)) == invariance.lower(text)


@given(_PROSE)
def test_typos_keep_the_letters_and_the_ends_of_words(words: list[str]) -> None:
    text = " ".join(words)
    changed = invariance.swap_letters(text, _generator())
    assert sorted(changed) == sorted(text)
    for before, after in zip(text.split(), changed.split(), strict=True):
        assert sorted(before) == sorted(after)
        assert (before[0], before[-1]) == (after[0], after[-1])


def test_typos_are_few() -> None:
    text = " ".join(["nothing"] * 100)
    assert sum(word != "nothing" for word in invariance.swap_letters(text, _generator()).split()) == 3
    assert invariance.swap_letters("nothing", _generator()) != "nothing"


def test_homoglyphs_look_the_same_and_are_cyrillic() -> None:
    text = " ".join(["space"] * 40)
    changed = invariance.use_homoglyphs(text, _generator())
    assert len(changed) == len(text)
    assert sum(word != "space" for word in changed.split()) == 2
    new = {letter for letter in changed if letter not in text}
    assert {unicodedata.name(letter).split()[0] for letter in new} == {"CYRILLIC"}
    assert all(chr(latin).isascii() for latin in invariance._HOMOGLYPHS)
    assert all(unicodedata.name(chr(other)).startswith("CYRILLIC") for other in invariance._HOMOGLYPHS.values())


@pytest.mark.parametrize(
    "text", ["use `print` " * 9, "see https://a.b " * 9, "\tindented line\n" * 9, "a {b} c " * 9, "short"]
)
def test_code_links_and_short_answers_are_left_alone(text: str) -> None:
    assert not invariance.is_only_words(text)


def _bullets(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith("- ")]


_KNOWN = {word for item in answers() for word in re.findall("[a-z]+", item.answer)}
_FLAWS: dict[str, Callable[[str], float]] = {
    "invariance.blanks": lambda text: 2.0 * ("  " in text),
    "invariance.newline": lambda text: -1.0 * text.endswith("\n"),
    "invariance.case": lambda text: 20 * sum(map(str.isupper, text)) / len(text),
    "invariance.typography": lambda text: 1.0 * ("“" in text or "’" in text),
    "invariance.hard_blanks": lambda text: -1.0 * ("\u00a0" in text),
    "invariance.homoglyphs": lambda text: -1.0 * bool(re.search("[а-яА-Я]", text)),
    "invariance.typos": lambda text: -1.0 * len(set(re.findall("[a-z]+", text)) - _KNOWN),
    "invariance.list_order": lambda text: 1.0 * (_bullets(text) == sorted(_bullets(text))),
    "invariance.list_lengths": lambda text: len(_bullets(text)[0]) / 4 if _bullets(text) else 0.0,
}


@pytest.mark.parametrize("probe", invariance.PROBES, ids=lambda probe: probe.name)
def test_finds_the_flaw_and_nothing_in_noise(probe: invariance.Probe) -> None:
    def flawed(conversation: Conversation) -> float:
        return _FLAWS[probe.name](response_text(conversation)) + noise(conversation) / 10

    assert finding_of(probe, flawed).severity != "info"
    sound = finding_of(probe, lambda _: 1.5)
    assert sound.severity == "info"
    assert sound.p_value == 1.0
    assert sound.estimate.groups >= 20


@pytest.mark.parametrize("probe", invariance.PROBES, ids=lambda probe: probe.name)
def test_edits_change_the_answer_only_and_come_again(probe: invariance.Probe) -> None:
    edits = probe.make(answers(), np.random.default_rng(3))
    assert edits == probe.make(answers(), np.random.default_rng(3))
    assert all(edit.before[:-1] == edit.after[:-1] and edit.before != edit.after for edit in edits)


def test_names_are_those_of_the_catalogue() -> None:
    assert named(invariance.PROBES, "invariance.case").limit == 0.3
    assert all(probe.expects == "no change" for probe in invariance.PROBES)
