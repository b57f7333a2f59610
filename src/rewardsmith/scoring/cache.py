"""Rewards by content: what was computed for a text is not computed again, in this process or in a later one.

A reward is one number, or one a member of an ensemble; the codec of a cache says which.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic

import numpy as np
from jaxtyping import Integer

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.full_disk import full_disk_error, telling_full_disk
from rewardsmith.scoring.codec import Codec, Scalar, V

logger = logging.getLogger(__name__)

MAX_ENTRIES = 1 << 17
"""Rewards that are held in memory: about 25 MB."""

_KEYS_AT_ONCE = 500
_PATIENCE_S = 60.0
"""How long another process may hold the file; it holds it for milliseconds."""

_CHECKSUM = struct.Struct("<I")
_SCALAR = Scalar()


class RewardCache(Generic[V]):
    """Rewards of token sequences, for one way to compute them.

    In memory, where those that were not used for longest are forgotten, and in a folder, where one is given; nothing
    is forgotten there. Two processes may use one folder at once, and one that is killed loses what it did not add.

    Args:
        identity: Digest of everything but the tokens that decides a reward: weights, template, precision. Caches of
            different identities never share a reward.
        folder: Where rewards are kept for later processes; made where it is missing.
        max_entries: Most rewards in memory.
        codec: What a reward is; one number where absent.

    Raises:
        SettingsError: The folder cannot be used.
        FullDiskError: There is no room for it.
    """

    def __init__(
        self,
        identity: str,
        *,
        folder: Path | None = None,
        max_entries: int = MAX_ENTRIES,
        codec: Codec[V] | Scalar = _SCALAR,
    ) -> None:
        self._seed = hashlib.sha256(identity.encode())
        self._memory: OrderedDict[bytes, V] = OrderedDict()
        self._max_entries = max_entries
        self._codec: Codec[Any] = codec
        self._file: RewardFile[V] | None = None if folder is None else RewardFile(folder, identity[:16], codec=codec)

    def key(self, ids: Integer[np.ndarray, " token"]) -> bytes:
        """Digest of the identity and the ids."""
        state = self._seed.copy()
        state.update(ids.astype("<i8").tobytes())
        return state.digest()

    def find(self, keys: Sequence[bytes]) -> dict[bytes, V]:
        """The known ones among `keys` and their rewards."""
        distinct = dict.fromkeys(keys)
        found = {key: self._memory[key] for key in distinct if key in self._memory}
        for key in found:
            self._memory.move_to_end(key)
        if self._file is not None and len(found) < len(distinct):
            loaded = self._file.find([key for key in distinct if key not in found])
            self._remember(loaded)
            found |= loaded
        return found

    def add(self, rewards: Mapping[bytes, V]) -> None:
        """Keep `rewards` by their keys; what is not finite is not kept."""
        finite = {key: reward for key, reward in rewards.items() if self._codec.is_finite(reward)}
        self._remember(finite)
        if self._file is not None:
            self._file.add(finite)

    def limit(self, max_entries: int) -> None:
        """Hold no more rewards than that in memory from now on."""
        self._max_entries = max_entries
        self._remember({})

    def _remember(self, rewards: Mapping[bytes, V]) -> None:
        self._memory.update(rewards)
        while len(self._memory) > self._max_entries:
            self._memory.popitem(last=False)


class RewardFile(Generic[V]):
    """A table on disk: key to reward, float32, with a checksum of both.

    A cache may cost no result: a damaged file is replaced, and one that cannot be written any more is left alone, each
    with one line in the log. Whoever has a damaged file still open keeps it, since the new one has another name.

    Args:
        name: First part of the file's name.
        codec: What a reward is; one number where absent.

    Raises:
        SettingsError: The folder cannot be used.
        FullDiskError: There is no room for it.
    """

    def __init__(self, folder: Path, name: str, *, codec: Codec[V] | Scalar = _SCALAR) -> None:
        self._folder = folder
        self._name = name
        self._codec: Codec[Any] = codec
        self._has_warned = False
        self._connection: sqlite3.Connection | None = None
        try:
            with telling_full_disk(folder):
                folder.mkdir(parents=True, exist_ok=True)
            self._number = self._newest()
            try:
                self._connection = self._open()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._replace(error)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(error, folder) from error

    @property
    def path(self) -> Path:
        """The file; the number in its name counts the damaged ones before it."""
        return self._path(self._number)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, V]:
        """The known ones among `keys` and their rewards."""
        found: dict[bytes, V] = {}
        if self._connection is None:
            return found
        try:
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                some = keys[start : start + _KEYS_AT_ONCE]
                marks = ",".join("?" * len(some))
                rows = self._connection.execute(f"SELECT key, value FROM rewards WHERE key IN ({marks})", some)
                found.update(self._read(rows))
        except sqlite3.Error as error:
            self._recover(error)
        return found

    def add(self, rewards: Mapping[bytes, V]) -> None:
        """Write `rewards`, all of them or, where the process is killed now, none."""
        if self._connection is None or not rewards:
            return
        packed = ((key, self._codec.pack(reward)) for key, reward in rewards.items())
        rows = [(key, raw + _checksum(key, raw)) for key, raw in packed]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO rewards VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            self._recover(error)

    def _read(self, rows: Iterable[tuple[bytes, bytes]]) -> dict[bytes, V]:
        """The rewards whose checksum is right; SQLite itself would not see a flipped bit."""
        found: dict[bytes, V] = {}
        for key, value in rows:
            raw, checksum = value[: self._codec.size], value[self._codec.size :]
            if len(raw) == self._codec.size and checksum == _checksum(key, raw):
                found[key] = self._codec.unpack(raw)
            elif not self._has_warned:
                logger.warning("%s: the score cache has damaged entries, which are computed again", self.path)
                self._has_warned = True
        return found

    def _open(self) -> sqlite3.Connection:
        """Open the table, made where it is missing."""
        connection = sqlite3.connect(self.path, timeout=_PATIENCE_S, check_same_thread=False)
        try:
            # With a write-ahead log readers never wait, and a process that is killed leaves whole passes.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS rewards (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
            )
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _recover(self, error: sqlite3.Error) -> None:
        try:
            if _is_damage(error):
                return self._replace(error)
        except (OSError, sqlite3.Error) as another:
            error = sqlite3.OperationalError(str(another))
        self._connection = None
        logger.warning("%s: the score cache cannot be used any more (%s); going on without it", self.path, error)
        return None

    def _replace(self, error: sqlite3.Error) -> None:
        """Begin the next file, or join the process that has begun it, and remove the damaged one."""
        damaged = self.path
        logger.warning("%s: the score cache is damaged (%s); a new one takes its place", damaged, error)
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        self._number = max(self._newest(), self._number + 1)
        self._connection = self._open()
        for suffix in ("", "-wal", "-shm"):
            damaged.with_name(damaged.name + suffix).unlink(missing_ok=True)

    def _newest(self) -> int:
        numbers = [path.stem.rpartition("-")[2] for path in self._folder.glob(f"{self._name}-*.sqlite")]
        return max((int(number) for number in numbers if number.isdigit()), default=0)

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number}.sqlite"


def _checksum(key: bytes, raw: bytes) -> bytes:
    return _CHECKSUM.pack(zlib.crc32(key + raw))


def _is_damage(error: sqlite3.Error) -> bool:
    return _name_of(error).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _name_of(error: BaseException) -> str:
    return getattr(error, "sqlite_errorname", "")


def _unusable(error: Exception, folder: Path) -> Exception:
    if _name_of(error).startswith("SQLITE_FULL"):
        return full_disk_error(error, str(folder))
    return SettingsError(
        "the score cache cannot be used",
        wanted="a folder on a local disk that may be written",
        got=error,
        where=str(folder),
        fix="name another folder",
    )
