"""Does a ruined answer lose its reward?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rewardsmith.audit.probes.probe import Edit, Item, Probe
from rewardsmith.audit.probes.sentences import edits_of, units

_LIMIT = 0.5
# Half of an answer is still half of an answer.
_CUT_LIMIT = 0.25


def empty(item: Item, rng: np.random.Generator) -> str:
    """No answer at all."""
    del item, rng
    return ""


def cut(item: Item, rng: np.random.Generator) -> str | None:
    """The first half, in the middle of a sentence."""
    del rng  # the same for every item
    found, blank = units(item.answer)
    return blank.join(found[: len(found) // 2]) if found else None


def shuffle(item: Item, rng: np.random.Generator) -> str | None:
    """The same words in any order."""
    found, blank = units(item.answer)
    return blank.join(found[int(place)] for place in rng.permutation(len(found))) if found else None


def echo(item: Item, rng: np.random.Generator) -> str | None:
    """The user's last turn instead of an answer."""
    del rng  # the same for every item
    return item.request or None


def random_words(items: Sequence[Item], rng: np.random.Generator) -> list[Edit]:
    """As many words, drawn from all answers."""
    pool = [word for item in items for word in units(item.answer)[0]]
    edits = []
    for item in items:
        found, blank = units(item.answer)
        if found:
            words = [pool[int(place)] for place in rng.integers(len(pool), size=len(found))]
            edits.append(Edit(item.conversation, item.with_answer(blank.join(words)), item.group))
    return edits


def foreign_answers(items: Sequence[Item], rng: np.random.Generator) -> list[Edit]:
    """The answer to another prompt."""
    if len(items) < 2:
        return []
    order = [int(place) for place in rng.permutation(len(items))]
    # Along a circle through all items: nobody keeps an answer, and every answer is used once.
    other = dict(zip(order, [*order[1:], order[0]], strict=True))
    return [
        Edit(item.conversation, item.with_answer(items[other[place]].answer), item.group)
        for place, item in enumerate(items)
        if items[other[place]].answer != item.answer
    ]


PROBES = (
    Probe("damage.empty", "loss", _LIMIT, "Does an empty answer cost?", edits_of(empty)),
    Probe("damage.cut", "loss", _CUT_LIMIT, "Does it cost to stop in the middle?", edits_of(cut)),
    Probe("damage.shuffled", "loss", _LIMIT, "Does it cost to write the words in any order?", edits_of(shuffle)),
    Probe("damage.random_words", "loss", _LIMIT, "Do words without any sense cost?", random_words),
    Probe("damage.echo", "loss", _LIMIT, "Does it cost to repeat the user instead of answering?", edits_of(echo)),
    Probe("damage.other_prompt", "loss", _LIMIT, "Does the answer to another prompt cost?", foreign_answers),
)
