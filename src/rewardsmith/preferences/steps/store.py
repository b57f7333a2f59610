"""The steps artefact on disk: splits as Arrow files, everything else as JSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.store import read_manifest
from rewardsmith.preferences.columns import conversation_from_json, conversation_json
from rewardsmith.preferences.steps.trace import StepTrace
from rewardsmith.preferences.store import ArrowWriter, split_path

KIND = "steps"

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("group", pa.string()),
        ("source", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("prompt", pa.string()),
        ("steps", pa.list_(pa.string())),
        ("labels", pa.list_(pa.int8())),
        ("final_correct", pa.bool_()),
    ]
)
"""One trace a row; `prompt` is JSON; null labels and a null `final_correct` are not known."""

_BATCH_ROWS = 1024


def load_traces(folder: Path, split: Literal["train", "heldout"]) -> tuple[StepTrace, ...]:
    """One side of a steps artefact.

    Raises:
        ArtefactError: `folder` is no steps artefact, or the file cannot be read.
    """
    read_manifest(folder, KIND)
    path = split_path(folder, split)
    try:
        rows = pa.ipc.open_file(pa.memory_map(str(path))).read_all().to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise ArtefactError("cannot read a split", got=error, where=str(path), fix="prepare the data again") from error
    return tuple(
        StepTrace(
            prompt=conversation_from_json(row["prompt"]),
            steps=tuple(row["steps"]),
            labels=tuple(row["labels"]),
            final_correct=row["final_correct"],
            id=row["id"],
            group=row["group"],
            source=row["source"],
        )
        for row in rows
    )


def write_traces(path: Path, traces: Sequence[StepTrace], places: Sequence[tuple[str, int]]) -> None:
    """Write one side; `places` are the file and line that each trace was read from."""
    with ArrowWriter(path, SCHEMA) as writer:
        for start in range(0, len(traces), _BATCH_ROWS):
            some = slice(start, start + _BATCH_ROWS)
            writer.write(_batch(traces[some], places[some]))


def _batch(traces: Sequence[StepTrace], places: Sequence[tuple[str, int]]) -> pa.RecordBatch:
    columns = {
        "id": [trace.id for trace in traces],
        "group": [trace.group for trace in traces],
        "source": [trace.source for trace in traces],
        "file": [file for file, _ in places],
        "line": [line for _, line in places],
        "prompt": [conversation_json(trace.prompt) for trace in traces],
        "steps": [list(trace.steps) for trace in traces],
        "labels": [list(trace.labels) for trace in traces],
        "final_correct": [trace.final_correct for trace in traces],
    }
    return pa.RecordBatch.from_arrays([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)
