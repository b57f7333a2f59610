"""The preferences artefact on disk: splits as Arrow files, everything else as JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from rewardsmith.core.digest import load_file_digest
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.preference import Preference
from rewardsmith.core.store import read_manifest
from rewardsmith.preferences import columns
from rewardsmith.preferences.load import BUILTIN_FILES, BUILTIN_PREFIX, hub_name, is_hub_id, load_revision
from rewardsmith.preferences.outcome import Destination, RawRow, Rejection, destination
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.preferences.shingles import prompt_text
from rewardsmith.preferences.table import PreferenceTable

KIND = "preferences"

Split = Literal["train", "heldout"]

DRAFT_SCHEMA = pa.schema([*columns.TEXT_SCHEMA, ("row", pa.string())])
"""A checked preference with the JSON of the row that it came from."""

_DESTINATIONS: tuple[Destination, ...] = ("rejected", "review", "set_aside")


def load_table(folder: Path, split: Split) -> PreferenceTable:
    """One side of a preferences artefact, memory-mapped.

    Raises:
        ArtefactError: `folder` is not a preferences artefact.
    """
    read_manifest(folder, KIND)
    return open_split(folder, split)


def load_judged(folder: Path) -> PreferenceTable:
    """The training side without the pairs that were made, which stand behind all others.

    Raises:
        ArtefactError: `folder` is not a preferences artefact.
    """
    judged = read_manifest(folder, KIND).counts["kept_train"]
    return open_split(folder, "train").select(range(judged))


def open_split(folder: Path, split: Split) -> PreferenceTable:
    """Like `load_table`, for a folder whose manifest is not written yet."""
    path = split_path(folder, split)
    try:
        return PreferenceTable(pa.ipc.open_file(pa.memory_map(str(path))).read_all())
    except (OSError, pa.ArrowInvalid) as error:
        raise ArtefactError("cannot read a split", got=error, where=str(path), fix="prepare the data again") from error


def rewrite_split(folder: Path, split: Split, batches: Iterable[pa.RecordBatch], *, aside: Path) -> None:
    """Write `batches`, which may be read from the split's file, in its place; what stood there goes to `aside`."""
    draft = aside.with_suffix(".draft")
    with ArrowWriter(draft, columns.SCHEMA) as writer:
        for batch in batches:
            writer.write(batch)
    split_path(folder, split).replace(aside)
    draft.replace(split_path(folder, split))


def load_source_digests(settings: DataSettings) -> dict[str, str]:
    """What the sources hold now: for each local or built-in file that they name, or that lies in a folder that they
    name, its digest; for each hub data set, under its `hub_name`, its revision, or `UNREACHED`.
    """
    digests: dict[str, str] = {}
    for source in settings.sources:
        builtin = BUILTIN_FILES.get(source.path.removeprefix(BUILTIN_PREFIX))
        if source.path.startswith(BUILTIN_PREFIX) and builtin is not None:
            with resources.as_file(resources.files("rewardsmith.preferences") / "data" / builtin) as file:
                digests[source.path] = load_file_digest(file)
            continue
        path = Path(source.path)
        if path.is_file():
            digests[source.path] = load_file_digest(path)
        elif path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file())
            digests.update((f"{source.path}/{p.relative_to(path).as_posix()}", load_file_digest(p)) for p in inside)
        elif is_hub_id(source.path):
            digests[hub_name(source)] = load_revision(source)
    return digests


def split_path(folder: Path, split: Split) -> Path:
    """The file of a split."""
    return folder / f"{split}.arrow"


class ArrowWriter:
    """An Arrow file that is written batch by batch; use it as a context manager."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._sink, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows; an empty batch leaves no trace."""
        if batch.num_rows:
            self._writer.write_batch(batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self._sink.close()


class LeftoverWriter:
    """The rows that are not used: `rejected.jsonl`, `review.jsonl`, `set_aside.jsonl`; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self._streams: dict[Destination, IO[str]] = {
            name: self._stack.enter_context((folder / f"{name}.jsonl").open("w", encoding="utf-8"))
            for name in _DESTINATIONS
        }

    def write_row(self, row: RawRow, rejection: Rejection) -> None:
        """A raw row: one object a line with file, line, reason, detail, row (null where the line was not JSON)."""
        self._write(rejection, file=row.file, line=row.line, row_json=columns.to_json(row.values))

    def write_draft(self, batch: pa.RecordBatch, index: int, rejection: Rejection) -> None:
        """Likewise the row that stands at `index` of a draft's batch."""
        file, line, row = (batch.column(name)[index].as_py() for name in ("file", "line", "row"))
        self._write(rejection, file=file, line=line, row_json=row)

    def _write(self, rejection: Rejection, *, file: str, line: int, row_json: str) -> None:
        head = {"file": file, "line": line, "reason": rejection.reason.value, "detail": rejection.detail}
        stream = self._streams[destination(rejection.reason)]
        stream.write(f'{columns.to_json(head)[:-1]},"row":{row_json}}}\n')

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def draft_batch(rows: Sequence[tuple[RawRow, Preference]]) -> pa.RecordBatch:
    """Rows of `DRAFT_SCHEMA`."""
    raw = [row for row, _ in rows]
    text = columns.text_batch([p for _, p in rows], [row.file for row in raw], [row.line for row in raw])
    row_json = pa.array([columns.to_json(row.values) for row in raw], pa.string())
    return pa.RecordBatch.from_arrays([*text.columns, row_json], schema=DRAFT_SCHEMA)


def read_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The batches of an Arrow file, each read into memory and let go of afterwards."""
    with pa.OSFile(str(path)) as source:
        reader = pa.ipc.open_file(source)
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index)


class DraftPrompts:
    """Prompt texts of the checked preferences, from the file; see `fates.Prompts`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._prompts = pa.ipc.open_file(pa.memory_map(str(path))).read_all().column("prompt")
        self.text = lru_cache(maxsize=4096)(self._text)

    def batches(self, rows: Int64[np.ndarray, " row"]) -> Iterator[list[str]]:
        """Texts of `rows` (ascending)."""
        start = 0
        for batch in read_batches(self._path):
            inside = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + batch.num_rows)]
            yield _texts(batch.column("prompt").take(pa.array(inside - start)).to_pylist())
            start += batch.num_rows

    def _text(self, row: int) -> str:
        return _texts([self._prompts[row].as_py()])[0]


def _texts(prompts: Sequence[str]) -> list[str]:
    return [prompt_text(columns.conversation_from_json(prompt)) for prompt in prompts]
