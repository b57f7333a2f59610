"""Responses with ratings: a row a response (HelpSteer, rewardsmith's own), or a row a prompt (UltraFeedback).

Ratings of one attribute are compared. Which one is a decision that changes the labels, so where the rows carry
several it must be named (`rating:`); a leading `-` (`rating: -errors`) says that lower is better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rewardsmith.core.conversation import Conversation, Message, assistant, response_text
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.preference import Preference
from rewardsmith.preferences.comparisons import from_ratings
from rewardsmith.preferences.detect import Shape
from rewardsmith.preferences.layouts.gather import Gathering, PromptRows
from rewardsmith.preferences.layouts.ranked import require_pairs, require_two
from rewardsmith.preferences.layouts.reader import Layout
from rewardsmith.preferences.layouts.rows import (
    Origin,
    Refusal,
    assemble,
    items,
    meta_of,
    number,
    prompt_turns,
    turns,
    values_of,
)
from rewardsmith.preferences.layouts.sketch import Sketch, left_out_meta
from rewardsmith.preferences.outcome import RawRow, ReadRow, Reason, Rejection

HELPSTEER_ATTRIBUTES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
_ULTRAFEEDBACK_OVERALL = ("overall_score", "fine-grained_score")
_ULTRAFEEDBACK_USED = frozenset({"instruction", "completions", "models"})
_RESPONSE_USED = frozenset({"prompt", "response", "ratings", "model", "id", *HELPSTEER_ATTRIBUTES})
_STEERLM_TURN = "<extra_id_1>"
_MAX_LISTED = 100

Ratings = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Attribute → rating of one row or completion."""


class Attribute:
    """The attribute to compare by, and whether any row has carried it.

    Args:
        origin: Its settings name the attribute.
        first_ratings: Ratings of the first rows; a single attribute among them need not be named.

    Raises:
        SettingsError: None is named, and the rows carry several.
    """

    def __init__(self, origin: Origin, first_ratings: Sequence[Mapping[str, Any]]) -> None:
        named = origin.settings.rating
        known = {str(name): None for ratings in first_ratings for name in ratings}
        if named is None and len(known) > 1:
            raise SettingsError(
                "the rows carry several ratings",
                wanted=f"`rating:` as one of {', '.join(known)}",
                where=origin.settings.path,
                fix=f"for example `rating: {next(iter(known))}` (`-` before the name where lower is better)",
            )
        name = named if named is not None else next(iter(known), "rating")
        self._sign = -1.0 if named and named.startswith("-") and named not in known else 1.0
        self._name = name.removeprefix("-") if self._sign < 0 else name
        self._others: dict[str, None] = {}
        self._where = origin.settings.path
        self._found = False

    def of(self, ratings: Mapping[str, Any]) -> float | None:
        """The rating to compare by, higher is better; `None` where this response has none.

        Raises:
            Refusal: It is not a number.
        """
        value = number(ratings.get(self._name), self._name)
        if value is None:
            if len(self._others) < _MAX_LISTED:
                self._others.update(dict.fromkeys(map(str, ratings)))
            return None
        self._found = True
        return self._sign * value

    def missing(self, ratings: Mapping[str, Any]) -> Refusal:
        """Why a row without this attribute is not used."""
        others = ", ".join(str(name) for name, value in ratings.items() if value is not None)
        return Refusal(Reason.UNREADABLE, f"no rating {self._name!r}; ratings of this row: {others or 'none'}")

    def require_found(self) -> None:
        """Some row must have carried it.

        Raises:
            DataError: None did.
        """
        if not self._found and self._others:
            raise DataError(
                f"no row has a rating {self._name!r}",
                wanted=f"one of {', '.join(self._others)}",
                where=self._where,
                fix="name one of these with `rating:`",
            )


class RatedRows:
    """Reads a row a response; the rows of a prompt may stand anywhere in the source."""

    def __init__(self, origin: Origin, first_rows: Sequence[Mapping[str, Any]], ratings: Ratings) -> None:
        self._origin = origin
        self._ratings = ratings
        self._attribute = Attribute(origin, [_ratings_or_none(ratings, values) for values in first_rows])
        self._gathering = Gathering(origin.settings.max_responses)

    def add(self, row: RawRow) -> Rejection | None:
        """Put the row to its prompt's others, or say why not."""
        values = values_of(row)
        try:
            ratings = self._ratings(values)
            value = self._attribute.of(ratings)
            if value is None:
                raise self._attribute.missing(ratings)
            response = turns(values["response"], "assistant", "response")
            if not response_text(response).strip():
                raise Refusal(Reason.EMPTY_SIDE, "the response is empty")
            self._gathering.add(
                row,
                source=self._origin.source_of(values),
                prompt=rated_prompt(values["prompt"]),
                response=response,
                value=value,
            )
        except Refusal as refusal:
            return refusal.rejection
        return None

    def prompts(self) -> Iterator[PromptRows]:
        """The rated responses of each prompt, in the order of the prompts' first rows.

        Raises:
            DataError: No row carried the attribute.
        """
        self._attribute.require_found()
        return self._gathering.prompts()

    def finish(self) -> Iterator[ReadRow]:
        """One preference a prompt, in the order of the prompts' first rows.

        Raises:
            DataError: No row carried the attribute.
        """
        for rows in self.prompts():
            try:
                yield ReadRow(rows.first, _compare(rows, self._origin))
            except Refusal as refusal:
                yield from rows.refused(refusal.rejection)


class UltraFeedbackRows:
    """Reads a row a prompt, with its completions; `overall_score` where no other rating is named."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._attribute = Attribute(origin, [] if origin.settings.rating else [{_ULTRAFEEDBACK_OVERALL[0]: None}])

    def add(self, row: RawRow) -> Preference | Rejection:
        """The preference between the completions that carry the attribute."""
        try:
            return self._read(row)
        except Refusal as refusal:
            return refusal.rejection

    def finish(self) -> Iterator[ReadRow]:
        """Nothing was held back.

        Raises:
            DataError: No completion carried the attribute.
        """
        self._attribute.require_found()
        return iter(())

    def _read(self, row: RawRow) -> Preference:
        values = values_of(row)
        sketch = Sketch(self._origin.settings.max_responses)
        skipped = {"empty": 0, "unjudged": 0}
        for completion in items(values["completions"], "completions"):
            if not isinstance(completion, Mapping) or not isinstance(completion.get("response"), str):
                raise Refusal(Reason.WRONG_TYPE, "a completion without a response")
            rating = self._attribute.of(ultrafeedback_ratings(completion))
            if rating is None or not completion["response"].strip():
                skipped["unjudged" if rating is None else "empty"] += 1
                continue
            sketch.add((assistant(completion["response"]),), rating)
        left_out = left_out_meta([{key: count for key, count in skipped.items() if count}, sketch.left_out])
        return _from_sketch(
            row,
            self._origin,
            prompt=prompt_turns(values["instruction"], "instruction"),
            sketch=sketch,
            meta=meta_of(values, _ULTRAFEEDBACK_USED) | left_out,
        )


def ultrafeedback_ratings(completion: Mapping[str, Any]) -> dict[str, Any]:
    """`overall_score`, `fine-grained_score`, and the `Rating` of each aspect in `annotations`."""
    ratings = {name: completion[name] for name in _ULTRAFEEDBACK_OVERALL if completion.get(name) is not None}
    annotations = completion.get("annotations")
    if isinstance(annotations, Mapping):
        for aspect, annotation in annotations.items():
            if isinstance(annotation, Mapping) and annotation.get("Rating") is not None:
                ratings[aspect] = annotation["Rating"]
    return ratings


def _compare(rows: PromptRows, origin: Origin) -> Preference:
    sketch = rows.sides[True]
    meta = meta_of(values_of(rows.first), _RESPONSE_USED) | {"lines": rows.lines} | left_out_meta([sketch.left_out])
    return _from_sketch(rows.first, origin, prompt=rows.prompt, sketch=sketch, meta=meta)


def _from_sketch(
    row: RawRow, origin: Origin, *, prompt: Conversation, sketch: Sketch, meta: Mapping[str, Any]
) -> Preference:
    kept = sketch.responses()
    require_two(len(kept))
    return assemble(
        row,
        origin,
        prompt=prompt,
        responses=tuple(response.turns for response in kept),
        pairs=require_pairs(
            from_ratings([response.value for response in kept], min_gap=origin.settings.min_rating_gap)
        ),
        meta=meta,
    )


def rated_prompt(value: Any) -> Conversation:
    """The prompt; HelpSteer2 writes several turns as one text, with `<extra_id_1>User` before each further one."""
    if not isinstance(value, str) or _STEERLM_TURN not in value:
        return prompt_turns(value)
    opening, *marked = value.split(_STEERLM_TURN)
    parsed = [Message("user", opening.strip())]
    for part in marked:
        role, _, content = part.partition("\n")
        if role.strip() not in ("User", "Assistant"):
            return prompt_turns(value)
        parsed.append(Message(role.strip().lower(), content.strip()))
    return tuple(parsed)


def own_ratings(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The ratings of a row of `RATED`.

    Raises:
        Refusal: They are not a mapping.
    """
    ratings = values["ratings"]
    if not isinstance(ratings, Mapping):
        raise Refusal(Reason.WRONG_TYPE, f"ratings is {type(ratings).__name__}, wanted attribute: number")
    return ratings


def helpsteer_ratings(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The ratings of a row of `HELPSTEER`."""
    return {name: values[name] for name in HELPSTEER_ATTRIBUTES}


def _ratings_or_none(ratings: Ratings, values: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return ratings(values)
    except (Refusal, KeyError):
        return {}


RATED = Layout(
    Shape(frozenset({"prompt", "response", "ratings"})),
    lambda origin, first_rows: RatedRows(origin, first_rows, own_ratings),
)
"""rewardsmith's own: `ratings` is `{attribute: number}`."""

HELPSTEER = Layout(
    Shape(frozenset({"prompt", "response", *HELPSTEER_ATTRIBUTES})),
    lambda origin, first_rows: RatedRows(origin, first_rows, helpsteer_ratings),
)
"""nvidia/HelpSteer and HelpSteer2."""

ULTRAFEEDBACK = Layout(Shape(frozenset({"instruction", "completions"})), lambda origin, _: UltraFeedbackRows(origin))
"""openbmb/UltraFeedback."""
