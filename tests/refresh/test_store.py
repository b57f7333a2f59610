"""Pointer, journal and files of a round."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.refresh.test_asked import question

from rewardsmith.core.conversation import user
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.manifest import Manifest
from rewardsmith.optimise.samples import Sample, SampleGroup
from rewardsmith.refresh.candidates import Candidates
from rewardsmith.refresh.store import (
    TO_LABEL_KIND,
    add_to_journal,
    read_candidates,
    read_journal,
    read_to_label,
    set_pointer,
    write_candidates,
    write_to_label,
)


def test_candidates_and_questions_read_back(tmp_path: Path):
    groups = (SampleGroup((user("p"),), "g", (Sample("a"), Sample("b"))),)
    candidates = Candidates(groups, ((1.5, None),), {"rows": 2})
    write_candidates(tmp_path / "c", candidates, Manifest(kind="samples", config={}))
    assert read_candidates(tmp_path / "c", "samples") == candidates
    asked = [question(1), question(2)]
    write_to_label(tmp_path / "t", asked, Manifest(kind=TO_LABEL_KIND, config={}))
    assert read_to_label(tmp_path / "t") == asked


def models(folder: Path) -> list[Path]:
    found = [folder / name for name in ("first", "second", "third")]
    for each in found:
        each.mkdir()
    return found


def test_the_pointer_moves_from_the_incumbent_only(tmp_path: Path):
    first, second, third = models(tmp_path)
    pointer = tmp_path / "use" / "current"
    set_pointer(pointer, second, was=first)
    assert pointer.resolve() == second
    assert not os.path.isabs(os.readlink(pointer))
    set_pointer(pointer, second, was=first)
    set_pointer(pointer, third, was=second)
    assert pointer.resolve() == third
    with pytest.raises(ArtefactError, match="another model is in use"):
        set_pointer(pointer, second, was=first)
    assert [each.name for each in pointer.parent.iterdir()] == ["current"]


def test_a_draft_that_a_kill_left_is_no_obstacle_and_a_folder_is_no_pointer(tmp_path: Path):
    first, second, _ = models(tmp_path)
    (tmp_path / ".current.draft").symlink_to(first)
    set_pointer(tmp_path / "current", second, was=first)
    assert (tmp_path / "current").resolve() == second
    with pytest.raises(ArtefactError, match="no link"):
        set_pointer(first, second, was=first)


def test_a_round_stands_in_the_journal_once(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    assert read_journal(path) == []
    for name in ("a", "b", "a"):
        add_to_journal(path, {"round": name, "decision": "kept"})
    assert [each["round"] for each in read_journal(path)] == ["a", "b"]
    assert all(each["time"] for each in read_journal(path))
