"""Artefacts that lie beside a model, or in its folder, and are about these very weights."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import MANIFEST_NAME, artefact_kind, read_manifest


def artefacts_beside(model: str | Path, kinds: Collection[str], *, digest: str) -> list[tuple[Path, Manifest]]:
    """Folders beside or inside the model's, in the order of their names, that hold an artefact of one of `kinds`.

    Args:
        model: Folder of the model; a hub id has nothing beside it.
        digest: Of the weights (`Provenance.model_digest`). An artefact about others, or one that cannot be read, is
            none of this model's.
    """
    found = [(folder, _manifest(folder, kinds)) for folder in _folders(Path(model))]
    return [(folder, manifest) for folder, manifest in found if manifest and manifest.parents.get("model") == digest]


def _folders(model: Path) -> Iterator[Path]:
    """Folders with a manifest; hidden ones are half-written drafts."""
    if not model.is_dir():
        return
    for place in (model, model.resolve().parent):
        yield from sorted(each.parent for each in place.glob(f"[!.]*/{MANIFEST_NAME}"))


def _manifest(folder: Path, kinds: Collection[str]) -> Manifest | None:
    try:
        kind = artefact_kind(folder)
        return read_manifest(folder, kind) if kind in kinds else None
    except ArtefactError:
        return None
