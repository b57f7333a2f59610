"""Old labels beside the new ones, so that the model does not forget; and preferences as rows of a file again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.comparisons import from_ranks


@dataclass(frozen=True, slots=True)
class Mixture:
    """What the next model learns from and is judged on.

    Attributes:
        new: Labels that came back.
        old_train: Old preferences, drawn by lot.
        old_heldout: All old ones that are held out: the candidate is judged on them too.
        counts: How many of each.
        share: Of the training preferences that are old ones, as it came out.
    """

    new: tuple[Preference, ...]
    old_train: tuple[Preference, ...]
    old_heldout: tuple[Preference, ...]
    counts: dict[str, int]
    share: float


def mix(
    new: Sequence[Preference],
    old: Sequence[Preference],
    *,
    share: float | Literal["all"],
    is_heldout: Callable[[str], bool],
    seed: int,
) -> Mixture:
    """New labels with as many old ones that these make up `share` of what is trained on, or all where fewer are there.

    Args:
        new: Labels that came back.
        old: Preferences of before, on both sides of the split.
        is_heldout: Of a prompt group, on which side of the split it falls.
        seed: Of the lot.
    """
    asked = {(each.prompt, frozenset(each.responses)) for each in new}
    # Judged anew, the old label would contradict the new one or repeat it.
    kept = [each for each in old if (each.prompt, frozenset(each.responses)) not in asked]
    heldout = tuple(each for each in kept if is_heldout(each.group))
    train = [each for each in kept if not is_heldout(each.group)]
    n_new = sum(not is_heldout(each.group) for each in new)
    wanted = len(train) if share == "all" else round(share / (1 - share) * n_new)
    drawn = sorted(train, key=lambda each: digest_json([seed, each.id, each.group]))[:wanted]
    n_train = len(drawn) + n_new
    counts = {
        "new_train": n_new,
        "new_heldout": len(new) - n_new,
        "old_train": len(drawn),
        "old_train_known": len(train),
        "old_heldout": len(heldout),
        "judged_anew": len(old) - len(kept),
    }
    return Mixture(tuple(new), tuple(drawn), heldout, counts, len(drawn) / n_train if n_train else 0.0)


def rows_of(preferences: Sequence[Preference]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of pairs, and rows of rankings, as the layouts `pair` and `ranked` read them.

    A preference of several responses whose pairs are those of a ranking is written as one, so that its prompt counts
    once as before; of another, each pair becomes a row.
    """
    pairs: list[dict[str, Any]] = []
    rankings: list[dict[str, Any]] = []
    for each in preferences:
        ranks = _ranks(each) if len(each.responses) > 2 else None
        if ranks is not None:
            responses = [to_dicts(response) for response in each.responses]
            rankings.append(_head(each) | {"responses": responses, "ranks": ranks})
            continue
        several = len(each.pairs) > 1
        pairs += [_pair_row(each, pair, f"-{place}" if several else "") for place, pair in enumerate(each.pairs)]
    return pairs, rankings


def _head(each: Preference) -> dict[str, Any]:
    return {"id": each.id, "prompt_id": each.group, "prompt": to_dicts(each.prompt), "source": each.source}


def _pair_row(each: Preference, pair: Pair, suffix: str) -> dict[str, Any]:
    chosen, rejected = (to_dicts(each.responses[place]) for place in (pair.chosen, pair.rejected))
    row: dict[str, Any] = _head(each) | {"id": each.id + suffix, "chosen": chosen, "rejected": rejected}
    row["label"] = "tie" if pair.tie else "chosen"
    if pair.margin is not None:
        row["margin"] = pair.margin
    if not pair.tie and pair.prob_chosen != 1.0:
        row["prob_chosen"] = pair.prob_chosen
    # Votes are of the one pair of a preference of two.
    if each.votes and len(each.pairs) == 1:
        row |= {"votes": list(each.votes)} | ({"raters": list(each.raters)} if each.raters else {})
    return row


def _ranks(each: Preference) -> list[int] | None:
    """Ranks of which `from_ranks` makes these very pairs; `None` where there are none."""
    wins = [0] * len(each.responses)
    for pair in each.pairs:
        if pair.margin is not None or pair.weight != 1.0:
            return None
        wins[pair.chosen] += not pair.tie
    levels = sorted(set(wins), reverse=True)
    ranks = [1 + levels.index(count) for count in wins]
    return ranks if _comparisons(from_ranks(ranks)) == _comparisons(each.pairs) else None


def _comparisons(pairs: Sequence[Pair]) -> set[tuple[object, ...]]:
    return {
        (frozenset((pair.chosen, pair.rejected)), True) if pair.tie else (pair.chosen, pair.rejected, pair.prob_chosen)
        for pair in pairs
    }


def conversations_of(preferences: Sequence[Preference], *, most: int) -> list[Conversation]:
    """Distinct conversations of preferences, in order, the first `most`."""
    found: dict[Conversation, None] = {}
    for each in preferences:
        for number in range(len(each.responses)):
            found.setdefault(each.conversation(number))
        if len(found) >= most:
            break
    return list(found)[:most]
