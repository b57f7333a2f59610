"""Rows from files, folders, data sets."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rewardsmith.core.errors import DataError
from rewardsmith.preferences.load import BUILTIN_FILES, iter_rows
from rewardsmith.preferences.settings import SourceSettings

ROWS = [
    {"prompt": "q", "chosen": [{"role": "assistant", "content": "a"}], "rejected": [], "margin": 0.5},
    {"prompt": "r", "chosen": [], "rejected": [], "margin": None},
    {"prompt": "ß\n\x85", "chosen": [], "rejected": [], "margin": 2.0},
]
LINES = "\n".join(json.dumps(row) for row in ROWS) + "\n"


def values(path: Path | str, **settings) -> list[dict | None]:
    return [row.values for row in iter_rows(SourceSettings(path=str(path), **settings))]


def error(path: Path | str, **settings) -> str:
    with pytest.raises(DataError) as caught:
        values(path, **settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["f.jsonl", "f.JSONL", "f.ndjson", "f.json"])
@pytest.mark.parametrize("packed", [False, True])
def test_json_lines(tmp_path: Path, name: str, packed: bool) -> None:
    path = tmp_path / (name + ".gz" * packed)
    path.write_bytes(gzip.compress(LINES.encode()) if packed else LINES.encode())
    assert values(path) == ROWS
    rows = list(iter_rows(SourceSettings(path=str(path))))
    assert [(row.file, row.line) for row in rows] == [(path.name, 1), (path.name, 2), (path.name, 3)]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("whole", [ROWS, {"version": "1", "data": ROWS}, {"train": ROWS, "test": ROWS[:1]}])
def test_json(tmp_path: Path, whole: object, indent: int | None) -> None:
    path = tmp_path / "f.json"
    path.write_text(json.dumps(whole, indent=indent))
    assert values(path) == ROWS


def test_json_with_several_lists_needs_a_split(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text(json.dumps({"good": ROWS, "bad": ROWS[:1]}))
    assert "arrays good, bad" in error(path)
    assert values(path, split="bad") == ROWS[:1]


def test_json_of_a_single_row_with_messages(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text(json.dumps(ROWS[0]))
    assert values(path) == ROWS[:1]


def test_csv_and_tsv(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text('prompt,chosen,rejected\nq,"a, b",c\n')
    (tmp_path / "f.tsv").write_text("prompt\tchosen\trejected\nq\ta, b\tc\n")
    assert (
        values(tmp_path / "f.csv") == values(tmp_path / "f.tsv") == [{"prompt": "q", "chosen": "a, b", "rejected": "c"}]
    )


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    rows = [{"prompt": str(n), "responses": ["a", "b"]} for n in range(700)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=100)
    assert values(path) == rows
    assert [row.line for row in iter_rows(SourceSettings(path=str(path)))] == list(range(1, 701))


def test_saved_data_sets(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"prompt": str(n), "chosen": "a", "rejected": "b"} for n in range(5)]
    data = datasets.Dataset.from_list(rows)
    data.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": data, "test": data.select([0])}).save_to_disk(tmp_path / "several")
    assert values(tmp_path / "one") == rows
    assert values(tmp_path / "several") == rows
    assert values(tmp_path / "several", split="test") == rows[:1]
    assert "wanted one of train, test" in error(tmp_path / "several", split="validation")


def test_a_folder_of_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "z.jsonl").write_text('{"n": 2}\n')
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"n": 1}\n'))
    (tmp_path / "README.md").write_text("no data")
    (tmp_path / "dataset_infos.json").write_text("{}")
    rows = list(iter_rows(SourceSettings(path=str(tmp_path))))
    assert [(row.file, row.values) for row in rows] == [("a.jsonl.gz", {"n": 1}), ("b/z.jsonl", {"n": 2})]


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "no data file in the folder" in error(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("f.jsonl", b"", "the file is empty"),
        ("f.jsonl", b"\n \n", "the file is empty"),
        ("f.csv", b"a,b\n", "the file is empty"),
        ("f.json", b"[]", "the file is empty"),
        ("f.jsonl", b"prompt,chosen\nq,a\n", "none of the first 2 line(s) could be read"),
        ("f.jsonl", b"\x89PNG\x00\x00", "a binary file"),
        ("f.jsonl", "{}".encode("utf-16"), "a UTF-16 file"),
        ("f.jsonl", b"PAR1\x15\x00", "name it .parquet"),
        ("f.jsonl.gz", b"{}", "not a gzip file"),
        ("f.jsonl.gz", gzip.compress(bytes(range(256)) * 50)[:-40], "a binary file"),
        ("f.jsonl.gz", gzip.compress(LINES.encode())[:-12], "the gzip file is cut off"),
        ("f.jsonl.gz", b"\x1f\x8b" + b"broken" * 20, "the gzip file is damaged"),
        ("f.json", b"[{}, {", "not JSON"),
        ("f.json", b"3", "no list of rows"),
        ("f.parquet", b"not parquet", "not a Parquet file"),
        ("f.xlsx", b"PK", "unknown kind of file"),
    ],
)
def test_bad_files_say_what_is_wrong_in_one_line(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = error(path)
    assert problem in message
    assert name in message


def test_a_bad_line_is_a_row_without_values(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"a": 1}\n{"a":\n{"a": 3}\n')
    assert values(path) == [{"a": 1}, None, {"a": 3}]


def test_a_long_file_that_is_cut_off_is_never_taken_for_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl.gz"
    lines = "\n".join(json.dumps({"a": f"{n * 7919 % 10007}-{n}"}) for n in range(20_000))
    path.write_bytes(gzip.compress(lines.encode())[:-1000])
    assert "the gzip file is cut off" in error(path)


def test_no_such_file(tmp_path: Path) -> None:
    assert "no such file or folder" in error(tmp_path / "nothing" / "f.jsonl")
    assert "no such file or folder" in error("data/f.jsonl")


def test_a_hub_id_offline_says_the_way_out() -> None:
    message = error("nobody/nothing-here")
    assert message.startswith("nobody/nothing-here: neither a local file or folder, nor a hub data set")
    assert "download the files elsewhere" in message


def test_built_in_sets() -> None:
    assert "wanted one of builtin:starter, " in error("builtin:other")


@pytest.mark.parametrize("name", BUILTIN_FILES)
def test_built_in_rows(name: str) -> None:
    rows = list(iter_rows(SourceSettings(path=f"builtin:{name}")))
    assert [row.line for row in rows] == list(range(1, len(rows) + 1))
    bad = [row for row in rows if row.values is None]
    assert bool(bad) == (name == "starter-bad")
