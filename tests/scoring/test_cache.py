"""Rewards by content, in memory and on disk."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.core.errors import SettingsError
from rewardsmith.scoring.cache import RewardCache, RewardFile
from rewardsmith.scoring.codec import Vector

IDS = np.array([1, 2, 3], np.int32)

# Adds the numbers first to last, two at a time, and says how many of all it can find.
WRITER = """
import hashlib, sys
from pathlib import Path
from rewardsmith.scoring.cache import RewardFile

folder, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
key = lambda number: hashlib.sha256(str(number).encode()).digest()
file = RewardFile(folder, "same")
for number in range(first, last, 2):
    file.add({key(number): float(number), key(number + 1): float(number + 1)})
    assert file.find([key(number)]) == {key(number): float(number)}
"""

# Adds vectors, two at a time, until it is killed; says so after each two.
VECTOR_WRITER = """
import hashlib, itertools, sys
from pathlib import Path
import numpy as np
from rewardsmith.scoring.cache import RewardFile
from rewardsmith.scoring.codec import Vector

key = lambda number: hashlib.sha256(str(number).encode()).digest()
file = RewardFile(Path(sys.argv[1]), "same", codec=Vector(3))
for number in itertools.count(step=2):
    file.add({key(each): np.full(3, each, np.float32) for each in (number, number + 1)})
    print(number, flush=True)
"""


def _key(number: int) -> bytes:
    return RewardCache("numbers").key(np.array([number]))


def test_a_key_is_the_identity_and_the_ids() -> None:
    one, other = RewardCache("one"), RewardCache("other")
    assert one.key(IDS) == one.key(IDS.astype(np.int64))
    assert one.key(IDS) != other.key(IDS)
    assert one.key(IDS) != one.key(IDS[:2])
    assert one.key(IDS) != one.key(IDS[::-1])


def test_the_least_recently_used_are_forgotten() -> None:
    cache = RewardCache("x", max_entries=2)
    cache.add({b"a": 1.0, b"b": 2.0})
    assert cache.find([b"a"]) == {b"a": 1.0}
    cache.add({b"c": 3.0})
    assert cache.find([b"a", b"b", b"c", b"a"]) == {b"a": 1.0, b"c": 3.0}


@settings(max_examples=20, deadline=None)
@given(rewards=st.dictionaries(st.binary(min_size=32, max_size=32), st.floats(width=32), max_size=20))
def test_the_disk_gives_back_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, rewards: dict[bytes, float]
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    RewardCache("x", folder=folder).add(rewards)
    found = RewardCache("x", folder=folder).find(list(rewards))
    assert {key: np.float32(value).tobytes() for key, value in found.items()} == {
        key: np.float32(value).tobytes() for key, value in rewards.items() if np.isfinite(value)
    }
    assert RewardCache("y", folder=folder).find(list(rewards)) == {}


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_computed_again(tmp_path: Path, reward: float) -> None:
    """It is the sign of a broken model, or of a broken run."""
    cache = RewardCache("x", folder=tmp_path)
    cache.add({_key(1): reward, _key(2): 2.0})
    assert cache.find([_key(1), _key(2)]) == {_key(2): 2.0}


def test_more_keys_than_one_query_takes(tmp_path: Path) -> None:
    rewards = {_key(number): float(number) for number in range(1700)}
    RewardCache("x", folder=tmp_path).add(rewards)
    small = RewardCache("x", folder=tmp_path, max_entries=3)
    assert small.find([*rewards, _key(-1)]) == rewards
    assert small.find(list(rewards)) == rewards


def test_two_processes_write_to_one_file(tmp_path: Path) -> None:
    """Both begin it at once, and half of what they write is the same."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    arguments = [(0, 1000), (500, 1500), (0, 1500)]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(first), str(last)], env=environment)
        for first, last in arguments
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    file = RewardFile(tmp_path, "same")
    rows = sqlite3.connect(file.path).execute("SELECT count(*) FROM rewards").fetchone()
    assert rows == (1500,)


@pytest.mark.parametrize("damage", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_replaced_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    first = RewardFile(tmp_path, "x")
    first.add({_key(1): 1.0})
    first.path.write_bytes(damage)
    for suffix in ("-wal", "-shm"):
        first.path.with_name(first.path.name + suffix).unlink(missing_ok=True)
    second = RewardFile(tmp_path, "x")
    assert [record.getMessage() for record in caplog.records if "is damaged" in record.getMessage()] != []
    assert len(caplog.records) == 1
    assert second.find([_key(1)]) == {}
    second.add({_key(2): 2.0})
    assert RewardFile(tmp_path, "x").find([_key(1), _key(2)]) == {_key(2): 2.0}
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".sqlite"] == [second.path.name]


def test_damage_found_later_is_replaced_too_and_nobody_is_disturbed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer, reader = RewardFile(tmp_path, "x"), RewardFile(tmp_path, "x")
    rewards = {_key(number): float(number) for number in range(3000)}
    writer.add(rewards)
    _checkpoint(writer.path)
    with writer.path.open("r+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(4096)
        stream.write(b"\xff" * (size - 4096))
    fresh = RewardFile(tmp_path, "x")
    assert fresh.find(list(rewards)) == {}
    fresh.add({_key(1): 1.0})
    for other in (writer, reader):
        other.find(list(rewards))
        other.add({_key(2): 2.0})
    assert fresh.find([_key(1), _key(2)])[_key(1)] == 1.0
    assert RewardFile(tmp_path, "x").find([_key(1)]) == {_key(1): 1.0}
    assert len([record for record in caplog.records if "is damaged" in record.getMessage()]) <= 3


def test_a_flipped_bit_is_no_reward(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = RewardFile(tmp_path, "x")
    file.add({_key(1): 1.0, _key(2): 2.0, _key(3): 3.0})
    with sqlite3.connect(file.path) as connection:
        connection.execute("UPDATE rewards SET value = x'0000004000000000' WHERE key = ?", [_key(1)])
        connection.execute("UPDATE rewards SET value = x'00' WHERE key = ?", [_key(2)])
    assert file.find([_key(1), _key(2), _key(3)]) == {_key(3): 3.0}
    file.add({_key(1): 1.0})
    assert file.find([_key(1)]) == {_key(1): 1.0}
    assert len(caplog.records) == 1


def test_a_cache_that_cannot_be_written_any_more_costs_no_result(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = RewardCache("x", folder=tmp_path)
    with sqlite3.connect(next(tmp_path.glob("*.sqlite"))) as connection:
        connection.execute("DROP TABLE rewards")
    with caplog.at_level(logging.WARNING):
        cache.add({_key(1): 1.0})
        cache.add({_key(2): 2.0})
    assert cache.find([_key(1), _key(2)]) == {_key(1): 1.0, _key(2): 2.0}
    assert len(caplog.records) == 1
    assert "going on without it" in caplog.text


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="score cache cannot be used"):
        RewardCache("x", folder=tmp_path / "file")


def _checkpoint(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _rows(count: int, *, width: int = 3) -> dict[bytes, np.ndarray]:
    rng = np.random.default_rng(count)
    return {_key(number): rng.normal(size=width).astype(np.float32) for number in range(count)}


def _bits(values: Mapping[bytes, np.ndarray]) -> dict[bytes, bytes]:
    return {key: value.astype("<f4").tobytes() for key, value in values.items()}


def test_vectors_come_back_bit_for_bit(tmp_path: Path) -> None:
    rows = _rows(700)
    RewardCache("x", folder=tmp_path, codec=Vector(3)).add(rows)
    fresh = RewardCache("x", folder=tmp_path, codec=Vector(3), max_entries=5)
    assert _bits(fresh.find([*rows, _key(-1)])) == _bits(rows)
    assert _bits(fresh.find(list(rows))) == _bits(rows)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_vector_that_is_not_finite_anywhere_is_not_kept(tmp_path: Path, bad: float) -> None:
    cache = RewardCache("x", folder=tmp_path, codec=Vector(2))
    cache.add({_key(1): np.array([0.0, bad], np.float32), _key(2): np.array([1.0, 2.0], np.float32)})
    assert list(cache.find([_key(1), _key(2)])) == [_key(2)]


def test_a_flipped_bit_anywhere_in_a_vector_is_seen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = RewardFile(tmp_path, "x", codec=Vector(3))
    rows = _rows(4)
    file.add(rows)
    with sqlite3.connect(file.path) as connection:
        for number, place in enumerate((0, 7, 11)):
            (value,) = connection.execute("SELECT value FROM rewards WHERE key = ?", [_key(number)]).fetchone()
            flipped = bytes(byte ^ (1 if index == place else 0) for index, byte in enumerate(value))
            connection.execute("UPDATE rewards SET value = ? WHERE key = ?", [flipped, _key(number)])
    assert _bits(file.find(list(rows))) == _bits({_key(3): rows[_key(3)]})
    assert len(caplog.records) == 1


def test_values_of_another_width_are_no_values(tmp_path: Path) -> None:
    RewardFile(tmp_path, "x", codec=Vector(3)).add(_rows(2))
    assert RewardFile(tmp_path, "x", codec=Vector(2)).find([_key(0)]) == {}
    assert RewardFile(tmp_path, "x").find([_key(0)]) == {}


def test_a_damaged_file_of_vectors_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = RewardFile(tmp_path, "x", codec=Vector(3))
    first.add(_rows(2))
    first.path.write_bytes(b"not a database" * 100)
    for suffix in ("-wal", "-shm"):
        first.path.with_name(first.path.name + suffix).unlink(missing_ok=True)
    second = RewardFile(tmp_path, "x", codec=Vector(3))
    assert second.find([_key(0)]) == {}
    second.add(_rows(3))
    assert _bits(RewardFile(tmp_path, "x", codec=Vector(3)).find(list(_rows(3)))) == _bits(_rows(3))
    assert len([record for record in caplog.records if "is damaged" in record.getMessage()]) == 1


def test_a_writer_of_vectors_that_is_killed_leaves_whole_ones(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    writer = subprocess.Popen(
        [sys.executable, "-c", VECTOR_WRITER, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for _ in range(20):
        writer.stdout.readline()
    writer.kill()
    writer.wait(timeout=60)
    writer.stdout.close()
    file = RewardFile(tmp_path, "same", codec=Vector(3))
    keys = [hashlib.sha256(str(number).encode()).digest() for number in range(100_000)]
    found = file.find(keys)
    assert len(found) >= 40
    assert len(found) % 2 == 0
    for number, key in enumerate(keys[: len(found)]):
        np.testing.assert_array_equal(found[key], np.full(3, number, np.float32))
