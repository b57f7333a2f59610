"""A whole round on a small real model, interrupted anywhere."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.optimise.trl.policies import save_policy
from tests.refresh.loop import (
    inputs,
    prompt_of,
    small_settings,
    toy_recipe,
    write_incumbent,
    write_labels,
    write_pairs,
    write_traffic,
)

from rewardsmith.core.errors import ArtefactError, DataError, SettingsError
from rewardsmith.core.store import read_manifest, verify_artefact
from rewardsmith.models.load import load_checkpoint
from rewardsmith.pipeline.refresh import RefreshResult, refresh
from rewardsmith.pipeline.refresh_learn import FileLabels, load_labels
from rewardsmith.pipeline.refresh_round import RoundInputs
from rewardsmith.preferences.store import load_table
from rewardsmith.refresh.settings import RefreshSettings
from rewardsmith.refresh.store import read_journal
from rewardsmith.scoring.load import load_scorer
from rewardsmith.training.recipe import recipe_yaml

ROOT = Path(__file__).parents[2]
STEPS = ("round", "candidates", "drift", "to_label", "labels", "mixture", "model", "promotion", "pointer", "journal")
KINDS = {
    "round": "refresh-round", "candidates": "samples", "drift": "drift", "to_label": "to-label", "labels": "labels",
    "mixture": "refresh-mixture", "data": "preferences", "model": "reward-model", "comparison": "comparison",
    "promotion": "promotion",
}  # fmt: skip
# The rule of a toy: a handful of held-out pairs says little.
EASY = {"promote": {"most_loss": 1.0}}


@pytest.fixture(scope="module")
def incumbent(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_incumbent(tmp_path_factory.mktemp("first"), tiny)


@pytest.fixture(scope="module")
def traffic(incumbent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_traffic(tmp_path_factory.mktemp("log"), incumbent, prompts=range(100, 160))


@pytest.fixture(scope="module")
def finished(incumbent: Path, traffic: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RefreshResult]:
    """Labels, and the round that they ended."""
    folder = tmp_path_factory.mktemp("finished")
    waiting = refresh(inputs(incumbent, traffic), folder / "round", settings=small_settings(**EASY))
    assert waiting.state == "waiting"
    assert waiting.decision is None
    labels = write_labels(waiting.to_label, folder / "labels.jsonl")
    return labels, refresh(RoundInputs(), folder / "round", labels=FileLabels(str(labels)))


def test_every_step_leaves_an_artefact_and_the_model_takes_over(finished: tuple[Path, RefreshResult], incumbent: Path):
    _, result = finished
    for name, kind in KINDS.items():
        verify_artefact(result.folder / name, kind)
    assert sorted(each.name for each in result.folder.iterdir()) == sorted(KINDS)
    assert result.state == "promoted"
    assert result.pointer.resolve() == result.folder / "model"
    (entry,) = read_journal(result.folder.parent / "journal.jsonl")
    assert (entry["decision"], entry["incumbent"]) == ("promoted", str(incumbent))
    assert load_scorer(result.pointer).score([(*prompt_of(0), *prompt_of(1))]).rewards.shape == (1,)


def test_the_file_to_label_says_what_and_why(finished: tuple[Path, RefreshResult]):
    _, result = finished
    rows = [json.loads(line) for line in result.to_label.read_text().splitlines()]
    assert len(rows) == len({row["id"] for row in rows}) == 30
    assert len({row["prompt_id"] for row in rows}) == 30
    assert all(row["why"].endswith(".") and row["label"] == "abstain" for row in rows)
    assert [place for place, row in enumerate(rows) if row["chosen_by"] == "by lot"] == [5, 15, 25]
    assert [row["priority"] for row in rows] == list(range(29, -1, -1))
    mixed = [row["acquisition"] for row in rows if row["chosen_by"] == "mixed"]
    assert mixed[:5] == sorted(mixed[:5], reverse=True)


def test_old_and_new_labels_are_mixed_and_keep_their_sides(finished: tuple[Path, RefreshResult], incumbent: Path):
    _, result = finished
    counts = read_manifest(result.folder / "mixture", "refresh-mixture").counts
    assert counts["new_train"] + counts["new_heldout"] == 30
    assert counts["old_train"] == counts["new_train"]
    assert counts["replay_share"] == 0.5
    before, after = (load_table(folder, "heldout") for folder in (incumbent.parent / "data", result.folder / "data"))
    assert set(before.ids) <= set(after.ids)
    assert not set(load_table(incumbent.parent / "data", "heldout").groups) & set(
        load_table(result.folder / "data", "train").groups
    )
    assert len(load_table(result.folder / "data", "train")) == counts["old_train"] + counts["new_train"]


def test_training_goes_on_from_the_incumbents_head(finished: tuple[Path, RefreshResult], incumbent: Path):
    _, result = finished
    config = read_manifest(result.folder / "model", "reward-model").config
    assert config["model"]["base"] == str(incumbent)
    assert config["model"]["keep_head"] is True
    old, new = (load_checkpoint(folder).model.output_layer.weight for folder in (incumbent, result.folder / "model"))
    # A few steps at 2e-5: near, and not the same. A new head would be elsewhere.
    assert 0 < float((old - new).abs().max()) < 1e-3


def test_a_round_that_is_over_stays_as_it_is(finished: tuple[Path, RefreshResult], tmp_path: Path):
    labels, result = finished
    before = (result.folder / "model" / "model.safetensors").stat().st_mtime_ns
    again = refresh(RoundInputs(), result.folder, labels=FileLabels(str(labels)))
    assert again.to_dict() == result.to_dict()
    assert (result.folder / "model" / "model.safetensors").stat().st_mtime_ns == before
    assert len(read_journal(result.folder.parent / "journal.jsonl")) == 1
    with pytest.raises(ArtefactError, match="the round is over"):
        refresh(RoundInputs(), result.folder, labels=FileLabels(str(write_pairs(tmp_path / "p.jsonl", range(3)))))
    with pytest.raises(SettingsError, match="another choose"):
        refresh(RoundInputs(), result.folder, settings=RefreshSettings())
    with pytest.raises(SettingsError, match="another incumbent"):
        refresh(RoundInputs(incumbent="other"), result.folder)


def test_the_next_round_begins_at_the_pointer_with_the_last_rounds_data(
    finished: tuple[Path, RefreshResult], traffic: Path, tmp_path: Path
):
    _, result = finished
    out = tmp_path / "second"
    found = refresh(
        RoundInputs(incumbent=str(result.pointer), traffic=str(traffic)), out, settings=small_settings(),
        pointer=tmp_path / "current",
    )  # fmt: skip
    assert found.state == "waiting"
    values = json.loads((out / "round" / "round.json").read_text())
    assert values["incumbent"] == str(result.folder / "model")
    # What was served by other weights is scored anew.
    assert found.counts["candidates"]["of_other_weights"] == found.counts["candidates"]["rows"]
    assert found.counts["drift"]["reference"] > 0


def test_too_little_evidence_keeps_the_incumbent(incumbent: Path, traffic: Path, tmp_path: Path):
    settings = small_settings(promote={"rule": "better"}, choose={"pairs": 8, "by": "margin"})
    gold = load_labels(None, f"model={incumbent}")
    result = refresh(inputs(incumbent, traffic), tmp_path / "round", settings=settings, labels=gold)
    assert result.state == "kept"
    assert not result.pointer.exists()
    assert read_journal(tmp_path / "journal.jsonl")[0]["decision"] == "kept"
    # A gold that is the incumbent agrees with it.
    said = json.loads((tmp_path / "round" / "labels" / "labels.json").read_text())
    assert said["accuracy_on_chosen"]["value"] == 1.0


def test_somebody_elses_promotion_is_not_undone(incumbent: Path, traffic: Path, tmp_path: Path):
    out = tmp_path / "round"
    waiting = refresh(inputs(incumbent, traffic), out, settings=small_settings(**EASY))
    labels = FileLabels(str(write_labels(waiting.to_label, tmp_path / "labels.jsonl")))
    other = tmp_path / "other"
    other.mkdir()
    waiting.pointer.symlink_to(other)
    with pytest.raises(ArtefactError, match="another model is in use"):
        refresh(RoundInputs(), out, labels=labels)
    assert waiting.pointer.resolve() == other
    waiting.pointer.unlink()
    assert refresh(RoundInputs(), out).pointer.resolve() == out / "model"


def test_while_labels_are_awaited_the_questions_stay_and_the_rest_may_change(
    incumbent: Path, traffic: Path, tmp_path: Path
):
    out = tmp_path / "round"
    settings = small_settings()
    waiting = refresh(inputs(incumbent, traffic), out, settings=settings)
    before = waiting.to_label.stat().st_mtime_ns
    refresh(RoundInputs(), out, settings=settings.model_copy(update={"replay_share": 0.25}))
    assert waiting.to_label.stat().st_mtime_ns == before
    assert json.loads((out / "round" / "round.json").read_text())["settings"]["replay_share"] == 0.25
    with pytest.raises(SettingsError, match="another replay"):
        refresh(RoundInputs(replay="other"), out)
    with pytest.raises(DataError, match="no label came back"):
        # The file as it went out: nobody has judged anything.
        refresh(RoundInputs(), out, labels=FileLabels(str(waiting.to_label)))


def test_a_policy_writes_second_responses_and_answers_prompts(tiny: Any, incumbent: Path, tmp_path: Path):
    policy = str(save_policy(tiny, tmp_path / "policy"))
    log = write_traffic(tmp_path / "log", incumbent, prompts=range(100, 106), answers=1)
    settings = small_settings(sample={"max_new_tokens": 6})
    with pytest.raises(DataError, match="no prompt has two"):
        refresh(inputs(incumbent, log), tmp_path / "alone", settings=settings)
    named = RoundInputs(incumbent=str(incumbent), traffic=str(log), policy=policy)
    counts = refresh(named, tmp_path / "second", settings=settings).counts
    assert (counts["candidates"]["written"], counts["to_label"]["asked"]) == (6, 6)
    prompts = write_pairs(tmp_path / "prompts.jsonl", range(5))
    named = RoundInputs(incumbent=str(incumbent), prompts=str(prompts), policy=policy)
    counts = refresh(named, tmp_path / "sampled", settings=settings).counts
    assert (counts["candidates"]["prompts"], counts["candidates"]["responses"]) == (5, 10)


def test_an_ensemble_disagrees_and_starts_from_its_base(tiny: Any, tmp_path: Path):
    more = ("ensemble.members=2", "ensemble.by=seed")
    model = write_incumbent(tmp_path / "first", tiny, pairs=24, more=more)
    log = write_traffic(tmp_path / "log", model, prompts=range(100, 112))
    settings = small_settings(choose={"pairs": 10, "by": "disagreement"}, replay_share="all")
    waiting = refresh(inputs(model, log), tmp_path / "round", settings=settings)
    assert waiting.counts["to_label"]["by"] == {"by lot": 1, "disagreement": 9}
    labels = FileLabels(str(write_labels(waiting.to_label, tmp_path / "labels.jsonl")))
    result = refresh(RoundInputs(), tmp_path / "round", labels=labels)
    config = read_manifest(result.folder / "model", "reward-model").config
    assert config["model"]["base"] == str(tmp_path / "first" / "base")
    assert config["ensemble"]["members"] == 2
    wrong = settings.model_copy(update={"start": "incumbent"})
    with pytest.raises(SettingsError, match="cannot start"):
        refresh(inputs(model, log), tmp_path / "other", settings=wrong)


def test_what_is_missing_or_too_much_is_named(incumbent: Path, traffic: Path, tmp_path: Path):
    cases = {
        "no incumbent": RoundInputs(traffic=str(traffic)),
        "from one place": RoundInputs(incumbent=str(incumbent)),
        "nobody answers": RoundInputs(incumbent=str(incumbent), prompts="p.jsonl"),
        "cannot be retrained": RoundInputs(incumbent="http://127.0.0.1:9", traffic=str(traffic)),
    }
    for number, (said, named) in enumerate(cases.items()):
        with pytest.raises(SettingsError, match=said):
            refresh(named, tmp_path / str(number))
    foreign = shutil.copytree(incumbent, tmp_path / "foreign")
    (foreign / "manifest.json").unlink()
    with pytest.raises(SettingsError, match="how this incumbent was trained"):
        refresh(inputs(foreign, traffic), tmp_path / "round")
    (tmp_path / "current").mkdir()
    with pytest.raises(ArtefactError, match="no link"):
        refresh(inputs(incumbent, traffic), tmp_path / "round")


def test_a_recipe_and_old_labels_may_be_named_for_a_model_of_another_tool(
    incumbent: Path, traffic: Path, tmp_path: Path
):
    foreign = shutil.copytree(incumbent, tmp_path / "foreign")
    (foreign / "manifest.json").unlink()
    old = write_pairs(tmp_path / "old.jsonl", range(40))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(recipe_yaml(toy_recipe(str(incumbent.parent / "base"), old)))
    named = RoundInputs(incumbent=str(foreign), traffic=str(traffic), recipe=str(recipe), replay=str(old))
    gold = load_labels(None, f"model={incumbent}")
    result = refresh(named, tmp_path / "round", settings=small_settings(), labels=gold)
    assert result.decision is not None
    assert result.counts["mixture"]["old"] == str(old)
    assert result.counts["mixture"]["old_heldout"] > 0
    with pytest.raises(SettingsError, match="two places"):
        load_labels("a", "model=b")
    with pytest.raises(SettingsError, match="no such gold"):
        load_labels(None, "taste=b")


class Server:
    """Rounds in processes of their own."""

    def __init__(self, process: subprocess.Popen) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._write, self._read = process.stdin, process.stdout

    def start(self, *parts: object) -> int:
        self._write.write((" ".join(map(str, parts)) + "\n").encode())
        return int(self._read.readline())

    def wait(self) -> int:
        return int(self._read.readline())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "tests.refresh.kill_server"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
    with (tmp_path / "stderr").open("w") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, cwd=ROOT, stderr=log, env=environment, **pipes) as process:
            yield Server(process)
            assert process.stdin is not None
            process.stdin.close()


def left(out: Path) -> dict[str, Any]:
    """What does not depend on where the round lies."""
    kept = {name: read_manifest(out / name, KINDS[name]).digest for name in ("to_label", "labels", "mixture", "drift")}
    files = ("model/model.safetensors", "comparison/comparison.json", "promotion/decision.json")
    return kept | {name: (out / name).read_bytes() for name in files}


@pytest.fixture
def asked(incumbent: Path, traffic: Path, tmp_path: Path) -> Path:
    waiting = refresh(inputs(incumbent, traffic), tmp_path / "asked", settings=small_settings())
    return write_labels(waiting.to_label, tmp_path / "labels.jsonl")


@pytest.mark.slow
def test_killed_at_each_step_it_ends_with_the_same_artefacts(
    server: Server, asked: Path, incumbent: Path, traffic: Path, tmp_path: Path
):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole, cut = tmp_path / "whole" / "round", tmp_path / "cut" / "round"
    server.start(incumbent, traffic, asked, whole, "-")
    assert server.wait() == 0
    promoted = json.loads((whole / "promotion" / "decision.json").read_text())["promoted"]
    for step in STEPS:
        server.start(incumbent, traffic, asked, cut, step)
        killed = step != "pointer" or promoted
        assert server.wait() == (-signal.SIGKILL if killed else 0), step
    server.start(incumbent, traffic, asked, cut, "-")
    assert server.wait() == 0
    assert left(cut) == left(whole)
    assert sorted(each.name for each in cut.iterdir()) == sorted(each.name for each in whole.iterdir()) == sorted(KINDS)
    assert len(read_journal(cut.parent / "journal.jsonl")) == 1
    assert (cut.parent / "current").exists() is promoted


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_artefacts(
    server: Server, asked: Path, incumbent: Path, traffic: Path, tmp_path: Path
):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole, cut = tmp_path / "whole" / "round", tmp_path / "cut" / "round"
    started = time.monotonic()
    server.start(incumbent, traffic, asked, whole, "-")
    assert server.wait() == 0
    seconds = time.monotonic() - started
    lot = random.Random(0)
    for _ in range(5):
        process = server.start(incumbent, traffic, asked, cut, "-")
        time.sleep(lot.uniform(0.05, 0.7) * seconds)
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            break
        finally:
            server.wait()
    server.start(incumbent, traffic, asked, cut, "-")
    assert server.wait() == 0
    assert left(cut) == left(whole)
    assert len(read_journal(cut.parent / "journal.jsonl")) == 1


class Stopped(Exception):
    """Raised where a kill would come."""


def test_stopped_after_each_step_the_same_command_goes_on(
    finished: tuple[Path, RefreshResult], incumbent: Path, traffic: Path, tmp_path: Path
):
    labels, whole = finished
    out, reached = tmp_path / "round", []

    def on_step(name: str) -> None:
        if name not in reached:
            reached.append(name)
            raise Stopped

    named, settings, answers = inputs(incumbent, traffic), small_settings(**EASY), FileLabels(str(labels))
    for _ in STEPS:
        with pytest.raises(Stopped):
            refresh(named, out, settings=settings, labels=answers, on_step=on_step)
    assert tuple(reached) == STEPS
    assert refresh(named, out, settings=settings, labels=answers, on_step=on_step).state == "promoted"
    assert left(out) == left(whole.folder)
    assert len(read_journal(tmp_path / "journal.jsonl")) == 1
