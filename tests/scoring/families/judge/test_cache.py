from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rewardsmith.core.conversation import user
from rewardsmith.core.errors import SettingsError
from rewardsmith.scoring.families.judge.cache import ReplyCache, question_key

KEY = question_key({"model": "m"}, (user("hi"),))


def test_another_process_finds_what_was_added(tmp_path: Path):
    ReplyCache(tmp_path).add(KEY, {"text": "é \ud800 ok"})
    assert ReplyCache(tmp_path).find(KEY) == {"text": "é \ud800 ok"}
    assert ReplyCache(tmp_path).find(question_key({"model": "n"}, (user("hi"),))) is None


def test_without_a_folder_it_remembers_in_this_process_only():
    cache = ReplyCache(max_entries=1)
    cache.add(KEY, {"text": "a"})
    assert cache.find(KEY) == {"text": "a"}
    cache.add("other", {"text": "b"})
    assert cache.find(KEY) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"value": {"text": "forged"}, "digest": "0"}', b"\xff\xfe"])
def test_a_damaged_reply_is_not_known_and_is_replaced(tmp_path: Path, damage: bytes):
    ReplyCache(tmp_path).add(KEY, {"text": "a"})
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(damage)
    again = ReplyCache(tmp_path)
    assert again.find(KEY) is None
    again.add(KEY, {"text": "a"})
    assert ReplyCache(tmp_path).find(KEY) == {"text": "a"}


def test_the_key_is_of_all_that_decides_an_answer():
    keys = {
        KEY,
        question_key({"model": "m"}, (user("ho"),)),
        question_key({"model": "m"}, (user("hi"), user("hi"))),
        question_key({"model": "m", "t": 1}, (user("hi"),)),
        question_key({"model": "m"}, (user("hi"),), prefix="Score:"),
    }
    assert len(keys) == 5


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="file"):
        ReplyCache(tmp_path / "file")


def test_a_folder_that_cannot_be_written_any_more_costs_no_reply(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    cache = ReplyCache(tmp_path / "replies")
    # A file where the key's own folder would be: writing fails, whoever runs the test.
    (tmp_path / "replies" / KEY[:2]).write_text("")
    with caplog.at_level(logging.WARNING):
        cache.add(KEY, {"text": "a"})
        cache.add("ff", {"text": "b"})
    assert cache.find(KEY) == {"text": "a"}
    assert len(caplog.records) == 1
