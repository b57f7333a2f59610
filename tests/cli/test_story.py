"""The commands one after the other, as a user would type them, with a small real model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

SMALL = ("--set", "data.limit=40", "--set", "data.max_tokens=250", "--set", "data.overlength=truncate")


@pytest.fixture(scope="module")
def base(tiny, tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.save_base(tmp_path_factory.mktemp("base"), "decoder")


def _run(cli: Callable, base: str, out: Path, *more: str):
    return cli("run", "--out", out, "--set", f"model.base={base}", *SMALL, *more)


def test_run_ends_with_a_table_and_the_path_of_the_report(cli: Callable, base: str, tmp_path: Path):
    outcome = _run(cli, base, tmp_path / "out", "--set", "training.epochs=1")
    assert outcome.code == 0, outcome.err
    for text in ("this model", "longer wins", "bag of words", str(tmp_path / "out" / "evaluation" / "report.html")):
        assert text in outcome.out.replace("\n", "")
    assert f"Data card: {tmp_path / 'out' / 'card' / 'card.html'}" in outcome.out
    again = _run(cli, base, tmp_path / "out", "--set", "training.epochs=1", "--json")
    printed = json.loads(again.out)
    assert [stage["reused"] for stage in printed["stages"]] == [True, True, False]
    assert 0 <= printed["evaluation"]["accuracy"]["estimate"]["value"] <= 1


def test_plan_prints_the_cost_and_trains_nothing(cli: Callable, base: str, tmp_path: Path):
    outcome = _run(cli, base, tmp_path / "out", "--plan", "--json")
    assert outcome.code == 0, outcome.err
    plan = json.loads(outcome.out)
    assert plan["optimiser_steps"] > 0
    assert plan["seconds"] > 0
    assert not (tmp_path / "out" / "model").exists()
    table = _run(cli, base, tmp_path / "out", "--plan").out
    assert f"{plan['distinct_tokens']:,} distinct" in table


def test_plan_of_an_ensemble_is_of_all_members_and_no_other_family_is_planned(cli: Callable, base: str, tmp_path: Path):
    out = tmp_path / "out"
    one = json.loads(_run(cli, base, out, "--plan", "--json").out)
    three = json.loads(_run(cli, base, out, "--plan", "--json", "--set", "ensemble.members=3").out)
    assert three["optimiser_steps"] == 3 * one["optimiser_steps"]
    assert three["members"] == 3
    assert three["peak_memory_bytes"] == one["peak_memory_bytes"]
    refused = _run(cli, base, tmp_path / "steps", "--plan", "--set", "process={}")
    assert refused.code == 2
    assert "process" in refused.err
    assert not (tmp_path / "steps").exists()


def test_prepare_train_evaluate_describe_step_by_step(cli: Callable, base: str, tmp_path: Path):
    data, model, report, card = (tmp_path / name for name in ("data", "model", "report", "card"))
    prepared = cli("data", "prepare", "--out", data, "--set", f"model.base={base}", *SMALL, "--json")
    counts = json.loads(prepared.out)["counts"]
    written = sum(counts[name] for name in ("kept_train", "kept_heldout", "review", "set_aside", "rejected"))
    assert written == counts["read"]
    assert set(counts["overlap"].values()) == {0}
    trained = cli("train", "--data", data, "--out", model, "--set", f"model.base={base}", *SMALL, "--json")
    assert json.loads(trained.out)["counts"]["pairs"] > 0
    evaluated = cli("evaluate", model, data, "--out", report, "--json")
    assert evaluated.code == 0, evaluated.err
    assert sorted(p.name for p in report.iterdir()) == [
        "manifest.json",
        "report.html",
        "report.json",
        "report.md",
        "scores.jsonl",
    ]
    assert cli("data", "describe", data, "--out", card).code == 0
    assert sorted(p.name for p in card.iterdir()) == ["card.html", "card.json", "card.md"]


def test_any_checkpoint_is_evaluated_on_any_pairs(cli: Callable, tmp_path: Path, tiny, pairs: Path):
    foreign = tmp_path / "foreign"
    tiny.llama().save_pretrained(foreign)
    tiny.decoder_tokenizer().save_pretrained(foreign)
    outcome = cli("evaluate", foreign, pairs, "--json")
    assert outcome.code == 0, outcome.err
    evaluation = json.loads(outcome.out)
    assert evaluation["counts"]["pairs"] == 30
    assert "reason" in evaluation["gap"]


def test_clean_data_are_said_to_be_clean(cli: Callable, pairs: Path):
    assert "every row can be used" in cli("data", "check", pairs).out
    pairs.write_text(pairs.read_text() + "{}\n")
    assert "every row can be used" not in cli("data", "check", pairs).out


def test_an_item_of_a_list_is_set_by_its_number(cli: Callable, pairs: Path):
    checked = cli("data", "check", "none.jsonl", "--set", f"data.sources.0.path={pairs}", "--json")
    assert (checked.code, json.loads(checked.out)["kept"]) == (0, 30)
    refused = cli("data", "check", pairs, "--set", "data.sources.1.path=x")
    assert (refused.code, refused.out) == (2, "")
    assert "the number, from 0, of an item of sources, of which the recipe has 1" in refused.err


def test_an_evaluation_says_how_many_conversations_were_cut(
    cli: Callable, tmp_path: Path, tiny_reward_model: Path, pairs: Path
):
    with pairs.open("a") as stream:
        stream.write(json.dumps({"prompt": "x" * 400, "chosen": "yes", "rejected": "no"}) + "\n")
    outcome = cli("evaluate", tiny_reward_model, pairs, "--out", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert "2 of 62 conversations were too long and were cut to fit" in " ".join(outcome.out.split())
    assert "2 of 62 conversations" in (tmp_path / "out" / "report.md").read_text().partition("\n## ")[0]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"{n}+{n}?", "chosen": f"{2 * n}", "rejected": f"about {n}"} for n in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
