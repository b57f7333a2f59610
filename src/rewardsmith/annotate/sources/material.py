"""What can be asked about, before it is known how: a prompt, what was said to it, and what is known already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rewardsmith.annotate.answers import Side
from rewardsmith.core.conversation import Conversation, assistant, from_dicts, response_text, user
from rewardsmith.core.preference import Preference


@dataclass(frozen=True, slots=True)
class Material:
    """One prompt and its responses. A label here is what the source says; nothing of it is shown to a rater.

    Attributes:
        prompt: Turns up to the response.
        responses: At least one continuation.
        group: Prompt group, for splits and intervals.
        source: Name of the data set.
        id: The row's own; empty where it has none.
        verdicts: (i, j), i < j, → which of the two the source prefers.
        ratings: One mapping a response, parallel to them; empty where nobody rated.
        steps: Of the only response, where the source cut it.
        step_labels: 1 good, 0 neutral, −1 bad, `None` not judged; parallel to `steps`.
        why: Why it should be asked, as the source says it.
        priority: How soon; higher is sooner.
        meta: Whatever else the row said.
    """

    prompt: Conversation
    responses: tuple[Conversation, ...]
    group: str
    source: str
    id: str = ""
    verdicts: Mapping[tuple[int, int], Side] = field(default_factory=dict)
    ratings: tuple[Mapping[str, float], ...] = ()
    steps: tuple[str, ...] = ()
    step_labels: tuple[int | None, ...] = ()
    why: str = ""
    priority: float = 0.0
    meta: Mapping[str, Any] = field(default_factory=dict)


def verdicts_of(preference: Preference) -> dict[tuple[int, int], Side]:
    """What the pairs of a preference say, each with the lower place first."""
    found: dict[tuple[int, int], Side] = {}
    for pair in preference.pairs:
        low, high = sorted((pair.chosen, pair.rejected))
        is_even = pair.tie or pair.prob_chosen == 0.5
        winner = pair.chosen if pair.prob_chosen > 0.5 else pair.rejected
        found[low, high] = "tie" if is_even else "first" if winner == low else "second"
    return found


def distinct(material: Material) -> Material:
    """Without responses that are blank, cannot be written as UTF-8, or repeat an earlier one."""
    kept: list[int] = []
    seen: set[tuple[tuple[str, str], ...]] = set()
    for place, response in enumerate(material.responses):
        text = tuple((role, content.strip()) for role, content in response)
        if text in seen or not response_text(response).strip() or not is_text(response):
            continue
        seen.add(text)
        kept.append(place)
    return material if len(kept) == len(material.responses) else taken(material, kept)


def taken(material: Material, places: list[int]) -> Material:
    """The same with the responses at `places` only, which rise."""
    new = {old: place for place, old in enumerate(places)}
    return replace(
        material,
        responses=tuple(material.responses[place] for place in places),
        ratings=tuple(material.ratings[place] for place in places) if material.ratings else (),
        verdicts={(new[i], new[j]): verdict for (i, j), verdict in material.verdicts.items() if i in new and j in new},
    )


def is_text(conversation: Conversation) -> bool:
    """Whether all of it is Unicode text: half a surrogate pair, as JSON can hold it, is none."""
    try:
        for message in conversation:
            message.content.encode()
    except UnicodeEncodeError:
        return False
    return True


def turns_of(value: Any, role: Literal["user", "assistant"]) -> Conversation | None:
    """A text as one turn of `role`, or a list of `{"role", "content"}` as it stands; `None` where it is neither."""
    if isinstance(value, str):
        return (user(value) if role == "user" else assistant(value),)
    return _messages(value)


def _messages(value: Any) -> Conversation | None:
    if not isinstance(value, list) or not value:
        return None
    try:
        return from_dicts(value)
    except (KeyError, TypeError, ValueError):
        return None
