"""What every layout's reader shares: where a row comes from, its fields, and the preference made of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from rewardsmith.core.conversation import Conversation, Message, from_dicts, response_text
from rewardsmith.core.errors import shorten
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.groups import group_of
from rewardsmith.preferences.layouts.sketch import LEFT_OUT
from rewardsmith.preferences.outcome import RawRow, Reason, Rejection
from rewardsmith.preferences.settings import SourceSettings

MADE = "made"
"""Where `Preference.meta` says that nobody judged a pair, and how it was made."""

_IDENTITY_COLUMNS = frozenset({"id", "prompt_id", "source", "meta"})
_NO_NUMBER = frozenset({"", "n/a", "na", "nan", "none", "null"})
_BUILTIN = "builtin:"


class Refusal(Exception):
    """A row becomes no preference. It never leaves this package: readers turn it into a `Rejection`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.rejection = Rejection(reason, detail)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows of one source come from.

    Attributes:
        settings: The source.
        name: Its name where a row does not say its own: `settings.name`, else the file's stem or the hub id.
        file: Name of its only file; rows of others come from a folder.
    """

    settings: SourceSettings
    name: str
    file: str

    @classmethod
    def of(cls, settings: SourceSettings) -> Origin:
        """The origin of a source's rows."""
        return cls(settings, settings.name or _stem(settings.path), PurePosixPath(settings.path).name)

    def source_of(self, values: Mapping[str, Any]) -> str:
        """Source name of one row."""
        own = values.get("source")
        return own if own and isinstance(own, str) and not self.settings.name else self.name

    def id_of(self, row: RawRow) -> str:
        """The row's own `id`, else `<source name>:<line>` (with the file's name too, where a source has several)."""
        own = row.values.get("id") if row.values else None
        if own is not None and own != "":
            return str(own)
        if row.file == self.file or self._has_one_file(row):
            return f"{self.name}:{row.line}"
        return f"{self.name}/{row.file}:{row.line}"

    def _has_one_file(self, row: RawRow) -> bool:
        """Hub rows come from `<id>:<split>`, built-in ones from a file that is named otherwise."""
        return self.settings.path.startswith(_BUILTIN) or row.file.startswith(f"{self.settings.path}:")


def values_of(row: RawRow) -> dict[str, Any]:
    """The columns of a row that could be parsed."""
    return {} if row.values is None else row.values


def turns(value: Any, role: str, column: str) -> Conversation:
    """A plain string as one turn of `role`; a list of `{"role", "content"}` as it stands.

    Raises:
        Refusal: It is neither, or a role is unknown.
    """
    if isinstance(value, str):
        return (Message(role, value),)
    if not isinstance(value, Sequence):
        raise Refusal(Reason.WRONG_TYPE, f"{column} is {type(value).__name__}, wanted text or a list of messages")
    try:
        return from_dicts(value)
    except ValueError as error:
        raise Refusal(Reason.WRONG_ROLES, f"{column}: {error}") from error
    except (KeyError, TypeError) as error:
        raise Refusal(Reason.WRONG_TYPE, f"{column} is not a list of messages: {shorten(error, 80)}") from error


def prompt_turns(value: Any, column: str = "prompt") -> Conversation:
    """The prompt of a layout that has a column for it.

    Raises:
        Refusal: It is empty, or neither text nor messages.
    """
    prompt = turns(value, "user", column)
    if not any(content.strip() for _, content in prompt):
        raise Refusal(Reason.EMPTY_SIDE, f"{column} is empty")
    return prompt


def text(value: Any, column: str) -> str:
    """A string.

    Raises:
        Refusal: It is something else.
    """
    if not isinstance(value, str):
        raise Refusal(Reason.WRONG_TYPE, f"{column} is {type(value).__name__}, wanted text")
    return value


def number(value: Any, column: str) -> float | None:
    """A finite number; `None` where there is none (null, NaN, an empty string, `N/A`).

    Strings are read as numbers, since CSV cells and some data sets' ratings are strings.

    Raises:
        Refusal: It is something else.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if value.strip().casefold() in _NO_NUMBER:
            return None
        try:
            value = float(value)
        except ValueError:
            raise Refusal(Reason.WRONG_TYPE, f"{column} is {shorten(value, 40)!r}, wanted a number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refusal(Reason.WRONG_TYPE, f"{column} is {type(value).__name__}, wanted a number")
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise Refusal(Reason.WRONG_TYPE, f"{column} is infinite")
    return float(value)


def items(value: Any, column: str) -> Sequence[Any]:
    """A list.

    Raises:
        Refusal: It is something else.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise Refusal(Reason.WRONG_TYPE, f"{column} is {type(value).__name__}, wanted a list")
    return value


def meta_of(values: Mapping[str, Any], used: Iterable[str]) -> dict[str, Any]:
    """What the row says beside `used`; its own `meta` is opened up.

    `left_out` is not taken over: it is what this reading left out. `made` neither: a file's pairs are its own.
    """
    known = _IDENTITY_COLUMNS.union(used)
    own = values.get("meta")
    meta = dict(own) if isinstance(own, Mapping) else {} if own is None else {"meta": own}
    meta.update({key: value for key, value in values.items() if key not in known and value is not None})
    for name in (LEFT_OUT, MADE):
        meta.pop(name, None)
    return meta


def check_roles(conversation: Conversation) -> None:
    """A system turn only at the start; user and assistant turns never twice in a row.

    Raises:
        Refusal: Another order.
    """
    previous = ""
    for position, (role, _) in enumerate(conversation):
        if role == "system" and position:
            raise Refusal(Reason.WRONG_ROLES, f"turn {position + 1} is a system turn")
        if role == previous and role != "tool":
            raise Refusal(Reason.WRONG_ROLES, f"turns {position} and {position + 1} are both the {role}'s")
        previous = role


def check_response(prompt: Conversation, response: Conversation) -> None:
    """The response is the assistant's, not empty, and follows the prompt's last turn.

    Raises:
        Refusal: It is not.
    """
    if not response_text(response).strip():
        raise Refusal(Reason.EMPTY_SIDE, "a response is empty")
    if response[0].role != "assistant" or response[-1].role != "assistant":
        raise Refusal(Reason.WRONG_ROLES, f"a response goes from {response[0].role} to {response[-1].role}")
    check_roles(prompt + response)


def assemble(
    row: RawRow,
    origin: Origin,
    *,
    prompt: Conversation,
    responses: tuple[Conversation, ...],
    pairs: tuple[Pair, ...],
    meta: Mapping[str, Any],
    votes: tuple[str, ...] = (),
    raters: tuple[str, ...] = (),
) -> Preference:
    """The preference of a row, once its responses have been checked.

    Raises:
        Refusal: A response is empty or not the assistant's, or all responses are equal.
    """
    for response in responses:
        check_response(prompt, response)
    if all(response == responses[0] for response in responses[1:]):
        raise Refusal(Reason.IDENTICAL, f"{len(responses)} equal responses")
    return Preference(
        prompt=prompt,
        responses=responses,
        pairs=pairs,
        id=origin.id_of(row),
        # A text without a prompt has only itself to be grouped by; one group for all of them could not be split.
        group=group_name(row, prompt or min(responses)),
        source=origin.source_of(values_of(row)),
        votes=votes,
        raters=raters,
        meta=meta,
    )


def group_name(row: RawRow, prompt: Conversation) -> str:
    """The row's own `prompt_id`, else the group of its prompt."""
    own = values_of(row).get("prompt_id")
    return group_of(prompt) if own is None or own == "" else str(own)


def _stem(path: str) -> str:
    """`hh` of `data/hh.jsonl.gz`, `starter` of `builtin:starter`; a hub id as it stands."""
    if path.startswith(_BUILTIN):
        return path.removeprefix(_BUILTIN)
    name = PurePosixPath(path).name
    stem = name.removesuffix(".gz")
    for suffix in (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"):
        if stem.endswith(suffix):
            return stem.removesuffix(suffix)
    looks_like_hub_id = path.count("/") == 1 and not path.startswith((".", "/"))
    return path if looks_like_hub_id else name
