"""The answers that probes change: one a prompt group, as many preferred as rejected ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import chain, zip_longest

from rewardsmith.audit.observations import OrderedPair, ordered_pairs
from rewardsmith.audit.probes.probe import Item
from rewardsmith.core.preference import Preference


def items(preferences: Sequence[Preference], *, limit: int, seed: int) -> list[Item]:
    """At most `limit` answers, one a prompt group, alternately ones that raters preferred and ones that they rejected.

    Which answer a group gives, and where it stands, is decided by a hash of its name and the seed: with more data the
    groups that were there keep their answers and their order. Answers that are empty, that do not follow a user's
    turn, and those of pairs that raters called equal are left out.
    """
    by_group: dict[str, tuple[int, OrderedPair]] = {}
    for pair in ordered_pairs(preferences):
        rank = _hash(seed, "pair", pair.preference.group, pair.preference.id, pair.chosen, pair.rejected)
        best = by_group.get(pair.preference.group)
        if not pair.tie and _usable(pair) and (best is None or rank < best[0]):
            by_group[pair.preference.group] = rank, pair
    ordered = sorted(by_group, key=lambda group: _hash(seed, "group", group))
    sides = {group: _hash(seed, "side", group) % 2 == 0 for group in ordered}
    preferred = [_item(by_group[group][1], chosen=True) for group in ordered if sides[group]]
    rejected = [_item(by_group[group][1], chosen=False) for group in ordered if not sides[group]]
    return list(_present(chain.from_iterable(zip_longest(preferred, rejected))))[:limit]


def _present(found: Iterable[Item | None]) -> Iterable[Item]:
    return (item for item in found if item is not None)


def _usable(pair: OrderedPair) -> bool:
    return all(_answers_a_user(pair, response) for response in (pair.chosen, pair.rejected))


def _answers_a_user(pair: OrderedPair, response: int) -> bool:
    conversation = pair.preference.conversation(response)
    if len(conversation) < 2:
        return False
    return conversation[-2].role == "user" and conversation[-1].role == "assistant" and bool(conversation[-1].content)


def _item(pair: OrderedPair, *, chosen: bool) -> Item:
    conversation = pair.preference.conversation(pair.chosen if chosen else pair.rejected)
    return Item(conversation[:-1], conversation[-1].content, pair.preference.group, chosen)


def _hash(*parts: object) -> int:
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
