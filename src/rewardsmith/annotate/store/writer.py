"""One thread that writes: what many raters do at once is committed together.

A commit waits for the disk, a few milliseconds. Fifty raters whose votes are committed one after the other wait for
each other's commits; fifty votes in one commit wait once. Nobody is told that a vote is taken before its commit.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from rewardsmith.annotate.store.engine import BUSY_S, begin_writing
from rewardsmith.annotate.store.unit import TaskCache, Unit
from rewardsmith.core.errors import OverloadError, RewardsmithError, WorkerError
from rewardsmith.core.full_disk import full_disk_error

R = TypeVar("R")
Job = Callable[[Unit], Any]

_MAX_JOBS = 64
"""In one transaction: more would keep other processes from writing for too long."""


class Writer:
    """Runs jobs one after the other, in the order in which they came, and many in a transaction.

    A job reads and writes through its `Unit`, and depends on nothing but the database and its own arguments: where
    another job of its transaction fails after it has written, all of them are run again, each by itself.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.known_tasks = TaskCache()
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def run(self, job: Callable[[Unit], R]) -> R:
        """What `job` returns, once everything that it wrote is on the disk.

        Raises:
            OverloadError: Another process has been writing for longer than `BUSY_S`.
            WorkerError: The store is closed.
            Exception: Whatever the job raises; then nothing of it is written.
        """
        future: Future[R] = Future()
        with self._lock:
            if self._is_closed:
                raise WorkerError("the label store is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="label-store-writer", daemon=True)
                self._thread.start()
            self._jobs.put((job, future))
        return future.result()

    def close(self) -> None:
        """Finish what has been given, then stop. Closing twice does nothing."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
            if not was_closed and self._thread is not None:
                self._jobs.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch, is_last = self._batch(first)
            try:
                self._commit(batch)
            except Exception as error:
                _fail(batch, error)
            if is_last:
                return

    def _batch(self, first: tuple[Job, Future[Any]]) -> tuple[list[tuple[Job, Future[Any]]], bool]:
        batch = [first]
        while len(batch) < _MAX_JOBS:
            try:
                more = self._jobs.get_nowait()
            except queue.Empty:
                break
            if more is None:
                return batch, True
            batch.append(more)
        return batch, False

    def _commit(self, batch: list[tuple[Job, Future[Any]]]) -> None:
        """Run a batch in one transaction, and tell everybody; where a job spoils it, run each in its own."""
        outcomes: list[tuple[Future[Any], Any, Exception | None]] = []
        with self._engine.connect() as connection:
            begin_writing(connection)
            unit = Unit(connection, known_tasks=self.known_tasks)
            for job, future in batch:
                try:
                    outcomes.append((future, job(unit), None))
                except Exception as error:
                    # What the database itself refuses spoils the transaction, as half a job does.
                    is_spoilt = unit.has_written or not isinstance(error, RewardsmithError)
                    if is_spoilt and len(batch) == 1:
                        raise
                    if is_spoilt:
                        connection.rollback()
                        break
                    outcomes.append((future, None, error))
                unit.has_written = False
            else:
                unit.flush()
                connection.commit()
        if len(outcomes) < len(batch):
            for each in batch:
                self._commit_alone(each)
            return
        for future, result, error in outcomes:
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def _commit_alone(self, each: tuple[Job, Future[Any]]) -> None:
        try:
            self._commit([each])
        except Exception as error:
            _fail([each], error)


def _fail(batch: list[tuple[Job, Future[Any]]], error: Exception) -> None:
    told = _told(error)
    for _, future in batch:
        if not future.done():
            future.set_exception(told)


def _told(error: Exception) -> Exception:
    if not isinstance(error, OperationalError):
        return error
    said = str(error.orig)
    told: RewardsmithError
    if "is locked" in said:
        told = OverloadError(
            "another process keeps the label store",
            wanted=f"its turn to write within {BUSY_S:g} s",
            got=said,
            fix="try again; end whatever else writes to the file",
        )
    elif "disk is full" in said or "No space left" in said:
        told = full_disk_error(error, "the label store")
    else:
        return error
    told.__cause__ = error
    return told
