"""Questions whose right answer is computed, each with a wrong answer of about the same look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_NAMES = ("Ana", "Ben", "Chen", "Dina", "Emil", "Femi", "Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lena")
_UNITS = (("minutes", "hours", 60), ("centimetres", "metres", 100), ("grams", "kilograms", 1000), ("days", "weeks", 7))


@dataclass(frozen=True, slots=True)
class Fact:
    """A question with a number for an answer.

    Attributes:
        name: Unique among the facts of one call.
        question: Ends with a question mark.
        right: The right answer.
        wrong: A wrong one, with as many digits where there is one.
        statement: What the answer says, with `{}` in the place of the number; no full stop at the end.
    """

    name: str
    question: str
    right: int
    wrong: int
    statement: str

    @property
    def right_statement(self) -> str:
        """The right answer as a clause."""
        return self.statement.format(self.right)

    @property
    def wrong_statement(self) -> str:
        """The wrong answer as a clause."""
        return self.statement.format(self.wrong)


def nearby(number: int, generator: np.random.Generator) -> int:
    """Another number, close by and with as many digits."""
    size = max(2, abs(number) // 8)
    candidates = [
        other
        for other in range(number - size, number + size + 1)
        if other != number and other > 0 and len(str(other)) == len(str(number))
    ]
    return int(candidates[int(generator.integers(len(candidates)))])


def make_sums(count: int, generator: np.random.Generator) -> list[Fact]:
    """`count` short questions of arithmetic, the kinds in turn."""
    return _make("sum", count, (_plus, _minus, _times, _divided, _percent, _units, _square), generator)


def make_problems(count: int, generator: np.random.Generator) -> list[Fact]:
    """`count` word problems of two steps, in the manner of school books, the kinds in turn."""
    return _make("problem", count, (_shopping, _sharing, _travel, _saving, _baking, _reading, _garden), generator)


_Draw = Callable[[int, int], int]
# The question, its answer, and the statement.
_Posed = tuple[str, int, str]


def _make(
    prefix: str, count: int, kinds: tuple[Callable[[_Draw], _Posed], ...], generator: np.random.Generator
) -> list[Fact]:
    def draw(low: int, high: int) -> int:
        return int(generator.integers(low, high + 1))

    facts: dict[str, Fact] = {}
    turn = 0
    while len(facts) < count:
        question, right, statement = kinds[turn % len(kinds)](draw)
        turn += 1
        name = f"built-in {prefix} {len(facts)}"
        facts.setdefault(question, Fact(name, question, right, nearby(right, generator), statement))
    return list(facts.values())


def _plus(draw: _Draw) -> _Posed:
    a, b = draw(12, 480), draw(12, 480)
    return f"What is {a} + {b}?", a + b, f"{a} + {b} is {{}}"


def _minus(draw: _Draw) -> _Posed:
    b, rest = draw(12, 300), draw(12, 600)
    return f"What is {b + rest} - {b}?", rest, f"{b + rest} - {b} is {{}}"


def _times(draw: _Draw) -> _Posed:
    a, b = draw(3, 19), draw(6, 40)
    return f"How much is {a} times {b}?", a * b, f"{a} times {b} is {{}}"


def _divided(draw: _Draw) -> _Posed:
    b, quotient = draw(3, 15), draw(11, 60)
    return f"How much is {b * quotient} divided by {b}?", quotient, f"{b * quotient} divided by {b} is {{}}"


def _percent(draw: _Draw) -> _Posed:
    share, whole = 5 * draw(2, 15), 20 * draw(3, 40)
    return f"What is {share}% of {whole}?", share * whole // 100, f"{share}% of {whole} is {{}}"


def _units(draw: _Draw) -> _Posed:
    small, large, factor = _UNITS[draw(0, len(_UNITS) - 1)]
    count = draw(2, 45)
    return f"How many {small} are there in {count} {large}?", factor * count, f"{count} {large} are {{}} {small}"


def _square(draw: _Draw) -> _Posed:
    a = draw(11, 49)
    return f"What is the square of {a}?", a * a, f"the square of {a} is {{}}"


def _who(draw: _Draw) -> str:
    return _NAMES[draw(0, len(_NAMES) - 1)]


def _shopping(draw: _Draw) -> _Posed:
    who, boxes, price, extra = _who(draw), draw(3, 15), draw(4, 20), draw(5, 60)
    question = (
        f"{who} buys {boxes} boxes of pencils at ${price} each and a bag for ${extra}. "
        f"How many dollars does {who} spend?"
    )
    return question, boxes * price + extra, f"{who} spends {{}} dollars"


def _sharing(draw: _Draw) -> _Posed:
    who, friends, each, kept = _who(draw), draw(3, 9), draw(11, 30), draw(2, 9)
    question = (
        f"{who} has {friends * each + kept} stickers, keeps {kept} of them and shares the rest equally among "
        f"{friends} friends. How many stickers does each friend get?"
    )
    return question, each, "each friend gets {} stickers"


def _travel(draw: _Draw) -> _Posed:
    who, speed, hours, walked = _who(draw), 5 * draw(6, 20), draw(2, 6), draw(2, 9)
    question = (
        f"{who} takes a train for {hours} hours at {speed} km an hour and then walks {walked} km. "
        f"How many kilometres is that in all?"
    )
    return question, speed * hours + walked, "it is {} kilometres in all"


def _saving(draw: _Draw) -> _Posed:
    who, weekly, weeks, spent = _who(draw), draw(8, 30), draw(4, 16), draw(3, 20)
    question = (
        f"{who} saves ${weekly} a week for {weeks} weeks and then spends ${spent} on a book. How many dollars are left?"
    )
    return question, weekly * weeks - spent, "{} dollars are left"


def _baking(draw: _Draw) -> _Posed:
    who, trays, cakes, sold = _who(draw), draw(4, 12), draw(6, 18), draw(5, 12)
    question = (
        f"{who} bakes {trays} trays of {cakes} cakes each and sells {sold} cakes. How many cakes does {who} still have?"
    )
    return question, trays * cakes - sold, f"{who} still has {{}} cakes"


def _reading(draw: _Draw) -> _Posed:
    who, pages, days, left = _who(draw), draw(12, 40), draw(3, 9), draw(10, 90)
    question = (
        f"{who} reads {pages} pages a day for {days} days and has {left} pages left. How many pages has the book?"
    )
    return question, pages * days + left, "the book has {} pages"


def _garden(draw: _Draw) -> _Posed:
    who, rows, plants, lost = _who(draw), draw(4, 14), draw(7, 20), draw(3, 15)
    question = (
        f"{who} sets {rows} rows of {plants} tulips, and {lost} of them do not grow. How many tulips does {who} have?"
    )
    return question, rows * plants - lost, f"{who} has {{}} tulips"
