"""Rated rows → ratings, one row at a time, or the reason why a response is not used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError, shorten
from rewardsmith.preferences.detect import MAX_FIRST_ROWS
from rewardsmith.preferences.layouts import LAYOUTS, layout_of
from rewardsmith.preferences.layouts.rated import (
    helpsteer_ratings,
    own_ratings,
    rated_prompt,
    ultrafeedback_ratings,
)
from rewardsmith.preferences.layouts.rows import (
    Origin,
    Refusal,
    check_response,
    group_name,
    items,
    number,
    prompt_turns,
    turns,
)
from rewardsmith.preferences.layouts.template_input import unrendered
from rewardsmith.preferences.outcome import RawRow, Reason, Rejection
from rewardsmith.preferences.ratings.rating import Rating
from rewardsmith.preferences.settings import SourceSettings

RATED_LAYOUTS = ("rated", "helpsteer", "ultrafeedback")
"""Layouts whose rows hold a number for a response."""


class JudgedResponse(NamedTuple):
    """A row and what became of one of its responses; a row of UltraFeedback holds several."""

    row: RawRow
    outcome: Rating | Rejection


class _Rated(NamedTuple):
    """One response of a row, before its fields are checked."""

    prompt: Conversation
    response: Any
    ratings: Mapping[str, Any]


def read_ratings(
    rows: Iterable[RawRow], source: SourceSettings, *, attributes: Collection[str] = ()
) -> Iterator[JudgedResponse]:
    """What became of each rated response of a source.

    Args:
        attributes: Names to keep; every attribute where empty. A response without any of them is refused.

    Raises:
        DataError: The rows have no known layout, or one without ratings.
        SettingsError: `source.layout` is unknown.
    """
    stream = iter(rows)
    first = list(islice(stream, MAX_FIRST_ROWS))
    name = layout_of(first, source)
    if name not in RATED_LAYOUTS:
        raise DataError(
            "the rows hold no ratings",
            wanted=f"rows of a layout with ratings: {', '.join(RATED_LAYOUTS)}",
            got=f"layout {name}",
            where=source.path,
            fix="train on pairs (leave `attributes:` out), or name another file",
        )
    origin = Origin.of(source)
    for row in chain(first, stream):
        yield from _read_row(row, origin, name, attributes=attributes)


def _read_row(row: RawRow, origin: Origin, layout: str, *, attributes: Collection[str]) -> Iterator[JudgedResponse]:
    refused = _unreadable(row, layout)
    if refused is not None or row.values is None:
        yield JudgedResponse(row, refused or Rejection(Reason.UNREADABLE, row.problem))
        return
    try:
        rated = _responses(row.values, layout)
    except Refusal as refusal:
        yield JudgedResponse(row, refusal.rejection)
        return
    for place, each in enumerate(rated):
        suffix = f"#{place}" if len(rated) > 1 else ""
        try:
            yield JudgedResponse(row, _rating(row, origin, each, suffix=suffix, attributes=attributes))
        except Refusal as refusal:
            yield JudgedResponse(row, refusal.rejection)


def _unreadable(row: RawRow, layout: str) -> Rejection | None:
    if row.values is None:
        return Rejection(Reason.UNREADABLE, row.problem)
    shape = LAYOUTS[layout].shape
    if not shape.has_columns(row.values):
        found = shorten(", ".join(row.values), 120)
        return Rejection(Reason.UNREADABLE, f"columns {found} do not fit this source's layout, which has {shape}")
    return unrendered(row.values)


def _responses(values: Mapping[str, Any], layout: str) -> list[_Rated]:
    """The responses of a row.

    Raises:
        Refusal: The row as a whole cannot be read.
    """
    if layout == "ultrafeedback":
        prompt = prompt_turns(values["instruction"], "instruction")
        completions = items(values["completions"], "completions")
        return [_Rated(prompt, *_completion(each)) for each in completions]
    ratings = own_ratings(values) if layout == "rated" else helpsteer_ratings(values)
    return [_Rated(rated_prompt(values["prompt"]), values["response"], ratings)]


def _completion(completion: Any) -> tuple[Any, Mapping[str, Any]]:
    if not isinstance(completion, Mapping) or not isinstance(completion.get("response"), str):
        raise Refusal(Reason.WRONG_TYPE, "a completion without a response")
    return completion["response"], ultrafeedback_ratings(completion)


def _rating(row: RawRow, origin: Origin, rated: _Rated, *, suffix: str, attributes: Collection[str]) -> Rating:
    values = row.values or {}
    response = turns(rated.response, "assistant", "response")
    check_response(rated.prompt, response)
    if not all(_is_text(content) for _, content in (*rated.prompt, *response)):
        raise Refusal(Reason.WRONG_TYPE, "text with a lone surrogate, which is no Unicode text")
    numbers = {str(name): number(value, str(name)) for name, value in rated.ratings.items()}
    known = {name: value for name, value in numbers.items() if value is not None}
    kept = {name: value for name, value in known.items() if not attributes or name in attributes}
    if not kept:
        raise Refusal(Reason.UNREADABLE, f"no rating to use; ratings of this row: {', '.join(known) or 'none'}")
    return Rating(
        prompt=rated.prompt,
        response=response,
        ratings=kept,
        id=origin.id_of(row) + suffix,
        group=group_name(row, rated.prompt),
        source=origin.source_of(values),
    )


def _is_text(content: str) -> bool:
    return content.isascii() or content.encode("utf-8", "ignore").decode() == content
