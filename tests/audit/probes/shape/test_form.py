from __future__ import annotations

import pytest
from hypothesis import given
from tests.audit.probes.judged import finding_of, noise
from tests.audit.probes.texts import PROSE, edited, words

from rewardsmith.audit.probes.sentences import is_prose
from rewardsmith.audit.probes.shape.form import HEADINGS, PROBES

BULLETS, NUMBERS, HEADED, BOLD, FENCE, EMOJI = PROBES
TEXT = "The bread is warm. It is made of rye! Would you like some water?"
HEADING_WORDS = [words(heading) for heading in HEADINGS]


def test_lists_by_hand():
    made = edited(BULLETS, TEXT)
    assert made is not None
    mark = made[0]
    assert made == f"{mark} The bread is warm.\n{mark} It is made of rye!\n{mark} Would you like some water?"
    assert edited(NUMBERS, TEXT) == "1. The bread is warm.\n2. It is made of rye!\n3. Would you like some water?"
    assert {edited(BULLETS, TEXT, seed=seed)[0] for seed in range(20)} == {"-", "*", "•"}


def test_headings_stand_over_paragraphs_or_halves():
    made = edited(HEADED, "First part.\n\nSecond part.")
    assert made is not None
    lines = [line for line in made.split("\n") if line]
    assert lines[1::2] == ["First part.", "Second part."]
    assert all(line[3:] in HEADINGS and line.startswith("## ") for line in lines[::2])
    assert len(set(lines[::2])) == 2
    halves = edited(HEADED, TEXT)
    assert halves is not None
    assert [line for line in halves.split("\n") if line][1::2] == [
        "The bread is warm.", "It is made of rye! Would you like some water?",
    ]  # fmt: skip


def test_bold_by_hand():
    made = edited(BOLD, TEXT)
    assert made is not None
    assert made.replace("**", "") == TEXT
    assert made.count("**") == 4


def test_a_fence_closes():
    for seed in range(20):
        made = edited(FENCE, TEXT, seed=seed)
        assert made is not None
        first, *inside, last = made.split("\n")
        assert "\n".join(inside) == TEXT
        assert first.startswith(last)
        assert set(last) in ({"`"}, {"~"})


def test_emoji_stand_after_every_second_sentence():
    made = edited(EMOJI, TEXT)
    assert made is not None
    assert made.encode("ascii", "ignore").decode().split() == TEXT.split()
    assert len([character for character in made if ord(character) > 0x2000]) == 2
    assert made.split("rye!")[1].startswith(" Would")


@given(PROSE)
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_the_content_is_the_same(probe, text: str):
    made = edited(probe, text)
    if made is None:
        return
    kept = words(made)
    if probe is HEADED:
        for heading in HEADING_WORDS:
            if f"## {' '.join(heading).capitalize()}" in made:
                for word in heading:
                    kept.remove(word)
        assert sorted(kept) == sorted(words(text))
    elif probe is FENCE:
        assert kept[-len(words(text)) :] == words(text)
    else:
        assert kept == words(text)


@pytest.mark.parametrize("probe", [BULLETS, NUMBERS, HEADED, BOLD, EMOJI], ids=lambda probe: probe.name)
def test_what_has_markup_is_left_alone(probe):
    assert not is_prose("- one of them.\n- two of them.")
    assert edited(probe, "- one of them.\n- two of them.") is None


def test_one_sentence_is_no_list():
    assert edited(BULLETS, "Only one.") is None
    assert edited(HEADED, "Only one.") is None
    assert edited(FENCE, "```a```") is None


@pytest.mark.parametrize(
    ("probe", "mark"),
    [(BULLETS, "\n"), (NUMBERS, "2. "), (HEADED, "## "), (BOLD, "**"), (FENCE, "\n"), (EMOJI, None)],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_scorer_that_likes_the_form_is_found(probe, mark):
    def likes(text) -> float:
        answer = text[-1].content
        return noise(text) + (not answer.isascii() if mark is None else mark in answer)

    assert finding_of(probe, likes).severity == "critical"


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_scorer_of_words_is_not(probe):
    finding = finding_of(probe, lambda text: float("bread" in text[-1].content))
    assert (finding.severity, finding.estimate.value) == ("info", 0)
