"""Sentence ends and obviously bad texts."""

from __future__ import annotations

import pytest

from rewardsmith.preferences.filters import ends_sentence, flaw


@pytest.mark.parametrize(
    "text",
    [
        "Yes.",
        "Really?",
        'He said "no."',
        "Done! ",
        "(See above.)",
        "**Sure.**",
        "好的。",
        "ठीक है।",
        "Great 👍",
        "```\nx = 1\n```",
    ],
)
def test_ended(text):
    assert ends_sentence(text)


@pytest.mark.parametrize("text", ["", "   ", "and then the", "First,", "The list is:", "```\nx = 1", "word)"])
def test_not_ended(text):
    assert not ends_sentence(text)


@pytest.mark.parametrize(
    "text",
    [
        "42",
        "👍👍👍",
        "The quick brown fox jumps over the lazy dog, and then it goes home to have a long rest by the fire.",
        "光合作用是植物利用阳光把二氧化碳和水变成糖和氧气的过程，它发生在叶绿体里。",
        "def f(x):\n    return [y * 2 for y in x if y > 3]  # doubles what is large",
    ],
)
def test_sound_texts_have_no_flaw(text):
    assert flaw(text) is None


def test_repetition_and_noise_are_flaws():
    assert "3-grams" in (flaw("I like it very much. " * 20) or "")
    assert "compress" in (flaw("ha" * 300) or "")
    assert "characters" in (flaw("□■▓░" * 10 + "ab") or "")
