"""From votes to a reward model in three commands, and the report on the votes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from tests.annotate.quality.made import task, vote

from rewardsmith.annotate.answers import PairAnswer, Side
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import LabelStore, open_store
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.to_preferences import label_rows
from rewardsmith.annotate.votes import NewVote
from rewardsmith.core.conversation import assistant, user
from rewardsmith.pipeline.annotate.export import write_rows

ROWS = 120
RATERS = ("ada", "ben", "cem")
SMALL = ("--set", "data.max_tokens=250", "--set", "data.overlength=truncate", "--set", "data.heldout_share=0.45")


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with built-in pairs as tasks, each second one turned round, and the votes of three of their raters."""
    path = tmp_path_factory.mktemp("labels") / "labels.db"
    rows = _starter()
    store = open_store(str(path))
    store.create_project(ProjectSettings(name="tea", kind="pair", overlap=3, guidelines="Which is better?"))
    store.add_tasks("tea", [_task(place, row) for place, row in enumerate(rows)])
    by_id = {row["id"]: (place, row) for place, row in enumerate(rows)}
    for name in RATERS:
        _vote_on_all(store, name, by_id)
    store.close()
    return path


def _starter() -> list[dict[str, Any]]:
    text = files("rewardsmith.preferences").joinpath("data/starter.jsonl").read_bytes()
    rows = [orjson.loads(line) for line in text.splitlines()]
    return [row for row in rows if isinstance(row["prompt"], str) and len(row["votes"]) == 5][:ROWS]


def _said(row: Mapping[str, Any]) -> list[str]:
    """The votes of our raters."""
    return [row["votes"][row["raters"].index(name)] for name in RATERS]


def _task(place: int, row: Mapping[str, Any]) -> Task:
    sides = ((assistant(row["chosen"]),), (assistant(row["rejected"]),))
    return Task(
        id=row["id"],
        kind="pair",
        prompt=(user(row["prompt"]),),
        responses=sides[::-1] if place % 2 else sides,
        source="starter",
        group=row["prompt_id"],
    )


def _vote_on_all(store: LabelStore, name: str, rows: Mapping[str, tuple[int, Mapping[str, Any]]]) -> None:
    rater = store.add_rater("tea", name)
    while (offer := store.next_task("tea", rater.id)) is not None:
        place, row = rows[offer.task.id]
        said = _said(row)[RATERS.index(name)]
        sides: tuple[Side, Side] = ("second", "first") if place % 2 else ("first", "second")
        answer = PairAnswer({"chosen": sides[0], "rejected": sides[1], "tie": "tie"}[said])
        store.cast("tea", NewVote(str(uuid.uuid4()), offer.task.id, rater.id, answer, seconds=8.0))


def test_export_check_and_train_in_three_commands(cli: Callable, tiny, labels: Path, tmp_path: Path):
    file, base = tmp_path / "labels.jsonl", tiny.save_base(tmp_path / "base", "decoder")

    exported = cli("annotate", "export", "tea", "--db", labels, "--out", file, "--json")
    checked = cli("data", "check", file, "--json")
    trained = cli(
        "run", "--data", file, "--out", tmp_path / "run", "--set", f"model.base={base}", *SMALL,
        "--set", "training.epochs=1", "--json",
    )  # fmt: skip

    assert [each.code for each in (exported, checked, trained)] == [0, 0, 0], exported.err + checked.err + trained.err
    assert json.loads(exported.out)["tasks"]["labelled"] == ROWS
    assert json.loads(checked.out)["read"] == ROWS
    written = {row["id"]: row for row in map(json.loads, file.read_text("utf-8").splitlines())}
    for row in _starter():
        said, same = _said(row), written[row["id"]]
        share = (said.count("chosen") + said.count("tie") / 2) / len(RATERS)
        if same["label"] == "chosen":
            kept = same["chosen"][0]["content"] == row["chosen"]
            assert same["prob_chosen"] == pytest.approx(share if kept else 1 - share)
            assert same["votes"].count("chosen") == said.count("chosen" if kept else "rejected")
    # The report holds margins against the raters' agreement, over the held-out pairs that carry votes.
    shown = json.loads(trained.out)["evaluation"]["disagreement"]
    assert shown["correlation"]["n"] >= 20
    assert [part["low"] for part in shown["bins"]] == sorted(part["low"] for part in shown["bins"])
    assert len(shown["bins"]) >= 2
    assert "disagreement" in (tmp_path / "run" / "evaluation" / "report.html").read_text("utf-8").lower()


def test_the_report_is_tables_json_and_a_page(cli: Callable, labels: Path, tmp_path: Path):
    out = tmp_path / "quality"

    shown = cli("annotate", "report", "tea", "--db", labels, "--out", out)
    printed = json.loads(cli("annotate", "report", "tea", "--db", labels, "--json").out)

    assert shown.code == 0, shown.err
    for text in ("Agreement of humans", "Krippendorff", "ada", "cem", "report.html"):
        assert text in shown.out
    assert printed["counts"]["votes"] == 3 * ROWS
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "report.html", "report.json", "report.md"]
    assert json.loads((out / "report.json").read_text("utf-8"))["agreement"] == printed["agreement"]
    assert cli("annotate", "report", "tea", "--db", labels, "--out", out).code == 0  # replaced


def test_methods_say_what_they_think_of_raters(cli: Callable, labels: Path, tmp_path: Path):
    file = tmp_path / "labels.jsonl.gz"

    printed = json.loads(
        cli("annotate", "export", "tea", "--db", labels, "--out", file, "--method", "dawid-skene", "--json").out
    )

    assert len(printed["raters"]) == 3
    assert all(0.4 < weight < 1 for weight in printed["raters"].values())
    first = file.read_bytes()
    cli("annotate", "export", "tea", "--db", labels, "--out", file, "--method", "dawid-skene")
    assert file.read_bytes() == first  # the same labels are the same bytes
    assert cli("data", "check", file).code == 0


def test_everything_goes_out_too(cli: Callable, labels: Path, tmp_path: Path):
    file = tmp_path / "all.jsonl"

    assert cli("annotate", "export", "tea", "--db", labels, "--out", file, "--to", "all").code == 0
    assert file.stat().st_size > 0
    refused = cli("annotate", "export", "tea", "--db", labels, "--out", file, "--to", "all", "--judges")
    assert refused.code == 2
    assert "--to all" in refused.err


def test_an_unknown_project_is_one_line(cli: Callable, labels: Path):
    outcome = cli("annotate", "report", "coffee", "--db", labels)

    assert outcome.code != 0
    assert "coffee" in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_model_of_soft_labels_is_less_sure_where_raters_differ(cli: Callable, tiny, tmp_path: Path):
    # How many of six words are `yes` is what raters see, and the difference decides how often they say so.
    rng = np.random.default_rng(0)
    tasks, votes = {}, []
    for number in range(150):
        one, other = rng.choice(7, size=2, replace=False).tolist()
        texts = (rng.permutation(["yes"] * count + ["no"] * (6 - count)) for count in (one, other))
        tasks[f"t{number}"] = task(f"t{number}", responses=[" ".join(words) for words in texts], group=f"g{number}")
        chance = 1 / (1 + np.exp(-0.6 * (one - other)))
        for rater in range(5):
            votes.append(vote(f"t{number}", f"r{rater}", "first" if rng.random() < chance else "second", time=number))
    file, base = tmp_path / "labels.jsonl", tiny.save_base(tmp_path / "base", "decoder")
    write_rows(label_rows(votes, tasks).rows, file)

    trained = cli(
        "run", "--data", file, "--out", tmp_path / "run", "--set", f"model.base={base}",
        "--set", "data.heldout_share=0.4", "--set", "data.near_duplicate_similarity=null",
        "--set", "training.epochs=12", "--set", "training.learning_rate=0.005", "--json",
    )  # fmt: skip

    assert trained.code == 0, trained.err
    shown = json.loads(trained.out)["evaluation"]["disagreement"]
    margins = [part["margin"]["value"] for part in shown["bins"]]
    assert shown["correlation"]["low"] > 0
    assert margins == sorted(margins)
