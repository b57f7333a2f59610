"""A bad file of each kind: one line that says the way out, an exit code, and nothing half-written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

GOOD = {"prompt": "2+2?", "chosen": "4", "rejected": "5"}


def _lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


BAD_FILES = {
    "not-json.jsonl": (b"chosen: yes\nrejected: no\n" * 20, "JSON"),
    "wrong-columns.jsonl": (_lines(*[{"question": "a", "good": "b", "bad": "c"}] * 20), "columns"),
    "binary.jsonl": (bytes(range(256)) * 40, "binary"),
    "empty.jsonl": (b"", "empty"),
    "mixed.jsonl": (_lines(*[GOOD, {"problem": "1+1", "steps": ["2"], "labels": [1]}] * 20), "layout"),
    "cut.jsonl.gz": (gzip.compress(_lines(*[GOOD] * 2000))[:-20], "cut off"),
    "letters.docx": (b"PK\x03\x04", "unknown kind of file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("command", ["check", "prepare", "run"])
def test_a_bad_file_is_one_line_with_the_way_out(cli: Callable, tmp_path: Path, name: str, command: str):
    content, expected = BAD_FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    out = tmp_path / "out"
    match command:
        case "check":
            outcome = cli("data", "check", path)
        case "prepare":
            outcome = cli("data", "prepare", "--data", path, "--out", out)
        case _:
            outcome = cli("run", "--data", path, "--out", out)
    assert outcome.code == 3
    assert outcome.err.count("\n") == 1
    assert expected in outcome.err
    assert name in outcome.err
    assert "fix: " in outcome.err
    assert not list(out.glob("**/*")) if out.exists() else True


def test_one_row_of_50_mb_is_set_aside_and_the_rest_is_read(cli: Callable, tmp_path: Path):
    path = tmp_path / "huge.jsonl"
    huge = {"prompt": "x", "chosen": "y" * 50_000_000, "rejected": "z"}
    path.write_bytes(_lines(*[GOOD | {"prompt": f"{n}+{n}?"} for n in range(9)], huge))
    outcome = cli("data", "check", path, "--json")
    assert outcome.code == 0
    report = json.loads(outcome.out)
    assert (report["read"], report["kept"], report["reasons"]) == (10, 9, {"unreadable": 1})
    assert report["examples"][0]["where"] == "huge.jsonl:10"


def test_a_missing_file_is_named(cli: Callable, tmp_path: Path):
    outcome = cli("data", "check", tmp_path / "none.jsonl")
    assert outcome.code == 3
    assert "no such file" in outcome.err


def test_an_unknown_recipe_key_names_the_nearest_one(cli: Callable, tmp_path: Path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("training:\n  learning_rat: 1e-5\n")
    outcome = cli("run", recipe, "--out", tmp_path / "out")
    assert outcome.code == 2
    assert "did you mean 'learning_rate'?" in outcome.err
    assert str(recipe) in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("assignment", ["training.epoch=3", "epochs", "training.epochs=many"])
def test_a_bad_override_is_refused(cli: Callable, tmp_path: Path, assignment: str):
    outcome = cli("run", "--set", assignment, "--out", tmp_path / "out")
    assert outcome.code == 2
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(cli: Callable, tmp_path: Path):
    out = tmp_path / "thesis"
    (out / "data").mkdir(parents=True)
    (out / "data" / "chapter.txt").write_text("years of work")
    outcome = cli("run", "--out", out)
    assert outcome.code == 5
    assert "holds something else" in outcome.err
    assert [p.name for p in out.rglob("*.*")] == ["chapter.txt"]


def test_a_model_folder_without_a_head_is_refused(cli: Callable, tmp_path: Path, tiny):
    tiny.save_base(tmp_path / "base", "decoder")
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(_lines({"prompt": "2+2?", "response": "4"}))
    for command in (("score", tmp_path / "base", rows), ("evaluate", tmp_path / "base", rows)):
        outcome = cli(*command)
        assert outcome.code != 0
        assert outcome.err.count("\n") == 1
    assert "not a reward model" in cli("score", tmp_path / "base", rows).err


def test_a_bad_row_to_score_is_named_and_no_file_is_written(cli: Callable, tmp_path: Path, tiny_reward_model: Path):
    rows, out = tmp_path / "rows.jsonl", tmp_path / "scores.jsonl"
    rows.write_bytes(_lines({"prompt": "2+2?", "response": "4"}, {"prompt": "2+2?"}))
    outcome = cli("score", tiny_reward_model, rows, "--out", out)
    assert outcome.code == 3
    assert "rows.jsonl:2: nothing to score" in outcome.err
    assert cli("score", tiny_reward_model, rows).out.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rows.jsonl"]
