"""What a round leaves on disk, and the pointer to the model in use with the journal of its changes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.full_disk import telling_full_disk
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import is_current, read_manifest, write_json, writing_artefact, writing_file
from rewardsmith.optimise.sample_store import SAMPLES_NAME, group_from, group_values, iter_lines
from rewardsmith.refresh.asked import Asked, asked_from
from rewardsmith.refresh.candidates import Candidates

TO_LABEL_KIND = "to-label"
TO_LABEL_NAME = "pairs.jsonl"
POINTER_NAME = "current"
JOURNAL_NAME = "journal.jsonl"


def write_candidates(folder: Path, candidates: Candidates, manifest: Manifest) -> Manifest:
    """Write an artefact of samples; each line also has the served `rewards`."""
    counted = manifest.model_copy(update={"counts": dict(candidates.counts)})
    with writing_artefact(folder, counted) as draft, (draft.folder / SAMPLES_NAME).open("wb") as stream:
        for group, rewards in zip(candidates.groups, candidates.rewards, strict=True):
            stream.write(orjson.dumps(group_values(group) | {"rewards": list(rewards)}) + b"\n")
    return read_manifest(folder, manifest.kind)


def read_candidates(folder: Path, kind: str) -> Candidates:
    """The inverse of `write_candidates`.

    Raises:
        ArtefactError: It is no such artefact, or a line is damaged.
    """
    counts = read_manifest(folder, kind).counts
    lines = [values for _, values in iter_lines(folder / SAMPLES_NAME)]
    return Candidates(
        tuple(group_from(values) for values in lines), tuple(tuple(values["rewards"]) for values in lines), counts
    )


def write_to_label(folder: Path, asked: Sequence[Asked], manifest: Manifest) -> Manifest:
    """Write the artefact with the file of pairs to label."""
    with writing_artefact(folder, manifest) as draft:
        write_rows(draft.folder / TO_LABEL_NAME, (each.row() for each in asked))
    return read_manifest(folder, TO_LABEL_KIND)


def read_to_label(folder: Path) -> list[Asked]:
    """The pairs that were asked about.

    Raises:
        ArtefactError: It is no such artefact.
        DataError: A row is none.
    """
    read_manifest(folder, TO_LABEL_KIND)
    file = folder / TO_LABEL_NAME
    return [asked_from(values, where=f"{file}:{number}") for number, values in iter_lines(file)]


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows of JSON; lone surrogates, which people's texts can hold, as escapes."""
    with path.open("w", encoding="ascii") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


def write_values(folder: Path, name: str, values: Any, manifest: Manifest) -> Manifest:
    """An artefact of one JSON file."""
    with writing_artefact(folder, manifest) as draft:
        write_json(draft.folder / name, values)
    return read_manifest(folder, manifest.kind)


def current(folder: Path, manifest: Manifest) -> bool:
    """Whether the artefact that `manifest` is about to describe is there already, whole."""
    return is_current(folder, kind=manifest.kind, config=manifest.config, parents=manifest.parents)


def remove(folder: Path) -> None:
    """Remove a work folder, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def require_pointer(pointer: Path) -> None:
    """The pointer can be set: it is a link, or nothing is there.

    Raises:
        ArtefactError: Something else is there.
    """
    if pointer.exists() and not pointer.is_symlink():
        raise ArtefactError(
            "the pointer is no link",
            wanted="a symbolic link to the model in use, or nothing",
            where=str(pointer),
            fix="name another --current",
        )


def set_pointer(pointer: Path, model: Path, *, was: Path) -> None:
    """Let `pointer` lead to `model`: a reader finds the old model or the new one, and never none.

    Args:
        was: The model that the candidate was compared with; the pointer must lead there, or to `model`, or nowhere.

    Raises:
        ArtefactError: It leads elsewhere by now: somebody else has promoted a model meanwhile.
    """
    require_pointer(pointer)
    found = Path(os.path.realpath(pointer))
    if pointer.is_symlink() and found not in (model.resolve(), was.resolve()) and found.exists():
        raise ArtefactError(
            "another model is in use by now",
            wanted=f"{was}, which the candidate was compared with",
            got=found,
            where=str(pointer),
            fix="begin a round with the model that is in use",
        )
    target = os.path.relpath(model.resolve(), pointer.parent.resolve())
    draft = pointer.with_name(f".{pointer.name}.draft")
    with telling_full_disk(pointer):
        pointer.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        draft.symlink_to(target)
        draft.replace(pointer)


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The decisions so far, oldest first.

    Raises:
        ArtefactError: A line is damaged.
    """
    return [values for _, values in iter_lines(path)] if path.is_file() else []


def add_to_journal(path: Path, entry: Mapping[str, Any]) -> None:
    """Add a decision with the time, unless the round has one already; the file is written anew, whole or not at all."""
    known = read_journal(path)
    if any(each.get("round") == entry["round"] for each in known):
        return
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **entry}
    with writing_file(path) as stream:
        stream.writelines(json.dumps(each).encode("ascii") + b"\n" for each in [*known, line])
