"""Work checkpoints on disk: sealed with a list of their files, then renamed into place, so that none is half there."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from rewardsmith.core.store import write_json

PREFIX = "checkpoint-"
SEAL_NAME = "complete.json"
_STAGING_PREFIX = ".partial-"


def staging_folder(work: Path) -> Path:
    """Where a checkpoint is written before it is renamed; the same path on every process."""
    return work / f"{_STAGING_PREFIX}save"


def clear_staging(work: Path) -> None:
    """Remove what interrupted saves and removals left behind."""
    for left in work.glob(f"{_STAGING_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)


def seal(folder: Path) -> None:
    """Flush every file to the disk and write the list of their sizes, last of all."""
    sizes = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
        sizes[path.relative_to(folder).as_posix()] = path.stat().st_size
    write_json(folder / SEAL_NAME, sizes)


def publish(staged: Path, final: Path) -> None:
    """Rename a sealed checkpoint into place; whatever stood there is moved aside first and then removed."""
    aside = staged.parent / f"{_STAGING_PREFIX}replaced"
    if final.exists():
        shutil.rmtree(aside, ignore_errors=True)
        final.rename(aside)
    staged.rename(final)
    shutil.rmtree(aside, ignore_errors=True)


def steps_saved(work: Path) -> list[tuple[int, Path]]:
    """The checkpoints in `work` as (optimiser step, folder), latest first, whole or not."""
    found = []
    for path in work.glob(f"{PREFIX}*"):
        number = path.name.removeprefix(PREFIX)
        if path.is_dir() and number.isdecimal():
            found.append((int(number), path))
    return sorted(found, reverse=True)


def rotate(work: Path, *, keep: int, best_step: int | None = None) -> None:
    """Remove all but the `keep` latest whole checkpoints and that of `best_step`; damaged ones count for nothing.

    A checkpoint that cannot be resumed from must not push out one that can, so each is read through as for resuming.
    """
    whole = 0
    for step, path in steps_saved(work):
        is_kept = whole < keep and fault(path) is None
        whole += is_kept
        if not is_kept and step != best_step:
            # Renamed first: an interrupted removal must not leave a folder that looks like a checkpoint.
            doomed = work / f"{_STAGING_PREFIX}old-{step}"
            path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)


def fault(folder: Path) -> str | None:
    """Why the checkpoint cannot be resumed from, or `None` where it can.

    Every file must be there with the size it was saved with, and its container must open: safetensors, and the zip
    files of torch with their check sums.
    """
    try:
        sizes = json.loads((folder / SEAL_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return f"no readable {SEAL_NAME}, so saving was cut off"
    if not isinstance(sizes, dict) or not sizes:
        return f"{SEAL_NAME} lists no files"
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size} bytes instead of {size}"
        damage = _damage(path)
        if damage:
            return f"{name} is damaged: {damage}"
    return None


def _damage(path: Path) -> str | None:
    try:
        match path.suffix:
            case ".safetensors":
                with safe_open(path, "pt"):
                    return None
            case ".pt" | ".pth" | ".npz":
                with zipfile.ZipFile(path) as archive:
                    broken = archive.testzip()
                    return None if broken is None else f"check sum of {broken}"
            case ".json":
                json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, zipfile.BadZipFile, SafetensorError) as error:
        return str(error)
    return None


def save_values(path: Path, values: dict[str, float]) -> None:
    """Write named numbers beside the weights."""
    write_json(path, values)


def load_values(path: Path) -> dict[str, float]:
    """Read them back."""
    return json.loads(path.read_text("utf-8"))


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays (`.npz`) beside the weights."""
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read them back."""
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)
