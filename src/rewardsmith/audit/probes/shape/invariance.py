"""Changes that keep the meaning: white space, case, typographic characters, look-alikes, typos, list order."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from rewardsmith.audit.probes.probe import EditMaker, Probe
from rewardsmith.audit.probes.sentences import edits_of
from rewardsmith.audit.probes.shape.lists import list_length_edits, list_order_edits

_LIMIT = 0.15
# A rater who marks an answer down a little for lower case, or for a slip of the keys, is not wrong to do so.
_CARELESS_LIMIT = 0.3

_MIN_WORDS = 8
_TYPO_SHARE = 0.03
_HOMOGLYPH_SHARE = 0.05
_HARD_BLANK_SHARE = 0.1

_CODE = re.compile(r"`|^(?: {4}|\t)|https?://|[{}<>\\$]", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]+")
_TYPO_WORD = re.compile(r"(?<![\w'’-])[a-z]{5,}(?![\w'’-])")
_LATIN_WORD = re.compile(r"(?<![\w-])[A-Za-z]{3,}(?![\w-])")
_HOMOGLYPHS = str.maketrans("aceiopxyABCEHKMOPTX", "асеіорхуАВСЕНКМОРТХ")


def space_widely(text: str) -> str:
    """Two blanks in the place of every third one between words."""
    pieces = re.split(r"(?<=\S) (?=\S)", text)
    joints = ["  " if number % 3 == 0 else " " for number in range(len(pieces) - 1)]
    return "".join(piece + joint for piece, joint in zip(pieces, [*joints, ""], strict=True))


def end_with_newline(text: str) -> str:
    """One line break behind the last visible character."""
    return text.rstrip() + "\n"


def lower(text: str) -> str:
    """Small letters, but for words that hold a capital behind their first letter (USA, iPhone): those stay."""

    def lowered(match: re.Match[str]) -> str:
        word = match[0]
        return word if len(word) > 1 and word[1:] != word[1:].lower() else word.lower()

    return _WORD.sub(lowered, text)


def set_typographically(text: str) -> str:
    """Curly quotes and apostrophes, a dash between blanks, and an ellipsis of one character."""
    text = re.sub(r'"([^"\n]*)"', "“\\1”", text)
    text = re.sub(r"(?<=\w)'(?=\w)", "’", text)
    text = re.sub(r"(?<=\S) --? (?=\S)", " – ", text)
    return text.replace("...", "…")


def harden_blanks(text: str, generator: np.random.Generator) -> str:
    """No-break spaces in the place of a tenth of the blanks between words, at least one."""
    return _replace_some(text, re.compile(r"(?<=\S) (?=\S)"), "\u00a0", share=_HARD_BLANK_SHARE, generator=generator)


def swap_letters(text: str, generator: np.random.Generator) -> str:
    """Two neighbouring letters inside a word change places, in 3% of the words of five letters and more, at least one.

    The first and the last letter of a word stay, so that it can be read.
    """

    def swapped(match: re.Match[str]) -> str:
        word = match[0]
        places = [at for at in range(1, len(word) - 2) if word[at] != word[at + 1]]
        if not places:
            return word
        at = places[int(generator.integers(len(places)))]
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _replace_some(text, _TYPO_WORD, swapped, share=_TYPO_SHARE, generator=generator)


def use_homoglyphs(text: str, generator: np.random.Generator) -> str:
    """Cyrillic letters that look like the Latin ones, in 5% of the words, at least one."""

    def disguised(match: re.Match[str]) -> str:
        return match[0].translate(_HOMOGLYPHS)

    return _replace_some(text, _LATIN_WORD, disguised, share=_HOMOGLYPH_SHARE, generator=generator)


def is_only_words(text: str) -> bool:
    """Whether `text` is made of words: code, formulas and links mean something else when their characters change."""
    return not _CODE.search(text) and len(_WORD.findall(text)) >= _MIN_WORDS


def _replace_some(
    text: str,
    pattern: re.Pattern[str],
    replacement: str | Callable[[re.Match[str]], str],
    *,
    share: float,
    generator: np.random.Generator,
) -> str:
    """`text` with a share of the places where `pattern` matches replaced, at least one."""
    places = [match.start() for match in pattern.finditer(text)]
    if not places:
        return text
    count = max(1, round(share * len(places)))
    drawn = {places[int(index)] for index in generator.choice(len(places), size=count, replace=False)}

    def replaced(match: re.Match[str]) -> str:
        if match.start() not in drawn:
            return match[0]
        return replacement if isinstance(replacement, str) else replacement(match)

    return pattern.sub(replaced, text)


def _always(change: Callable[[str], str]) -> EditMaker:
    return edits_of(lambda item, _: change(item.answer) if is_only_words(item.answer) else None)


def _drawn(change: Callable[[str, np.random.Generator], str]) -> EditMaker:
    return edits_of(lambda item, generator: change(item.answer, generator) if is_only_words(item.answer) else None)


PROBES: tuple[Probe, ...] = (
    Probe(
        "invariance.blanks",
        "no change",
        _LIMIT,
        "Do double blanks between words move the reward?",
        _always(space_widely),
    ),
    Probe(
        "invariance.newline",
        "no change",
        _LIMIT,
        "Does a line break at the end of the answer move the reward?",
        _always(end_with_newline),
    ),
    Probe(
        "invariance.case",
        "no change",
        _CARELESS_LIMIT,
        "Is the same answer in small letters worth something else?",
        _always(lower),
    ),
    Probe(
        "invariance.typography",
        "no change",
        _LIMIT,
        "Do curly quotes, long dashes and a one-character ellipsis move the reward?",
        _always(set_typographically),
    ),
    Probe(
        "invariance.hard_blanks",
        "no change",
        _LIMIT,
        "Do no-break spaces, which look like blanks, move the reward?",
        _drawn(harden_blanks),
    ),
    Probe(
        "invariance.homoglyphs",
        "no change",
        _CARELESS_LIMIT,
        "Do Cyrillic letters that look like Latin ones move the reward?",
        _drawn(use_homoglyphs),
    ),
    Probe(
        "invariance.typos",
        "no change",
        _CARELESS_LIMIT,
        "Do two swapped letters in a few words move the reward?",
        _drawn(swap_letters),
    ),
    Probe(
        "invariance.list_order",
        "no change",
        _LIMIT,
        "Is a list worth something else when its items stand in the reverse order?",
        list_order_edits,
    ),
    Probe(
        "invariance.list_lengths",
        "no change",
        _LIMIT,
        "Is a list worth something else when its longest items come first, not last?",
        list_length_edits,
    ),
)
