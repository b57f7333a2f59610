"""The steps artefact: counts that add up, a split by group, nothing of the held-out side in training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rewardsmith.core.errors import ArtefactError, DataError, OverlengthError, SettingsError
from rewardsmith.core.store import verify_artefact
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.steps.prepare import prepare_steps
from rewardsmith.preferences.steps.store import load_traces

WORDS = ["river", "stone", "apple", "seven", "green", "window", "letter", "music", "paper", "cloud"]


def row(number: int, **changes: Any) -> dict[str, Any]:
    problem = " ".join([*(WORDS[(number * k + k * k) % 10] for k in range(1, 9)), str(number), f"{number}th {number}"])
    steps = [f"step {k} of {number}" for k in range(3)]
    return {"problem": problem, "steps": steps, "labels": [1, 0, -1], "final_correct": False} | changes


def settings_of(path: Path, **changes: Any) -> DataSettings:
    return DataSettings(sources=(SourceSettings(path=str(path)),), **({"heldout_share": 0.3} | changes))


@pytest.fixture
def write(tmp_path: Path):
    def run(rows: list[Any]) -> Path:
        path = tmp_path / "steps.jsonl"
        path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in rows))
        return path

    return run


def leftovers(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def test_every_row_is_found_again(write, tmp_path):
    repeated, contradicted = row(1), row(2)
    path = write(
        [
            *(row(number) for number in range(40)),
            repeated,
            contradicted | {"labels": [1, 1, 1]},
            row(50, labels=[None] * 3, final_correct=None),
            "not json",
        ]
    )
    out = tmp_path / "out"

    manifest = prepare_steps(settings_of(path), out)

    assert verify_artefact(out, "steps") == manifest
    counts = manifest.counts
    assert counts["rows"] == 44
    assert counts["rejected_rows"] == 2
    assert counts["traces"] == 42
    assert counts["kept_train"] + counts["kept_heldout"] == 39
    assert counts["reasons"] == {
        "unreadable": 1,
        "abstention": 1,
        "exact-duplicate": 1,
        "contradicting-duplicate": 2,
    }
    assert len(leftovers(out, "rejected")) == 2
    assert [each["line"] for each in leftovers(out, "set_aside")] == [41]
    assert [each["line"] for each in leftovers(out, "review")] == [3, 42]
    train, heldout = load_traces(out, "train"), load_traces(out, "heldout")
    assert (len(train), len(heldout)) == (counts["kept_train"], counts["kept_heldout"])
    assert not {each.group for each in train} & {each.group for each in heldout}
    assert {each.steps for each in (*train, *heldout)} == {tuple(row(n)["steps"]) for n in range(40) if n != 2}
    assert all(each.labels == (1, 0, -1) and each.final_correct is False for each in train)
    assert counts["train"] == {
        "traces": len(train),
        "steps": 3 * len(train),
        "good": len(train),
        "neutral": len(train),
        "bad": len(train),
        "unlabelled": 0,
        "final_right": 0,
        "final_wrong": len(train),
    }


def test_the_side_of_a_group_does_not_depend_on_the_rest(write, tmp_path):
    few = prepare_steps(settings_of(write([row(n) for n in range(20)])), tmp_path / "few")
    many = prepare_steps(settings_of(write([row(n) for n in range(40)])), tmp_path / "many")
    assert few.counts["kept_heldout"] < many.counts["kept_heldout"]
    sides = [{each.group for each in load_traces(tmp_path / name, "heldout")} for name in ("few", "many")]
    assert sides[0] <= sides[1]


def test_no_training_problem_repeats_a_heldout_one(write, tmp_path):
    """Each problem stands there thrice under different prompt ids: as it is, in capitals, with one word more."""
    rows = []
    for number in range(30):
        each = row(number)
        long = each["problem"] + " " + " ".join(f"{number}{word}" for word in WORDS)
        for name, problem in (("a", long), ("b", long.upper() + "  ?"), ("c", long + " extra")):
            steps = [f"{name} {text}" for text in each["steps"]]
            rows.append(each | {"problem": problem, "prompt_id": f"{number}{name}", "steps": steps})
    out = tmp_path / "out"

    counts = prepare_steps(settings_of(write(rows)), out).counts

    assert counts["reasons"]["near-heldout-prompt"] > 0
    heldout = {each.prompt[0].content.split()[8] for each in load_traces(out, "heldout")}
    assert heldout
    assert not heldout & {each.prompt[0].content.split()[8] for each in load_traces(out, "train")}
    alone = prepare_steps(settings_of(write(rows), near_duplicate_similarity=None), tmp_path / "alone").counts
    assert 0 < alone["reasons"]["near-heldout-prompt"] < counts["reasons"]["near-heldout-prompt"]


def test_too_long_traces(write, tmp_path, byte_encoder):
    rows = [row(number) for number in range(20)]
    rows[3]["problem"] = "x" * 600
    rows[4]["steps"] = ["y" * 600, "a", "b"]
    path = write(rows)

    def run(policy: str) -> dict[str, Any]:
        settings = settings_of(path, max_tokens=300, overlength=policy)
        return prepare_steps(settings, tmp_path / policy, byte_encoder).counts

    assert run("drop")["reasons"] == {"too-long": 2}
    # The problem can be cut; a step never is.
    assert run("truncate")["reasons"] == {"too-long": 1}
    with pytest.raises(OverlengthError, match=r"trace 'steps:4'.*too long"):
        run("raise")


def test_a_limit_and_equal_sources(write, tmp_path):
    rows = [row(number, source="many" if number < 30 else "few") for number in range(40)]
    path = write(rows)
    counts = prepare_steps(settings_of(path, limit=12), tmp_path / "limit").counts
    assert counts["kept_train"] + counts["kept_heldout"] == 12
    counts = prepare_steps(settings_of(path, balance_sources=True), tmp_path / "even").counts
    assert counts["reasons"] == {"subsampled": 20}


def test_what_cannot_be_done(write, tmp_path):
    path = write([row(1)])
    with pytest.raises(DataError, match=r"all 1 \w+ fall on"):
        prepare_steps(settings_of(path), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(SettingsError, match=r"data.soft_labels.*means nothing for step traces"):
        prepare_steps(settings_of(path, soft_labels=True), tmp_path / "out")
    with pytest.raises(ArtefactError, match="manifest"):
        load_traces(tmp_path, "train")


def test_the_builtin_steps(tmp_path):
    settings = DataSettings(sources=(SourceSettings(path="builtin:starter-steps"),), heldout_share=0.25)
    counts = prepare_steps(settings, tmp_path / "out").counts
    assert counts["rows"] == counts["traces"] == 40
    assert counts["rejected_rows"] == 0
    assert counts["kept_train"] > 0 < counts["kept_heldout"]


@pytest.mark.parametrize(
    ("name", "rows"), [("prm800k-human-steps", 998), ("bigbench-mistake-first-error", 2185), ("prmbench-steps", 5655)]
)
def test_real_steps(shared_data, tmp_path, name, rows):
    path = shared_data / f"{name}.jsonl.gz"
    counts = prepare_steps(settings_of(path, near_duplicate_similarity=None), tmp_path / "out").counts
    assert counts["rows"] == counts["traces"] == rows
    assert counts["rejected_rows"] == 0
    left = sum(counts["reasons"].values())
    assert counts["kept_train"] + counts["kept_heldout"] + left == rows
