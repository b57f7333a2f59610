"""Interrupted and resumed: the same weights, bit for bit, and the same log."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch
from tests.training.toy import CrashAt, Interrupted, toy_table, toy_trainer, without_times

from rewardsmith.losses.settings import LossSettings
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.resume import last_complete_checkpoint, run_digest, work_folder
from rewardsmith.training.settings import TrainingSettings

OPTIONS = {
    "epochs": 2.5,
    "batch_size": 4,
    "log_every_steps": 4,
    "save_every_steps": 3,
    "evaluate_every_epochs": 0.6,
    "keep_checkpoints": 2,
}


def trained(work: Path, **options):
    trainer = toy_trainer(work, toy_table(22), **OPTIONS | options)
    found = last_complete_checkpoint(work)
    trainer.train(resume_from_checkpoint=None if found is None else str(found))
    return trainer


def interrupted(work: Path, step: int, **options) -> None:
    trainer = toy_trainer(work, toy_table(22), **OPTIONS | options)
    trainer.add_callback(CrashAt(step))
    with pytest.raises(Interrupted):
        trainer.train()


def lines(work: Path) -> list[dict]:
    """The log without what depends on the clock."""
    read = [json.loads(line) for line in (work / "training_log.jsonl").read_text().splitlines()]
    return [without_times(line) for line in read]


def assert_same_run(first, second) -> None:
    theirs = second.model.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in first.model.state_dict().items())


@pytest.mark.parametrize("step", [2, 5, 6, 8, 13])
def test_a_resumed_run_ends_like_one_that_was_never_interrupted(tmp_path, step):
    # 22 preferences in steps of 4: 6 steps an epoch, 15 in 2.5 epochs; checkpoints at 3, 6, 9, 12, 15.
    whole = trained(tmp_path / "whole")
    interrupted(tmp_path / "cut", step)

    resumed = trained(tmp_path / "cut")

    assert whole.state.global_step == 15
    assert_same_run(whole, resumed)
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")


def test_a_resumed_run_logs_and_saves_as_often_as_it_is_told_now(tmp_path):
    interrupted(tmp_path, 8)  # checkpoints at 3 and 6, a line at 4
    resumed = trained(tmp_path, log_every_steps=1, save_every_steps=100)

    steps = [line["step"] for line in resumed.state.log_history if "loss" in line]
    assert steps == [4, *range(7, 16)]
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-15", "checkpoint-6"]


def test_a_run_that_ended_is_not_trained_further(tmp_path):
    first = trained(tmp_path)
    again = trained(tmp_path)

    assert again.state.global_step == first.state.global_step
    assert_same_run(first, again)
    assert again.state.log_history == first.state.log_history


def test_the_same_seed_gives_the_same_weights_and_another_one_others(tmp_path):
    first, second = trained(tmp_path / "a", epochs=1), trained(tmp_path / "b", epochs=1)
    other = trained(tmp_path / "c", epochs=1, seed=1)

    assert_same_run(first, second)
    assert not torch.equal(first.model.network.score.weight, other.model.network.score.weight)


def test_the_best_weights_survive_an_interruption(tmp_path):
    # A rate that rises and never falls again: some evaluation in the middle is the best one.
    options = {"select": "best", "learning_rate": 0.5, "schedule": "constant", "epochs": 3}
    whole = trained(tmp_path / "whole", **options)
    interrupted(tmp_path / "cut", 11, **options)
    resumed = trained(tmp_path / "cut", **options)

    for trainer in (whole, resumed):
        trainer.load_best()
    evaluations = {line["step"]: line["eval_loss"] for line in whole.state.log_history if "eval_loss" in line}
    best = min(evaluations, key=lambda step: evaluations[step])
    assert best < whole.state.global_step
    assert whole.state.best_global_step == resumed.state.best_global_step == best
    assert_same_run(whole, resumed)
    assert whole.evaluate()["eval_loss"] == pytest.approx(min(evaluations.values()), abs=1e-7)


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("optimizer.pt", "remove"),
        ("optimizer.pt", "truncate"),
        ("rng_state.pth", "remove"),
        ("scheduler.pt", "remove"),
        ("trainer_state.json", "remove"),
        ("trainer_state.json", "truncate"),
        ("model.safetensors", "truncate"),
        ("meter.json", "remove"),
        ("complete.json", "remove"),
        ("optimizer.pt", "garble"),
    ],
)
def test_a_partial_checkpoint_is_skipped_by_name(tmp_path, caplog, name, harm):
    interrupted(tmp_path, 8)
    file = tmp_path / "checkpoint-6" / name
    match harm:
        case "remove":
            file.unlink()
        case "truncate":
            file.write_bytes(file.read_bytes()[:-40])
        case "garble":
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 0xFF
            file.write_bytes(bytes(content))

    with caplog.at_level(logging.WARNING):
        found = last_complete_checkpoint(tmp_path)

    assert found == tmp_path / "checkpoint-3"
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "step 6" in warning
    assert name in warning


def test_the_run_goes_on_from_the_checkpoint_before_a_partial_one(tmp_path):
    whole = trained(tmp_path / "whole")
    interrupted(tmp_path / "cut", 8)
    (tmp_path / "cut" / "checkpoint-6" / "optimizer.pt").unlink()

    resumed = trained(tmp_path / "cut")

    assert_same_run(whole, resumed)
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path):
    (tmp_path / "checkpoint-5").mkdir()
    (tmp_path / "checkpoint-x").mkdir()

    assert last_complete_checkpoint(tmp_path) is None
    assert last_complete_checkpoint(tmp_path / "absent") is None


def test_the_digest_knows_what_decides_the_weights():
    recipe = Recipe()
    same = {"precision": "float32", "processes": 1}
    digest = run_digest(recipe, "data", **same)

    noisy = recipe.model_copy(update={"name": "x", "training": TrainingSettings(log_every_steps=1, save_every_steps=7)})
    assert run_digest(noisy, "data", **same) == digest
    others = [
        run_digest(recipe, "other data", **same),
        run_digest(recipe, "data", precision="bf16", processes=1),
        run_digest(recipe, "data", precision="float32", processes=2),
        run_digest(recipe.model_copy(update={"training": TrainingSettings(seed=1)}), "data", **same),
        run_digest(recipe.model_copy(update={"loss": LossSettings(centring=0.01)}), "data", **same),
    ]
    assert len({digest, *others}) == 6


def test_work_lies_beside_the_artefact():
    assert work_folder(Path("models/rm-v1.2"), "abcdef" * 10) == Path("models/rm-v1.2.work/abcdefabcdefabcd")
