"""Writes the traffic log, beside the requests: whatever the disk does, serving goes on."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Literal

from rewardsmith.core.errors import SettingsError
from rewardsmith.serve.traffic import PATTERN, sampled_lines
from rewardsmith.serve.work import Answer, Ask

logger = logging.getLogger(__name__)

Fate = Literal["written", "dropped"]

_MAX_FILE_BYTES = 64 << 20
_MOST_FILES = 16
_MOST_WAITING = 4096
_SYNC_S = 1.0
_CLOSE_S = 5.0


class TrafficLog:
    """A sample of what is asked, on disk within about a second; see `traffic` for the format.

    A file that is full is followed by another, and the oldest of too many is removed. A thread of its own writes, so no
    request waits for the disk; lines that come faster than it writes are dropped and counted. Where the disk is full
    or the folder gone, the log stops and says so once.

    Args:
        folder: Takes the files; made where it is missing, for the owner only, since the files hold texts.
        share: Of the texts, by their content.
        max_file_bytes: Length at which a file is full.
        most_files: That are kept in the folder.
        on_line: Called, in the thread that writes or in the caller's, with what became of each line.

    Raises:
        SettingsError: The folder cannot be written to.
    """

    def __init__(
        self,
        folder: Path,
        *,
        share: float,
        max_file_bytes: int = _MAX_FILE_BYTES,
        most_files: int = _MOST_FILES,
        on_line: Callable[[Fate], None] = lambda _: None,
    ) -> None:
        self.folder = folder
        self.share = share
        self.has_stopped = False
        self._max_file_bytes = max_file_bytes
        self._most_files = most_files
        self._on_line = on_line
        self._n_bytes = 0
        self._lines: queue.Queue[bytes | None] = queue.Queue(_MOST_WAITING)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._stream = _new_file(folder)
        except OSError as error:
            raise SettingsError(
                "the traffic log cannot be written there", wanted="a folder", got=error, where=str(folder)
            ) from error
        self._thread = threading.Thread(target=self._write, name="rewardsmith-traffic", daemon=True)
        self._thread.start()

    def add(self, ask: Ask, answer: Answer) -> None:
        """Log those texts of a request that are in the sample."""
        if self.has_stopped:
            return
        for line in sampled_lines(ask, answer, share=self.share):
            try:
                self._lines.put_nowait(line)
            except queue.Full:
                self._on_line("dropped")

    def close(self) -> None:
        """Write what waits, and end the file. A disk that hangs keeps nobody from ending."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=_CLOSE_S)
        self._thread.join(_CLOSE_S)

    def _write(self) -> None:
        try:
            self._write_lines()
        except OSError as error:
            logger.error("the traffic log has stopped, serving goes on: %s", error.strerror or type(error).__name__)
        self.has_stopped = True
        while not self._lines.empty():
            self._lines.get()
        # What a full disk did not take is still in the buffer, and closing tries once more.
        with contextlib.suppress(OSError):
            self._stream.close()

    def _write_lines(self) -> None:
        """Until `None` comes: lines as they come, synced once a second while there are any."""
        synced, is_dirty = time.monotonic(), False
        while True:
            line = self._next(is_dirty)
            if line:
                if self._n_bytes and self._n_bytes + len(line) > self._max_file_bytes:
                    self._rotate()
                self._stream.write(line)
                self._n_bytes += len(line)
                self._on_line("written")
                is_dirty = True
            if is_dirty and (line is None or time.monotonic() - synced >= _SYNC_S):
                _sync(self._stream)
                synced, is_dirty = time.monotonic(), False
            if line is None:
                return

    def _next(self, is_dirty: bool) -> bytes | None:
        """The next line; an empty one where none came in time and there is something to sync."""
        try:
            return self._lines.get(timeout=_SYNC_S if is_dirty else None)
        except queue.Empty:
            return b""

    def _rotate(self) -> None:
        _sync(self._stream)
        self._stream.close()
        self._stream = _new_file(self.folder)
        self._n_bytes = 0
        for path in sorted(self.folder.glob(PATTERN))[: -self._most_files]:
            path.unlink(missing_ok=True)


def _new_file(folder: Path) -> IO[bytes]:
    """A file that no other process has, named so that files sort by time."""
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = folder / PATTERN.replace("*", f"{moment}-{secrets.token_hex(4)}")
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _sync(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())
