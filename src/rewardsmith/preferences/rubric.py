"""The rubric that judges the built-in data set: named parts with weights, each computed from the text alone.

It is a stand-in for human judgement, and an open one: every part can be read here, and so can what it misses. It
sees form, key words and polish; it does not see whether a sentence is true.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import Field

from rewardsmith.core.errors import DataError
from rewardsmith.core.settings import Settings

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_SENTENCE_END = re.compile(r"(?<!\d)[.!?…]+[\"'”’)]*(?=\s|$)|(?<=\d)[.!?…]+[\"'”’)]*(?=\s+[A-Z]|$)")
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+\S", re.MULTILINE)
_FINISHED = re.compile(r"[.!?…][\"'”’)*\]]*$")
_NUMBER_WORDS = _WORD.findall(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
_COMMON_WORDS = frozenset(
    _WORD.findall(
        "a about an and answer any are as at be because been bullet bullets but by can could did do does each exactly "
        "explain for from get give had has have he her him his how i if in into is it its keep let like list make many "
        "me mention more most much my name no not of on one only or our out please point points say sentence sentences "
        "she short should so start tell than that the their them there they this three to two under use was we what "
        "when where which who why will with without word words would write you your"
    )
)
_EMPTY_PHRASES = (
    "i'd be happy to", "i would be happy to", "i'm happy to", "i'm glad", "great question", "of course!",
    "certainly!", "sure!", "sure,", "i hope this", "feel free to", "as an ai", "as a chatbot", "as a language model",
    "i'm here to help", "i'm sorry for", "thank you for your", "thank you for reaching", "what a ", "let me know",
    "please note", "it's important to note", "i understand", "here's a", "here is a", "here are",
)  # fmt: skip
_BRIEF_WORDS = 40
_FRAGMENT_WORDS = 12

PARTS: tuple[str, ...] = ("form", "facts", "subject", "finished", "fresh", "direct", "brief")


class Weights(Settings):
    """Points of each part; a response that earns all of them has the sum, 10."""

    form: float = Field(default=2.0, ge=0)
    """Keeps to the form that was asked for."""
    facts: float = Field(default=2.0, ge=0)
    """Holds the words, and the number, that a right answer needs."""
    subject: float = Field(default=2.5, ge=0)
    """Speaks about what the prompt speaks about."""
    finished: float = Field(default=1.5, ge=0)
    """Does not stop in the middle of a sentence."""
    fresh: float = Field(default=0.5, ge=0)
    """Does not repeat itself."""
    direct: float = Field(default=1.0, ge=0)
    """No empty politeness."""
    brief: float = Field(default=0.5, ge=0)
    """A mild cap on length."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a prompt asks for. Absent fields ask for nothing.

    Attributes:
        facts: Groups of word beginnings; a group counts where one of them begins a word of the response.
        number: Right result: the last number in the response should be this one.
        sentences: Exact count.
        max_sentences: Largest count.
        bullets: Exact number of lines that begin with a bullet or a number.
        max_words: Largest number of words.
        starts: How the response begins.
        question: It ends with a question mark.
        capitals: All its letters are capitals.
        forbids: Word beginnings that must not occur.
    """

    facts: tuple[tuple[str, ...], ...] = ()
    number: float | None = None
    sentences: int | None = None
    max_sentences: int | None = None
    bullets: int | None = None
    max_words: int | None = None
    starts: str | None = None
    question: bool = False
    capitals: bool = False
    forbids: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Criteria:
        """The inverse of `to_dict`.

        Raises:
            DataError: A key is unknown.
        """
        known = cls.__dataclass_fields__
        if unknown := set(values) - set(known):
            raise DataError("unknown criterion", wanted=", ".join(known), got=", ".join(sorted(unknown)))
        facts = tuple(tuple(group) for group in values.get("facts", ()))
        return cls(**{**values, "facts": facts, "forbids": tuple(values.get("forbids", ()))})

    def to_dict(self) -> dict[str, Any]:
        """The fields that ask for something, as JSON values."""
        # `is`, since 0 is a result that can be asked for and equals `False`.
        return {
            key: value for key, value in asdict(self).items() if not (value is None or value is False or value == ())
        }


def judge(prompt: str, response: str, criteria: Criteria) -> dict[str, float]:
    """How far the response fulfils each of `PARTS`, each in [0, 1]. An empty response earns 0 everywhere."""
    if not response.strip():
        return dict.fromkeys(PARTS, 0.0)
    return {
        "form": form(response, criteria),
        "facts": facts(response, criteria),
        "subject": subject(prompt, response),
        "finished": finished(response, criteria),
        "fresh": fresh(response),
        "direct": direct(response),
        "brief": brief(response),
    }


def points(parts: Mapping[str, float], weights: Weights | None = None) -> float:
    """`Σ weight · part`: 0 to 10 with the default weights."""
    values = (weights or Weights()).model_dump()
    return sum(values[name] * parts[name] for name in PARTS)


def form(response: str, criteria: Criteria) -> float:
    """Mean over the asked constraints, 1 where none was asked.

    A count `n` where `m` was asked earns `max(0, 1 − |n − m| / m)`; a length `n` over the cap `m` earns
    `max(0, 2 − n / m)`; the other constraints earn 0 or 1.
    """
    text, marks = response.strip(), []
    if criteria.sentences is not None:
        marks.append(_count_mark(count_sentences(text), criteria.sentences))
    if criteria.max_sentences is not None:
        marks.append(_cap_mark(count_sentences(text), criteria.max_sentences))
    if criteria.bullets is not None:
        marks.append(_count_mark(count_bullets(text), criteria.bullets))
    if criteria.max_words is not None:
        marks.append(_cap_mark(count_words(text), criteria.max_words))
    if criteria.starts is not None:
        marks.append(float(text.lower().startswith(criteria.starts.lower())))
    if criteria.question:
        marks.append(float(text.rstrip("\"'”’").endswith("?")))
    if criteria.capitals:
        marks.append(float(text.isupper()))
    if criteria.forbids:
        marks.append(float(not any(_has_word(text, word) for word in criteria.forbids)))
    return sum(marks) / len(marks) if marks else 1.0


def facts(response: str, criteria: Criteria) -> float:
    """Share of the needed facts that are there; 1 where none is needed. The number counts as two facts."""
    marks = [float(any(_has_word(response, word) for word in group)) for group in criteria.facts]
    if criteria.number is not None:
        found = last_number(response)
        marks += [float(found is not None and found == criteria.number)] * 2
    return sum(marks) / len(marks) if marks else 1.0


def subject(prompt: str, response: str) -> float:
    """Word overlap: `min(1, 2 · share)` of the prompt's content words that stand in the response.

    Words are compared by their first five letters. 1 where the prompt has no content words.
    """
    wanted = {word[:5] for word in _words(prompt) if word not in _COMMON_WORDS}
    if not wanted:
        return 1.0
    return min(1.0, 2 * len(wanted & {word[:5] for word in _words(response)}) / len(wanted))


def finished(response: str, criteria: Criteria) -> float:
    """1 where the last sentence ends; lists and texts of a few words may end without a full stop."""
    text = response.strip()
    if _FINISHED.search(text):
        return 1.0
    fragment = criteria.bullets is not None or (criteria.max_words or _FRAGMENT_WORDS + 1) <= _FRAGMENT_WORDS
    last_line = text.splitlines()[-1] if text else ""
    return float(fragment and 0 < count_words(last_line) <= _FRAGMENT_WORDS // 2)


def fresh(response: str) -> float:
    """`max(0, 1 − 2 · share)` of the word 3-grams that stood earlier in the response; 1 below three words."""
    words = _words(response)
    grams = list(zip(words, words[1:], words[2:], strict=False))
    if not grams:
        return 1.0
    return max(0.0, 1 - 2 * (len(grams) - len(set(grams))) / len(grams))


def direct(response: str) -> float:
    """1 without empty phrases, .5 with one, 0 with two or more."""
    text = response.lower().replace("’", "'")
    return max(0.0, 1 - sum(phrase in text for phrase in _EMPTY_PHRASES) / 2)


def brief(response: str) -> float:
    """1 up to 40 words, falling straight to 0 at 80."""
    return min(1.0, max(0.0, 2 - count_words(response) / _BRIEF_WORDS))


def count_words(text: str) -> int:
    """Words and numbers."""
    return len(_words(text))


def count_sentences(text: str) -> int:
    """Sentence ends, and one more where the text goes on after the last."""
    ends = list(_SENTENCE_END.finditer(text.strip()))
    rest = text.strip()[ends[-1].end() :] if ends else text
    return len(ends) + bool(_WORD.search(rest))


def count_bullets(text: str) -> int:
    """Lines that begin with `-`, `*`, `•`, `–`, `1.` or `1)` and go on."""
    return len(_BULLET.findall(text))


def last_number(text: str) -> float | None:
    """The last number, in digits or as a word up to twenty; `None` where there is none."""
    found: float | None = None
    for token in re.finditer(rf"{_NUMBER.pattern}|{_WORD.pattern}", text):
        word = token.group().lower()
        if _NUMBER.fullmatch(word):
            found = float(word.replace(",", ""))
        elif word in _NUMBER_WORDS:
            found = float(_NUMBER_WORDS.index(word))
    return found


_EQUATION = re.compile(r"(\d+)\s*([+\-−*×x/÷])\s*(\d+)\s*=\s*(\d+)")


def judge_steps(steps: Sequence[str]) -> list[int | None]:
    """Labels of an arithmetic solution: 1 where a step's equation holds, −1 at the first that does not, then `None`.

    A step without an equation `a + b = c` (or −, ×, /) cannot be checked, so its label is `None` as well.
    """
    labels: list[int | None] = []
    for step in steps:
        equation = None if -1 in labels else _EQUATION.search(step)
        labels.append(None if equation is None else (1 if _holds(*equation.groups()) else -1))
    return labels


def _holds(left: str, sign: str, right: str, result: str) -> bool:
    a, b, c = int(left), int(right), int(result)
    match sign:
        case "+":
            return a + b == c
        case "-" | "−":
            return a - b == c
        case "*" | "×" | "x":
            return a * b == c
        case _:
            return b != 0 and a == b * c


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _has_word(text: str, beginning: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(beginning.lower())}", text.lower().replace("’", "'")) is not None


def _count_mark(count: int, wanted: int) -> float:
    return max(0.0, 1 - abs(count - wanted) / wanted)


def _cap_mark(count: int, cap: int) -> float:
    return 1.0 if count <= cap else max(0.0, 2 - count / cap)
