"""Which answers are compared: those of one prompt, all with all, or in a ring where they are many."""

from __future__ import annotations

from collections.abc import Sequence

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json


def by_prompt(conversations: Sequence[Conversation]) -> list[list[int]]:
    """Places of the distinct conversations, one list for each prompt: all turns but the last. Of equal conversations
    only the first has a place."""
    groups: dict[Conversation, list[int]] = {}
    seen: set[Conversation] = set()
    for place, conversation in enumerate(conversations):
        if conversation not in seen:
            seen.add(conversation)
            groups.setdefault(conversation[:-1], []).append(place)
    return list(groups.values())


def comparisons(group: Sequence[Conversation], *, max_rivals: int) -> list[tuple[int, int]]:
    """Pairs (i < j) of positions in `group` that are compared.

    All of them where an answer then has at most `max_rivals` rivals. Else the answers stand in a ring, in the order of
    their digests, and each is compared with ⌊max_rivals/2⌋ neighbours on both sides: the cost grows with the number of
    answers and not with its square, and the choice depends on the answers alone.
    """
    n = len(group)
    if n - 1 <= max_rivals:
        return [(i, j) for i in range(n) for j in range(i + 1, n)]
    ring = sorted(range(n), key=lambda place: digest_json([list(turn) for turn in group[place]]))
    steps = range(1, max_rivals // 2 + 1)
    pairs = {tuple(sorted((ring[at], ring[(at + step) % n]))) for at in range(n) for step in steps}
    return sorted((i, j) for i, j in pairs)
