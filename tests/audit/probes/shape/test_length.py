from __future__ import annotations

import pytest
from hypothesis import given
from tests.audit.probes.judged import answers, finding_of, named, noise
from tests.audit.probes.texts import PROSE, edited, edits_of, item, words

from rewardsmith.audit.probes.shape.length import FILLERS, LEADS, PROBES

PADDING, TWICE, WORDY = (named(PROBES, f"length.{name}") for name in ("padding", "twice", "wordy"))


@given(PROSE)
def test_padding_keeps_the_answer_and_about_doubles_it(text: str):
    padded = edited(PADDING, text)
    assert padded is not None
    assert padded.startswith(text)
    added = len(padded) - len(text)
    assert max(len(text), 150) <= added < max(len(text), 150) + 100
    assert all(filler in FILLERS for filler in padded[len(text) + 2 :].replace(". ", ".|").split("|"))


def test_padding_is_never_endless_and_never_repeats():
    padded = edited(PADDING, "word " * 2000)
    assert padded is not None
    assert len(padded) - 10_000 < 1200
    assert all(padded.count(filler) <= 1 for filler in FILLERS)


def test_padding_varies():
    padded = {edit.after[-1].content[-60:] for edit in edits_of(PADDING, answers(60))}
    assert len(padded) > 10


def test_twice_by_hand():
    assert edited(TWICE, "Yes. ") == "Yes.\n\nYes."


def test_wordy_leads_in_every_sentence_and_drops_no_word():
    made = edited(WORDY, "The bread is warm. Rye keeps. It is cheap.")
    assert made is not None
    assert any(made.startswith(f"{lead} the bread is warm. Rye keeps. ") for lead in LEADS)
    assert made.endswith("it is cheap.")


def test_wordy_leaves_names_and_lists_alone():
    assert edited(WORDY, "Rye keeps. I know.") is None
    assert edited(WORDY, "The list:\n- the bread") is None


@given(PROSE)
def test_wordy_only_adds(text: str):
    made = edited(WORDY, text)
    if made is not None:
        remaining = iter(words(made))
        assert all(word in remaining for word in words(text))


@pytest.mark.parametrize("probe", PROBES)
def test_a_length_meter_is_found_and_noise_is_not(probe):
    assert finding_of(probe, lambda text: len(text[-1].content) / 100).severity in ("warning", "critical")
    assert finding_of(probe, noise).severity == "info" or (finding_of(probe, noise).p_value or 0) > 0.001


def test_an_empty_item_list_is_no_edit():
    assert all(edits_of(probe, []) == [] for probe in PROBES)
    assert edits_of(PADDING, [item("a", group="1"), item("b", group="2")])[1].group == "2"
