"""The ratings artefact on disk: splits as Arrow files, scales in the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.settings import parse_settings
from rewardsmith.core.store import MANIFEST_NAME, read_manifest
from rewardsmith.preferences import columns
from rewardsmith.preferences.ratings.rating import Rating
from rewardsmith.preferences.ratings.scales import Scale
from rewardsmith.preferences.store import ArrowWriter, Split, read_batches, split_path

KIND = "ratings"

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("group", pa.string()),
        ("source", pa.string()),
        ("prompt", pa.string()),
        ("response", pa.string()),
        ("ratings", pa.map_(pa.string(), pa.float64())),
    ]
)
"""One rated response a row; `prompt` and `response` are JSON."""


def write_ratings(folder: Path, split: Split, ratings: Sequence[Rating]) -> None:
    """Write one side of a ratings artefact."""
    rows = [
        [each.id for each in ratings],
        [each.group for each in ratings],
        [each.source for each in ratings],
        [columns.conversation_json(each.prompt) for each in ratings],
        [columns.conversation_json(each.response) for each in ratings],
        [list(each.ratings.items()) for each in ratings],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(rows, SCHEMA, strict=True)]
    with ArrowWriter(split_path(folder, split), SCHEMA) as writer:
        writer.write(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))


def load_ratings(folder: Path, split: Split) -> tuple[Rating, ...]:
    """One side of a ratings artefact, in memory.

    Raises:
        ArtefactError: `folder` is not a ratings artefact, or a file of it cannot be read.
    """
    read_manifest(folder, KIND)
    path = split_path(folder, split)
    try:
        rows = [row for batch in read_batches(path) for row in batch.to_pylist()]
    except (OSError, pa.ArrowInvalid) as error:
        raise ArtefactError("cannot read a split", got=error, where=str(path), fix="prepare the data again") from error
    return tuple(
        Rating(
            prompt=columns.conversation_from_json(row["prompt"]),
            response=columns.conversation_from_json(row["response"]),
            ratings=dict(row["ratings"]),
            id=row["id"],
            group=row["group"],
            source=row["source"],
        )
        for row in rows
    )


def scales_in(manifest: Manifest, *, where: str) -> dict[str, dict[str, Scale]]:
    """The scales that a ratings artefact was made with.

    Raises:
        SettingsError: They are not there, or damaged.
    """
    place = f"{where}/{MANIFEST_NAME}"
    return {
        source: {name: parse_settings(Scale, values, where=place) for name, values in attributes.items()}
        for source, attributes in manifest.counts.get("scales", {}).items()
    }
