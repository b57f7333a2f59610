"""Lists whose order says nothing, in another order."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rewardsmith.audit.probes.probe import Edit, Item
from rewardsmith.core.conversation import user

# Below so many lists of the user's own, lists made here are added, up to so many together: each kind in three versions,
# as a shift of half a standard deviation does not stand out from the noise of two dozen texts.
_ENOUGH = 40
_TOGETHER = 80
_LEFT_OUT = (None, 1, 4)
_MIN_ITEMS = 3

_BULLET = re.compile(r"^( *)([-*•+]) +(\S.*)$")
# Words that give an order a meaning.
_ORDERED = re.compile(
    r"\b(?:first|second|third|then|next|after|before|finally|last|lastly|steps?|above|below|previous|following|"
    r"former|latter|begin|start|order|most important)\b|→",
    re.IGNORECASE,
)

KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("fruits", ("apples", "bananas", "figs", "oranges", "pineapples", "plums")),
    ("vegetables", ("beans", "carrots", "cauliflower", "leeks", "peas", "sweet potatoes")),
    ("trees that grow in Europe", ("ash", "beech", "horse chestnut", "oak", "silver birch", "willow")),
    ("musical instruments", ("cello", "double bass", "drum", "flute", "harp", "trumpet")),
    ("farm animals", ("cow", "duck", "goat", "horse", "pig", "turkey")),
    ("board games", ("backgammon", "checkers", "chess", "go", "ludo", "snakes and ladders")),
    ("kitchen tools", ("fork", "grater", "ladle", "pan", "rolling pin", "whisk")),
    ("garden tools", ("hoe", "rake", "shears", "spade", "trowel", "watering can")),
    ("kinds of weather", ("fog", "freezing rain", "hail", "snow", "sunshine", "wind")),
    ("colours", ("blue", "dark green", "orange", "pink", "red", "violet")),
    ("breakfast foods", ("eggs", "jam", "oatmeal", "pancakes", "toast", "yoghurt with berries")),
    ("sports", ("basketball", "golf", "judo", "rowing", "swimming", "table tennis")),
    ("metals", ("aluminium", "copper", "gold", "iron", "stainless steel", "tin")),
    ("pieces of furniture", ("armchair", "bed", "chest of drawers", "desk", "lamp", "sofa")),
    ("school subjects", ("art", "biology", "computer science", "geography", "history", "maths")),
    ("birds", ("crow", "great spotted woodpecker", "heron", "owl", "robin", "wren")),
    ("herbs", ("basil", "dill", "lemon balm", "mint", "rosemary", "thyme")),
    ("means of transport", ("bicycle", "bus", "cable car", "ferry", "train", "underground")),
    ("clothes", ("cap", "dress", "rain jacket", "scarf", "sock", "trousers")),
    ("professions", ("baker", "civil engineer", "doctor", "nurse", "plumber", "vet")),
    ("desserts", ("apple pie", "cake", "chocolate mousse", "flan", "ice cream", "sorbet")),
    ("drinks without alcohol", ("coffee", "ginger ale", "milk", "orange juice", "tea", "water")),
    ("writing tools", ("ballpoint pen", "brush", "chalk", "marker", "pencil", "quill")),
    ("soups", ("borscht", "chicken noodle soup", "gazpacho", "leek soup", "miso", "pho")),
)
"""What is listed and its items, in the order of the alphabet: an order without a meaning."""


class _Run(NamedTuple):
    """Lines `[start, stop)` of a text that are bullets of one list."""

    start: int
    stop: int


def reorder(text: str, order: Callable[[Sequence[str]], Sequence[str]]) -> str:
    """`text` with the items of every bullet list in another order; unchanged where an order may mean something.

    Lists are left alone whose items say "first", "then" or "above", nest, or run over several lines.

    Args:
        order: From the items of a list to the same items in their new order.
    """
    lines = text.split("\n")
    runs = _runs(lines)
    if not runs or _ORDERED.search(text):
        return text
    for run in runs:
        matches = [_BULLET.match(line) for line in lines[run.start : run.stop]]
        parts = [match.groups() for match in matches if match]
        ordered = order([item for _, _, item in parts])
        lines[run.start : run.stop] = [
            f"{indent}{bullet} {item}" for (indent, bullet, _), item in zip(parts, ordered, strict=True)
        ]
    return "\n".join(lines)


def reverse(items: Sequence[str]) -> list[str]:
    """The last one first."""
    return list(reversed(items))


def shortest_first(items: Sequence[str]) -> list[str]:
    """By number of characters; equal ones in the order of the alphabet."""
    return sorted(items, key=lambda item: (len(item), item))


def longest_first(items: Sequence[str]) -> list[str]:
    """The reverse of `shortest_first`."""
    return reverse(shortest_first(items))


def list_order_edits(items: Sequence[Item], _: np.random.Generator) -> list[Edit]:
    """Every list as it is, and in the reverse order."""
    return _list_edits(items, before=list, after=reverse)


def list_length_edits(items: Sequence[Item], _: np.random.Generator) -> list[Edit]:
    """Every list with its shortest items first, and with its longest ones first."""
    return _list_edits(items, before=shortest_first, after=longest_first)


def built_lists() -> list[Item]:
    """A question and a list for each of `KINDS`: whole, without its second item, and without its fifth."""
    made = []
    for left_out in _LEFT_OUT:
        for kind, members in KINDS:
            kept = [member for place, member in enumerate(members) if place != left_out]
            lines = "\n".join(f"- {member}" for member in kept)
            answer = f"Here are some {kind}:\n\n{lines}"
            made.append(Item((user(f"Name {len(kept)} {kind}."),), answer, f"built-in list: {kind}", chosen=True))
    return made


def _list_edits(
    items: Sequence[Item],
    *,
    before: Callable[[Sequence[str]], Sequence[str]],
    after: Callable[[Sequence[str]], Sequence[str]],
) -> list[Edit]:
    own = _edits_of(items, before=before, after=after)
    if len(own) >= _ENOUGH:
        return own
    return own + _edits_of(built_lists(), before=before, after=after)[: _TOGETHER - len(own)]


def _edits_of(
    items: Sequence[Item],
    *,
    before: Callable[[Sequence[str]], Sequence[str]],
    after: Callable[[Sequence[str]], Sequence[str]],
) -> list[Edit]:
    made = []
    for item in items:
        one, other = reorder(item.answer, before), reorder(item.answer, after)
        if one != other:
            made.append(Edit(item.with_answer(one), item.with_answer(other), item.group))
    return made


def _runs(lines: Sequence[str]) -> list[_Run]:
    """The plain lists of at least three items; none at all where some list nests or runs on."""
    runs: list[_Run] = []
    start = 0
    while start < len(lines):
        first = _BULLET.match(lines[start])
        if not first:
            start += 1
            continue
        stop = start
        while stop < len(lines) and (match := _BULLET.match(lines[stop])) and match[1] == first[1]:
            stop += 1
        # A deeper bullet or an indented line belongs to the item above it.
        if first[1] or (stop < len(lines) and lines[stop].strip()):
            return []
        if stop - start >= _MIN_ITEMS:
            runs.append(_Run(start, stop))
        start = stop
    return runs
