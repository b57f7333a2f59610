"""Frozen settings: unknown keys are refused with the nearest valid name."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from rewardsmith.core.errors import SettingsError


class Settings(BaseModel):
    """Base of every settings class: immutable, unknown keys refused, docstrings as field descriptions."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


S = TypeVar("S", bound=Settings)


def parse_settings(kind: type[S], values: Mapping[str, Any], *, where: str) -> S:
    """Validate `values` as `kind`.

    Args:
        where: File or option that the values came from, for the error.

    Raises:
        SettingsError: A key is unknown (the nearest valid one is named) or a value has the wrong type.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise _unknown_key(kind, first["loc"], where) from error
        raise SettingsError(
            f"bad value for {key}",
            wanted=first["msg"],
            got=first.get("input"),
            where=where,
            fix=f"correct {key}" + (f" ({len(error.errors()) - 1} more to correct)" if len(error.errors()) > 1 else ""),
        ) from error


def override(values: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """A copy of `values` with `a.b=VALUE` assignments applied; VALUE is read as YAML.

    Raises:
        SettingsError: An assignment has no `=`, or goes through something that is not a mapping.
    """
    result: dict[str, Any] = dict(values)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise SettingsError(
                "bad override",
                wanted="section.key=value",
                got=assignment,
                where="--set",
                fix="for example --set training.learning_rate=1e-5",
            )
        _assign(result, key.strip().split("."), parse_yaml(text, where=f"--set {key}"))
    return result


def parse_yaml(text: str, *, where: str) -> Any:
    """The YAML value in `text`; numbers such as `1e-5`, which YAML 1.1 leaves as strings, become floats.

    Raises:
        SettingsError: It is not YAML.
    """
    try:
        return _floats(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise SettingsError(
            "not YAML", got=str(error), where=where, fix="check the indentation and the colons"
        ) from error


def _floats(value: Any) -> Any:
    match value:
        case dict():
            return {key: _floats(item) for key, item in value.items()}
        case list():
            return [_floats(item) for item in value]
        case str() if "e" in value.lower() and value[:1] in "+-.0123456789":
            try:
                return float(value)
            except ValueError:
                return value
        case _:
            return value


def _assign(target: dict[str, Any], path: list[str], value: Any) -> None:
    for depth, part in enumerate(path[:-1]):
        inner = target.get(part, {})
        if not isinstance(inner, Mapping):
            raise SettingsError(
                "bad override", wanted="a section", got=f"{'.'.join(path[: depth + 1])}={inner!r}", where="--set"
            )
        target[part] = dict(inner)
        target = target[part]
    target[path[-1]] = value


def _unknown_key(kind: type[Settings], loc: tuple[int | str, ...], where: str) -> SettingsError:
    valid = _keys_at(kind, [str(part) for part in loc[:-1]])
    name = str(loc[-1])
    nearest = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else "remove it"
    return SettingsError(
        f"unknown key {'.'.join(str(part) for part in loc)!r}",
        wanted=f"one of {', '.join(sorted(valid))}",
        where=where,
        fix=hint,
    )


def _keys_at(kind: type[Settings], path: list[str]) -> list[str]:
    for part in path:
        inner = _settings_inside(kind.model_fields[part].annotation) if part in kind.model_fields else None
        if inner is None:
            break
        kind = inner
    return list(kind.model_fields)


def _settings_inside(annotation: Any) -> type[Settings] | None:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, tuple, list):
        for argument in typing.get_args(annotation):
            inner = _settings_inside(argument)
            if inner is not None:
                return inner
    return None
