from __future__ import annotations

import json
import math
import os
import resource
import signal
import stat
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.serve.traffic import PATTERN, is_sampled, read_traffic, sampled_lines
from rewardsmith.serve.traffic_log import TrafficLog
from rewardsmith.serve.work import Answer, Ask

PROVENANCE = Provenance("m" * 64, "t" * 64)


def talk(number, text="answer"):
    return (user(f"question {number}"), assistant(f"{text} {number}"))


def ask_of(numbers, text="answer"):
    return Ask(conversations=tuple(talk(number, text) for number in numbers))


def answer_of(ask, **more):
    return Answer(Scores(np.arange(len(ask), dtype=np.float32) / 4, PROVENANCE, **more))


def add(log, ask):
    log.add(ask, answer_of(ask))


def test_what_is_written_is_read_back(tmp_path):
    ask = ask_of(range(3))
    steps = tuple(np.array(each, dtype=np.float32) for each in ([0.5, math.nan], [], [1.0]))
    spread = np.array([0.5, 0.25, 0.125], dtype=np.float32)
    before = time.time()
    log = TrafficLog(tmp_path / "log", share=1.0)
    log.add(ask, answer_of(ask, spread=spread, steps=steps))
    texts = Ask(texts=("as it is \ud800",))
    add(log, texts)
    log.close()
    rows = list(read_traffic(tmp_path / "log"))
    assert [row.conversation for row in rows] == [*ask.conversations, None]
    assert [row.text for row in rows] == [None, None, None, "as it is \ud800"]
    assert [row.reward for row in rows] == [0.0, 0.25, 0.5, 0.0]
    assert [row.spread for row in rows] == [0.5, 0.25, 0.125, None]
    assert rows[0].steps is not None
    assert rows[0].steps[0] == 0.5
    assert math.isnan(rows[0].steps[1])
    assert [row.steps for row in rows[1:]] == [(), (1.0,), None]
    assert {(row.model_digest, row.template_digest) for row in rows} == {("m" * 64, "t" * 64)}
    assert all(before - 1 < row.time < time.time() + 1 for row in rows)


def test_a_line_is_as_documented():
    (line,) = sampled_lines(ask_of([1]), answer_of(ask_of([1])), share=1.0)
    value = json.loads(line)
    assert value | {"time": 0} == {
        "time": 0,
        "model": "m" * 64,
        "template": "t" * 64,
        "conversation": [
            {"role": "user", "content": "question 1"},
            {"role": "assistant", "content": "answer 1"},
        ],
        "reward": 0.0,
    }


def test_only_the_owner_may_read_it(tmp_path):
    log = TrafficLog(tmp_path / "log", share=1.0)
    add(log, ask_of([1]))
    log.close()
    (file,) = (tmp_path / "log").glob(PATTERN)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o700


def test_token_ids_are_never_in():
    ask = Ask(ids=((1, 2, 3),))
    assert list(sampled_lines(ask, answer_of(ask), share=1.0)) == []


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_sample_has_its_share(share):
    taken = sum(is_sampled({"text": f"text {number}"}, share) for number in range(4000))
    error = 4 * math.sqrt(share * (1 - share) / 4000)
    assert taken / 4000 == pytest.approx(share, abs=error)


@given(text=st.text(), low=st.floats(0, 1), high=st.floats(0, 1))
def test_the_same_text_is_always_in_or_out_and_a_larger_share_holds_a_smaller(text, low, high):
    low, high = sorted((low, high))
    content = {"text": text}
    assert is_sampled(content, low) == is_sampled(dict(content), low)
    assert is_sampled(content, high) >= is_sampled(content, low)
    assert is_sampled(content, 1.0)
    assert not is_sampled(content, 0.0)


def test_a_torn_last_line_is_left_out(tmp_path):
    lines = list(sampled_lines(ask_of(range(3)), answer_of(ask_of(range(3))), share=1.0))
    file = tmp_path / "traffic-1.jsonl"
    for cut in (1, 20, len(lines[2]) - 1):
        file.write_bytes(lines[0] + lines[1] + lines[2][:cut])
        assert [row.reward for row in read_traffic(file)] == [0.0, 0.25]
    file.write_bytes(b"")
    assert list(read_traffic(file)) == []
    file.write_bytes(lines[0] + b"\0" * 50)
    assert len(list(read_traffic(file))) == 1


@pytest.mark.parametrize("line", [b"private\n", b"{}\n", b"[]\n", b'{"time": "private"}\n'])
def test_a_wrong_line_is_an_error_that_does_not_tell_it(tmp_path, line):
    good = next(sampled_lines(ask_of([1]), answer_of(ask_of([1])), share=1.0))
    (tmp_path / "traffic-1.jsonl").write_bytes(good + line + good)
    with pytest.raises(DataError, match=r"traffic-1\.jsonl:2") as caught:
        list(read_traffic(tmp_path))
    assert "private" not in str(caught.value)


def test_no_log_is_an_error(tmp_path):
    for path in (tmp_path, tmp_path / "absent.jsonl"):
        with pytest.raises(DataError, match="no traffic log"):
            list(read_traffic(path))


def test_files_are_bounded_in_length_and_number_and_read_in_order(tmp_path):
    log = TrafficLog(tmp_path, share=1.0, max_file_bytes=1000, most_files=3)
    for number in range(40):
        add(log, ask_of([number]))
    log.close()
    files = sorted(tmp_path.glob(PATTERN))
    assert len(files) == 3
    assert all(file.stat().st_size <= 1000 for file in files)
    numbers = [int(row.conversation[0].content.split()[1]) for row in read_traffic(tmp_path)]  # type: ignore[index]
    assert numbers == list(range(40))[-len(numbers) :]
    assert len(numbers) >= 6


def test_a_line_that_is_longer_than_a_file_has_one_to_itself(tmp_path):
    log = TrafficLog(tmp_path, share=1.0, max_file_bytes=500)
    for text in ("a", "b" * 2000, "c"):
        add(log, ask_of([1], text))
    log.close()
    assert len(list(read_traffic(tmp_path))) == 3


def test_lines_reach_the_disk_within_seconds(tmp_path):
    """As a server that is killed leaves them: the log is not closed."""
    log = TrafficLog(tmp_path, share=1.0)
    add(log, ask_of([1]))
    give_up = time.monotonic() + 10
    while not list(read_traffic(tmp_path)) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert len(list(read_traffic(tmp_path))) == 1
    log.close()


def test_a_full_disk_stops_the_log_and_nothing_else(tmp_path, caplog):
    """A limit on the size of files, which the system reports as it does a full disk."""
    fates: list[str] = []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = TrafficLog(tmp_path, share=1.0, on_line=fates.append)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        give_up = time.monotonic() + 20
        while not log.has_stopped and time.monotonic() < give_up:
            add(log, ask_of(range(50)))
            time.sleep(0.05)
        assert log.has_stopped
        n_lines = len(fates)
        add(log, ask_of(range(5)))
        log.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert len(fates) == n_lines
    assert [record.levelname for record in caplog.records if "traffic log" in record.message] == ["ERROR"]
    rows = list(read_traffic(tmp_path))
    assert rows
    assert sum(file.stat().st_size for file in tmp_path.glob(PATTERN)) <= 20_000


def test_a_disk_that_hangs_makes_nobody_wait(tmp_path):
    """Of a pipe that nobody reads nothing more is taken once it is full."""
    fates: list[str] = []
    log = TrafficLog(tmp_path, share=1.0, on_line=fates.append)
    reads, writes = os.pipe()
    os.dup2(writes, log._stream.fileno())
    started = time.monotonic()
    for _ in range(60):
        add(log, ask_of(range(100)))
    assert time.monotonic() - started < 5
    assert "dropped" in fates
    os.close(reads)
    os.close(writes)
    log.close()
    assert log.has_stopped


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="traffic log"):
        TrafficLog(tmp_path / "file" / "log", share=1.0)
