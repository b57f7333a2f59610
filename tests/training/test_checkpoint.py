"""Checkpoints appear whole or not at all."""

from __future__ import annotations

from rewardsmith.training.checkpoint import clear_staging, fault, publish, rotate, seal, staging_folder, steps_saved


def make(work, step, text="{}"):
    folder = work / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "values.json").write_text(text)
    seal(folder)
    return folder


def test_a_sealed_folder_has_no_fault_and_any_other_has(tmp_path):
    folder = make(tmp_path, 1)
    assert fault(folder) is None

    (folder / "values.json").write_text("{  }")
    assert fault(folder) == "values.json has 4 bytes instead of 2"
    (folder / "complete.json").write_text("{}")
    assert fault(folder) == "complete.json lists no files"
    (folder / "complete.json").unlink()
    assert "saving was cut off" in str(fault(folder))


def test_latest_first_by_number_not_by_name(tmp_path):
    for step in (9, 10, 100):
        make(tmp_path, step)

    assert [step for step, _ in steps_saved(tmp_path)] == [100, 10, 9]


def test_rotation_keeps_the_latest_and_the_best(tmp_path):
    for step in (1, 2, 3, 4):
        make(tmp_path, step)

    rotate(tmp_path, keep=2, best_step=1)

    assert [step for step, _ in steps_saved(tmp_path)] == [4, 3, 1]
    assert not list(tmp_path.glob(".partial-*"))


def test_damaged_checkpoints_never_push_out_a_whole_one(tmp_path):
    for step in range(1, 7):
        make(tmp_path, step)
    (tmp_path / "checkpoint-6" / "complete.json").unlink()
    (tmp_path / "checkpoint-5" / "values.json").write_text("{  }")
    (tmp_path / "checkpoint-3" / "values.json").unlink()

    rotate(tmp_path, keep=2)

    assert [step for step, _ in steps_saved(tmp_path)] == [4, 2]
    assert not list(tmp_path.glob(".partial-*"))


def test_the_best_checkpoint_stays_even_damaged_so_that_its_loss_is_told(tmp_path):
    for step in (1, 2, 3):
        make(tmp_path, step)
    (tmp_path / "checkpoint-3" / "values.json").unlink()

    rotate(tmp_path, keep=1, best_step=3)

    assert [step for step, _ in steps_saved(tmp_path)] == [3, 2]


def test_publishing_replaces_what_stood_there(tmp_path):
    old = make(tmp_path, 7)
    (old / "values.json").unlink()
    staged = staging_folder(tmp_path) / "checkpoint-7"
    staged.mkdir(parents=True)
    (staged / "values.json").write_text("[1]")
    seal(staged)

    publish(staged, tmp_path / "checkpoint-7")

    assert fault(tmp_path / "checkpoint-7") is None
    assert (tmp_path / "checkpoint-7" / "values.json").read_text() == "[1]"


def test_what_a_cut_off_save_left_is_cleared(tmp_path):
    (staging_folder(tmp_path) / "checkpoint-3").mkdir(parents=True)
    make(tmp_path, 1)

    clear_staging(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-1"]
