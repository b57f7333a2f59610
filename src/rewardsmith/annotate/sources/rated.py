"""Rated responses, or responses that nobody rated yet, gathered by prompt → material."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rewardsmith.annotate.answers import Side
from rewardsmith.annotate.sources.labelled import priority_of, why_of
from rewardsmith.annotate.sources.material import Material, turns_of
from rewardsmith.annotate.sources.outcome import Left
from rewardsmith.core.conversation import Conversation
from rewardsmith.preferences.groups import group_of
from rewardsmith.preferences.outcome import RawRow, Reason, Rejection
from rewardsmith.preferences.ratings.reading import read_ratings
from rewardsmith.preferences.settings import SourceSettings

PLAIN = "responses"
"""Rows of `prompt` and `response` without ratings: what nobody labelled yet."""


@dataclass
class _Prompt:
    """The responses to one prompt so far."""

    prompt: Conversation
    group: str
    source: str
    ids: list[str] = field(default_factory=list)
    responses: list[Conversation] = field(default_factory=list)
    ratings: list[dict[str, float]] = field(default_factory=list)
    why: str = ""
    priority: float = 0.0


def is_plain(values: Mapping[str, Any] | None) -> bool:
    """Whether a row holds one response and nothing that a layout of preferences would need."""
    return values is not None and {"prompt", "response"} <= values.keys() and "ratings" not in values


def rated_material(rows: Sequence[RawRow], source: SourceSettings) -> Iterator[Material | Left]:
    """The responses of each prompt with their ratings; a response that cannot be used is left out by itself.

    Args:
        source: With `rating`, verdicts between the responses are made of that attribute (`-name`: lower is better).

    Raises:
        DataError: The rows have no ratings.
    """
    prompts: dict[tuple[str, Conversation], _Prompt] = {}
    for item in read_ratings(iter(rows), source):
        outcome = item.outcome
        if isinstance(outcome, Rejection):
            yield Left(outcome.reason.value, f"{item.row.file}:{item.row.line}", outcome.detail)
            continue
        at = prompts.setdefault((outcome.group, outcome.prompt), _Prompt(outcome.prompt, outcome.group, outcome.source))
        own = (item.row.values or {}).get("id")
        at.ids.append("" if own is None else outcome.id)
        at.responses.append(outcome.response)
        at.ratings.append(dict(outcome.ratings))
    yield from (_material(each, rating=source.rating) for each in prompts.values())


def plain_material(rows: Sequence[RawRow], *, name: str) -> Iterator[Material | Left]:
    """The responses of each prompt, of rows that hold one each.

    Args:
        name: Of the source, where a row does not say its own.
    """
    prompts: dict[tuple[str, Conversation], _Prompt] = {}
    for row in rows:
        values = row.values or {}
        prompt, response = turns_of(values.get("prompt"), "user"), turns_of(values.get("response"), "assistant")
        if not prompt or not response or response[-1].role != "assistant":
            reason = Reason.UNREADABLE if row.values is None else Reason.WRONG_TYPE
            detail = row.problem or "prompt and response must be texts or lists of messages"
            yield Left(reason.value, f"{row.file}:{row.line}", detail)
            continue
        group = str(values.get("prompt_id") or group_of(prompt))
        at = prompts.setdefault((group, prompt), _Prompt(prompt, group, str(values.get("source") or name)))
        at.ids.append(str(values.get("id") or ""))
        at.responses.append(response)
        at.why = at.why or why_of(values.get("why"))
        at.priority = max(at.priority, priority_of(values.get("priority")))
    yield from (_material(each, rating=None) for each in prompts.values())


def _material(of: _Prompt, *, rating: str | None) -> Material:
    return Material(
        prompt=of.prompt,
        responses=tuple(of.responses),
        group=of.group,
        source=of.source,
        # The id of a row is that of its response: it names the task only where there is no other response.
        id=of.ids[0] if len(of.ids) == 1 else "",
        verdicts={} if rating is None else _verdicts(of.ratings, rating),
        ratings=tuple(of.ratings),
        why=of.why,
        priority=of.priority,
    )


def _verdicts(ratings: Sequence[dict[str, float]], rating: str) -> dict[tuple[int, int], Side]:
    sign, name = (-1.0, rating[1:]) if rating.startswith("-") else (1.0, rating)
    known = [None if name not in each else sign * each[name] for each in ratings]
    found: dict[tuple[int, int], Side] = {}
    for i, one in enumerate(known):
        for j in range(i + 1, len(known)):
            other = known[j]
            if one is not None and other is not None:
                found[i, j] = "tie" if one == other else "first" if one > other else "second"
    return found
