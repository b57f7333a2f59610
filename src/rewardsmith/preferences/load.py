"""Raw rows from wherever preferences lie: local files, folders, hub data sets, and the built-in set."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from rewardsmith.core.errors import DataError, shorten
from rewardsmith.preferences.lines import MAX_ROW_BYTES, oversize, read_csv, read_json_lines, refuse_unreadable
from rewardsmith.preferences.outcome import RawRow
from rewardsmith.preferences.settings import SourceSettings

BUILTIN_PREFIX = "builtin:"
BUILTIN_FILES = {
    "starter": "starter.jsonl",
    "starter-rankings": "starter_rankings.jsonl",
    "starter-steps": "starter_steps.jsonl",
    "starter-bad": "starter_bad.jsonl",
}
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_GZIP_MAGIC = b"\x1f\x8b"
_PARQUET_MAGIC = b"PAR1"
_BUFFER_BYTES = 1 << 20
_BATCH_ROWS = 256
_MAX_JSON_BYTES = 1 << 30
_HUB_FILES = frozenset({"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"})


def iter_rows(source: SourceSettings) -> Iterator[RawRow]:
    """The rows of a source, one at a time, with file and line (row number where a format has no lines).

    Raises:
        DataError: There is no such source, or a file as a whole cannot be read. A single bad line raises nothing: it
            comes as a row without values.
    """
    if source.path.startswith(BUILTIN_PREFIX):
        yield from _builtin_rows(source.path)
        return
    path = Path(source.path)
    if path.is_dir():
        yield from _folder_rows(path, source)
    elif path.is_file():
        yield from _file_rows(path, path.name, source)
    elif is_hub_id(source.path):
        yield from _hub_rows(source)
    else:
        raise DataError(
            "no such file or folder",
            wanted="a file, a folder, a hub id (owner/name) or builtin:starter",
            where=source.path,
            fix="check the path (it is relative to the current folder)",
        )


def _builtin_rows(name: str) -> Iterator[RawRow]:
    file = BUILTIN_FILES.get(name.removeprefix(BUILTIN_PREFIX))
    if file is None:
        known = ", ".join(BUILTIN_PREFIX + known for known in BUILTIN_FILES)
        raise DataError("no such built-in data set", wanted=f"one of {known}", where=name)
    resource = resources.files("rewardsmith.preferences") / "data" / file
    if not resource.is_file():
        raise DataError(
            "the built-in data set is missing from this installation", where=name, fix="install rewardsmith again"
        )
    with resources.as_file(resource) as path, path.open("rb", buffering=_BUFFER_BYTES) as stream:
        yield from refuse_unreadable(read_json_lines(stream, file), file)


def _folder_rows(folder: Path, source: SourceSettings) -> Iterator[RawRow]:
    if any((folder / name).is_file() for name in ("state.json", "dataset_dict.json")):
        yield from _saved_rows(folder, source)
        return
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and format_of(path) and path.name not in _HUB_FILES and not path.name.startswith(".")
    )
    if not files:
        raise DataError(
            "no data file in the folder",
            wanted=f"{', '.join(SUFFIXES)} (.gz too)",
            where=str(folder),
            fix="name a file",
        )
    for path in files:
        yield from _file_rows(path, path.relative_to(folder).as_posix(), source)


def format_of(path: Path) -> str:
    """The suffix that says how a file is read (`.gz` left out), or an empty string."""
    name = path.name.lower().removesuffix(".gz")
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def _file_rows(path: Path, file: str, source: SourceSettings) -> Iterator[RawRow]:
    suffix = format_of(path)
    if not suffix:
        raise DataError(
            "unknown kind of file",
            wanted=f"{', '.join(SUFFIXES)} (.gz too)",
            got=path.name,
            where=str(path),
            fix="give the file the suffix of its format",
        )
    try:
        if suffix == ".parquet":
            yield from _parquet_rows(path, file)
            return
        with path.open("rb") as raw:
            _refuse_other_content(raw, path)
            yield from refuse_unreadable(_text_rows(_decompressed(raw), file, suffix, source), str(path))
    except OSError as error:
        # A gzip file with a wrong header or checksum comes here too.
        raise DataError("cannot read the file", got=error, where=str(path), fix="copy or download it again") from error
    except (EOFError, zlib.error) as error:
        problem = "the gzip file is cut off" if isinstance(error, EOFError) else "the gzip file is damaged"
        raise DataError(problem, where=str(path), fix="copy or download it again") from error


def _text_rows(stream: BinaryIO, file: str, suffix: str, source: SourceSettings) -> Iterator[RawRow]:
    match suffix:
        case ".csv":
            return read_csv(stream, file, delimiter=",")
        case ".tsv":
            return read_csv(stream, file, delimiter="\t")
        case ".json":
            return _json_rows(stream, file, source)
        case _:
            return read_json_lines(stream, file)


def _decompressed(raw: BinaryIO) -> BinaryIO:
    magic = raw.read(2)
    raw.seek(0)
    stream = gzip.GzipFile(fileobj=raw) if magic == _GZIP_MAGIC else raw
    return io.BufferedReader(cast(io.RawIOBase, stream), _BUFFER_BYTES)


def _refuse_other_content(raw: BinaryIO, path: Path) -> None:
    """Refuse an empty file, and one that holds a NUL byte early on: no text does."""
    start = raw.read(4096)
    raw.seek(0)
    if not start:
        raise DataError("the file is empty", where=str(path), fix="name a file with at least one row")
    if start.startswith(_GZIP_MAGIC):
        start = zlib.decompressobj(wbits=31).decompress(start, 4096)
    elif path.suffix.lower() == ".gz":
        raise DataError("not a gzip file", where=str(path), fix="remove .gz from its name if it is not compressed")
    if b"\x00" in start:
        parquet = start.startswith(_PARQUET_MAGIC)
        raise DataError(
            "a binary file" if not start.startswith((b"\xff\xfe", b"\xfe\xff")) else "a UTF-16 file",
            wanted="UTF-8 text",
            where=str(path),
            fix="name it .parquet" if parquet else "save it as UTF-8, or give it the suffix of its format",
        )


def _json_rows(stream: BinaryIO, file: str, source: SourceSettings) -> Iterator[RawRow]:
    """A JSON array, an object with a list of rows in it, or (many files named .json are) JSON lines."""
    start = cast(io.BufferedReader, stream).peek(_BUFFER_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n")
    first_line, newline, rest = start.partition(b"\n")
    if start.startswith(b"{") and newline and rest.strip() and _is_json(first_line):
        return read_json_lines(stream, file)
    text = stream.read(_MAX_JSON_BYTES + 1)
    if len(text) > _MAX_JSON_BYTES:
        raise DataError(
            f"a JSON file of more than {_MAX_JSON_BYTES >> 30} GiB, which must be read at once",
            where=file,
            fix="write one object a line (.jsonl), which is read in pieces",
        )
    try:
        whole = orjson.loads(text.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        if start.startswith(b"{"):
            return read_json_lines(io.BytesIO(text), file)
        raise DataError("not JSON", got=error, where=file, fix="check that the file is whole") from error
    return _object_rows(_row_list(whole, file, source), file)


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _row_list(whole: Any, file: str, source: SourceSettings) -> list[Any]:
    if isinstance(whole, list):
        return whole
    lists = {key: value for key, value in whole.items() if _is_row_list(value)} if isinstance(whole, dict) else {}
    if len(lists) == 1:
        return next(iter(lists.values()))
    if source.split in lists:
        return lists[source.split]
    if isinstance(whole, dict) and not lists:
        return [whole]
    raise DataError(
        "no list of rows in the JSON file",
        wanted="an array of objects, or an object with one such array",
        got=f"arrays {', '.join(lists)}" if lists else type(whole).__name__,
        where=file,
        fix="name one of the arrays with `split:`" if lists else "write one object a row",
    )


def _is_row_list(value: Any) -> bool:
    """Objects, and not the messages of a file that is a single row."""
    rows = value[:10] if isinstance(value, list) else []
    return bool(rows) and all(isinstance(item, dict) and "role" not in item for item in rows)


def _object_rows(objects: Iterable[Any], file: str, start: int = 1) -> Iterator[RawRow]:
    for number, values in enumerate(objects, start):
        if not isinstance(values, dict):
            yield RawRow(None, file, number, f"the row is a JSON {type(values).__name__}, not an object")
        elif (size := sum(len(value) for value in values.values() if type(value) is str)) > MAX_ROW_BYTES:
            yield RawRow(None, file, number, oversize(size))
        else:
            yield RawRow(values, file, number)


def _parquet_rows(path: Path, file: str) -> Iterator[RawRow]:
    try:
        with pq.ParquetFile(path) as table:
            number = 1
            for batch in table.iter_batches(batch_size=_BATCH_ROWS):
                yield from _object_rows(batch.to_pylist(), file, number)
                number += batch.num_rows
    except pa.ArrowException as error:
        raise DataError("not a Parquet file, or a damaged one", got=error, where=str(path)) from error
    if number == 1:
        raise DataError("the file is empty", where=str(path), fix="name a file with at least one row")


def _saved_rows(folder: Path, source: SourceSettings) -> Iterator[RawRow]:
    """A folder that `datasets` wrote with `save_to_disk`."""
    import datasets

    try:
        saved = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise DataError("a damaged `datasets` folder", got=error, where=str(folder), fix="save it again") from error
    if isinstance(saved, datasets.DatasetDict):
        if source.split not in saved:
            raise DataError(
                f"no split {source.split!r}",
                wanted=f"one of {', '.join(map(str, saved))}",
                where=str(folder),
                fix="name it with `split:`",
            )
        saved = saved[source.split]
    yield from _dataset_rows(saved, folder.name, str(folder))


def _dataset_rows(dataset: Any, file: str, where: str) -> Iterator[RawRow]:
    number = 1
    for table in dataset.with_format("arrow").iter(batch_size=_BATCH_ROWS):
        yield from _object_rows(table.to_pylist(), file, number)
        number += table.num_rows
    if number == 1:
        raise DataError("the data set is empty", where=where, fix="name another split or data set")


def is_hub_id(path: str) -> bool:
    """Whether `path` is read from a hub: it has a hub id's form, and no file or folder of that name is here."""
    return bool(_HUB_ID.fullmatch(path)) and not format_of(Path(path)) and not Path(path).exists()


def load_revision(source: SourceSettings) -> str | None:
    """What changes whenever the files of a data set change; `None` where the hub cannot be reached.

    The hub's commit, or (for a folder) a digest of its files' names and times. No rows are fetched for it.
    """
    import datasets
    from datasets.exceptions import DatasetsError

    try:
        builder = _with_subset(datasets.load_dataset_builder, source)
    except (OSError, ValueError, RuntimeError, DatasetsError):
        return None
    return builder.hash


def _with_subset(load: Callable[..., Any], source: SourceSettings, **options: Any) -> Any:
    try:
        return load(source.path, name=source.subset, **options)
    except ValueError:
        # `subset` is a configuration's name; where there is no such configuration, it is a folder
        # (Anthropic/hh-rlhf has `harmless-base` and others as folders).
        if source.subset is None:
            raise
        return load(source.path, data_dir=source.subset, **options)


def _hub_rows(source: SourceSettings) -> Iterator[RawRow]:
    """A hub data set; streamed, unless the split is an expression (`train[:1%]`), which `datasets` cannot stream."""
    import datasets
    from datasets.exceptions import DatasetsError

    streaming = not re.search(r"[\[+]", source.split)
    try:
        dataset = _with_subset(datasets.load_dataset, source, split=source.split, streaming=streaming)
        file = f"{source.path}:{source.split}"
        if streaming:
            yield from _object_rows(dataset, file)
        else:
            yield from _dataset_rows(dataset, file, source.path)
    except (OSError, ValueError, RuntimeError, pa.ArrowException, DatasetsError) as error:
        raise DataError(
            "neither a local file or folder, nor a hub data set that can be reached",
            got=shorten(f"{type(error).__name__}: {error}", 160),
            where=source.path,
            fix="check the name, `split:` and `subset:`; offline, download the files elsewhere and name their folder",
        ) from error
