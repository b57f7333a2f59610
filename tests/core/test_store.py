from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rewardsmith.core.errors import ArtefactError, SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.settings import Settings
from rewardsmith.core.store import (
    _exchange,
    is_current,
    load_settings,
    read_manifest,
    verify_artefact,
    write_json,
    write_text,
    writing_artefact,
)


def manifest(kind: str = "preferences") -> Manifest:
    return Manifest(kind=kind, config={"a": 1}, seed=7)


def make(path: Path, text: str = "hello", kind: str = "preferences") -> None:
    with writing_artefact(path, manifest(kind)) as draft:
        (draft.folder / "data.txt").write_text(text)


def test_artefact_lists_its_files_and_reads_back(tmp_path: Path):
    make(tmp_path / "a")
    found = verify_artefact(tmp_path / "a", "preferences")
    # sha256 of b"hello"
    assert found.files == {"data.txt": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}
    assert found.seed == 7
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_an_error_in_the_block_leaves_nothing(tmp_path: Path):
    with pytest.raises(RuntimeError), writing_artefact(tmp_path / "a", manifest()) as draft:
        (draft.folder / "data.txt").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_the_earlier_artefact(tmp_path: Path):
    make(tmp_path / "a", "first")
    with pytest.raises(RuntimeError), writing_artefact(tmp_path / "a", manifest()) as draft:
        (draft.folder / "data.txt").write_text("second")
        raise RuntimeError
    assert (tmp_path / "a" / "data.txt").read_text() == "first"
    verify_artefact(tmp_path / "a", "preferences")


def test_an_artefact_of_the_same_kind_is_replaced(tmp_path: Path):
    make(tmp_path / "a", "first")
    make(tmp_path / "a", "second")
    assert (tmp_path / "a" / "data.txt").read_text() == "second"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_counts_added_in_the_block_are_written(tmp_path: Path):
    with writing_artefact(tmp_path / "a", manifest()) as draft:
        draft.manifest = draft.manifest.model_copy(update={"counts": {"kept": 3}})
    assert read_manifest(tmp_path / "a", "preferences").counts == {"kept": 3}


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    with pytest.raises(ArtefactError, match="holds something else"):
        make(tmp_path / "thesis")
    make(tmp_path / "model", kind="reward-model")
    with pytest.raises(ArtefactError, match="wrong kind of artefact"):
        make(tmp_path / "model", kind="preferences")
    assert (tmp_path / "thesis" / "chapter1.txt").read_text() == "years of work"


def test_wrong_kind_and_broken_manifest_are_told_apart(tmp_path: Path):
    make(tmp_path / "a")
    with pytest.raises(ArtefactError, match="wanted reward-model; got preferences"):
        read_manifest(tmp_path / "a", "reward-model")
    (tmp_path / "a" / "manifest.json").write_text("{")
    with pytest.raises(ArtefactError, match="unreadable manifest"):
        read_manifest(tmp_path / "a", "preferences")


@pytest.mark.parametrize("harm", ["change", "remove"])
def test_a_changed_or_missing_file_is_found(tmp_path: Path, harm: str):
    make(tmp_path / "a")
    path = tmp_path / "a" / "data.txt"
    path.write_text("other") if harm == "change" else path.unlink()
    with pytest.raises(ArtefactError, match="missing or changed"):
        verify_artefact(tmp_path / "a", "preferences")


def test_the_digest_is_of_the_content_alone(tmp_path: Path):
    make(tmp_path / "a")
    with writing_artefact(tmp_path / "b", Manifest(kind="preferences", config={"other": 2})) as draft:
        (draft.folder / "data.txt").write_text("hello")
    assert read_manifest(tmp_path / "a", "preferences").digest == read_manifest(tmp_path / "b", "preferences").digest
    make(tmp_path / "b", "other")
    assert read_manifest(tmp_path / "a", "preferences").digest != read_manifest(tmp_path / "b", "preferences").digest


def test_current_means_same_config_same_parents_and_nothing_touched(tmp_path: Path):
    def current(config: dict[str, int], parents: dict[str, str]) -> bool:
        return is_current(tmp_path / "a", kind="preferences", config=config, parents=parents)

    assert not current({"a": 1}, {})
    make(tmp_path / "a")
    assert current({"a": 1}, {})
    assert not current({"a": 2}, {})
    assert not current({"a": 1}, {"pairs.jsonl": "digest"})
    (tmp_path / "a" / "data.txt").write_text("touched")
    assert not current({"a": 1}, {})


def test_the_draft_of_an_artefact_with_a_longer_name_is_left_alone(tmp_path: Path):
    with writing_artefact(tmp_path / "a-b", manifest()) as draft:
        make(tmp_path / "a")
        (draft.folder / "data.txt").write_text("still here")
    assert (tmp_path / "a-b" / "data.txt").read_text() == "still here"


KILLED = """
import sys, time
from pathlib import Path
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import writing_artefact
with writing_artefact(Path(sys.argv[1]), Manifest(kind="preferences", config={})) as draft:
    (draft.folder / "data.txt").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_kill_9_in_the_middle_leaves_the_earlier_artefact_whole(tmp_path: Path):
    make(tmp_path / "a", "first")
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "a")], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "writing\n"
    child.kill()
    child.wait(timeout=30)
    verify_artefact(tmp_path / "a", "preferences")
    assert (tmp_path / "a" / "data.txt").read_text() == "first"
    make(tmp_path / "a", "again")
    assert (tmp_path / "a" / "data.txt").read_text() == "again"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


KILLED_WHILE_REPLACING = """
import ctypes, os, shutil, signal, sys
from pathlib import Path
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import writing_artefact

def and_die(change):
    def changed(*arguments, **options):
        change(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    return changed

if sys.argv[2] == "without exchange":
    ctypes.CDLL = lambda *_, **__: object()
with writing_artefact(Path(sys.argv[1]), Manifest(kind="preferences", config={})) as draft:
    (draft.folder / "data.txt").write_text("second")
    match sys.argv[3]:
        case "first rename":
            Path.rename = and_die(Path.rename)
        case "removal":
            shutil.rmtree = and_die(lambda *_, **__: None)
"""


def kill_while_replacing(path: Path, system: str, moment: str) -> int:
    command = [sys.executable, "-c", KILLED_WHILE_REPLACING, str(path), system, moment]
    return subprocess.run(command, timeout=30).returncode


def exchanges(folder: Path) -> bool:
    for name in ("x", "y"):
        (folder / name).mkdir()
    done = _exchange(folder / "x", folder / "y")
    for name in ("x", "y"):
        (folder / name).rmdir()
    return done


def test_there_is_no_moment_without_an_artefact_where_names_can_be_exchanged(tmp_path: Path):
    if not exchanges(tmp_path):
        pytest.skip("this file system cannot exchange two names")
    make(tmp_path / "a", "first")
    # It ends by itself: nothing is renamed on the way.
    assert kill_while_replacing(tmp_path / "a", "with exchange", "first rename") == 0
    assert (tmp_path / "a" / "data.txt").read_text() == "second"
    make(tmp_path / "a", "first")
    assert kill_while_replacing(tmp_path / "a", "with exchange", "removal") == -signal.SIGKILL
    assert (tmp_path / "a" / "data.txt").read_text() == "second"
    make(tmp_path / "a", "third")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("reader", ["read", "write"])
def test_an_artefact_that_was_moved_aside_is_put_back(tmp_path: Path, reader: str):
    make(tmp_path / "a", "first")
    assert kill_while_replacing(tmp_path / "a", "without exchange", "first rename") == -signal.SIGKILL
    assert not (tmp_path / "a").exists()
    if reader == "read":
        verify_artefact(tmp_path / "a", "preferences")
        assert (tmp_path / "a" / "data.txt").read_text() == "first"
    else:
        with pytest.raises(RuntimeError), writing_artefact(tmp_path / "a", manifest()):
            raise RuntimeError
        assert (tmp_path / "a" / "data.txt").read_text() == "first"
        with pytest.raises(ArtefactError, match="holds something else"):
            make(tmp_path / "a", kind="reward-model")
    make(tmp_path / "a", "third")
    assert (tmp_path / "a" / "data.txt").read_text() == "third"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_an_old_artefact_whose_removal_was_cut_off_is_removed(tmp_path: Path):
    make(tmp_path / "a", "first")
    assert kill_while_replacing(tmp_path / "a", "without exchange", "removal") == -signal.SIGKILL
    assert (tmp_path / "a" / "data.txt").read_text() == "second"
    make(tmp_path / "a", "third")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_link_to_another_place_stays_a_link(tmp_path: Path):
    (tmp_path / "large-disk").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "large-disk" / "a")
    for text in ("first", "second"):
        make(tmp_path / "a", text)
        assert (tmp_path / "a").is_symlink()
        assert (tmp_path / "large-disk" / "a" / "data.txt").read_text() == text
    assert [p.name for p in (tmp_path / "large-disk").iterdir()] == ["a"]


def test_write_json_replaces_whole_files_only(tmp_path: Path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path):
    path = tmp_path / "x.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "lone surrogate \ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


class Recipe(Settings):
    epochs: int = 1


def test_load_settings_applies_overrides(tmp_path: Path):
    path = tmp_path / "r.yaml"
    path.write_text("epochs: 2\n")
    assert load_settings(Recipe, path, ["epochs=5"]).epochs == 5


@pytest.mark.parametrize(
    ("text", "message"), [("- 1\n", "a mapping"), ("a: [", "not YAML"), ("epoch: 1", "did you mean")]
)
def test_a_bad_recipe_is_named(tmp_path: Path, text: str, message: str):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_settings(Recipe, path)


def test_a_missing_recipe_is_named(tmp_path: Path):
    with pytest.raises(SettingsError, match="cannot read the recipe"):
        load_settings(Recipe, tmp_path / "none.yaml")
