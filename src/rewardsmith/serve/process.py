"""A model's process as its parent sees it: started, asked, ended. Nothing here knows torch."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import connection
from typing import Any

from rewardsmith.core.errors import RewardsmithError, WorkerError
from rewardsmith.core.progress import NO_BARS
from rewardsmith.serve.work import Answer, Ask, Card
from rewardsmith.web.logs import configure_logs

logger = logging.getLogger(__name__)

Entry = Callable[[connection.Connection, str, dict[str, Any]], None]
"""What runs in the process: it sends a `Card` or an error, then a list of answers for each list of `Ask`s."""

_END_S = 1.0
"""How long a process that was told to end may take before it is killed."""


class ProcessEndedError(Exception):
    """The process is gone, and with it the batch that it held."""


class ProcessHungError(Exception):
    """The process was silent for too long, and was ended."""


class ModelProcess:
    """One process that holds one model; `has_ended` is true soon after its end.

    Every call blocks, and all but `kill` come from one thread at a time.

    Args:
        path: Folder or hub id of the model.
        options: `worker.LoadOptions`, as keywords.
        entry: What runs in it.
        on_end: Called in a thread of its own when the process has ended, for whatever reason.
    """

    def __init__(
        self,
        path: str,
        options: dict[str, Any],
        *,
        entry: Entry | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        context = multiprocessing.get_context("spawn")
        self._connection, self._far_end = context.Pipe(duplex=True)
        self._process = context.Process(
            target=entry or load_and_answer,
            args=(self._far_end, path, options),
            name=f"rewardsmith {path}",
            daemon=True,
        )
        self.has_ended = False
        self._on_end = on_end
        self._watcher = threading.Thread(target=self._watch, name="rewardsmith-watch", daemon=True)

    @property
    def pid(self) -> int | None:
        """Its number; absent before it is started."""
        return self._process.pid

    def start(self, *, timeout_s: float) -> Card:
        """Start it and wait until it has loaded the model.

        Raises:
            RewardsmithError: The model cannot be loaded.
            WorkerError: The process ended while it loaded, or took too long.
        """
        self._process.start()
        # The child has its own copy: when it dies, this end of the pipe must see the end.
        self._far_end.close()
        self._watcher.start()
        try:
            found = self._received(timeout_s)
        except ProcessEndedError:
            problem = f"the process ended while it loaded the model, with code {self._exit_code()}"
            raise WorkerError(
                problem, where=self._path, fix="a code of -9 is most often too little memory; else see the log"
            ) from None
        except ProcessHungError:
            raise WorkerError("the model takes too long to load", wanted=f"{timeout_s:g} s", where=self._path) from None
        if isinstance(found, RewardsmithError):
            raise found
        return found

    def ask(self, asks: Sequence[Ask], *, timeout_s: float) -> list[Answer | RewardsmithError]:
        """What the model says to each.

        Raises:
            ProcessEndedError: The process is gone.
            ProcessHungError: It was silent for `timeout_s` seconds, and was killed.
        """
        try:
            self._connection.send(list(asks))
        except OSError as error:
            raise ProcessEndedError(str(error)) from error
        return self._received(timeout_s)

    def kill(self) -> None:
        """End it at once; whoever waits for it sees that it ended. From any thread."""
        with suppress(ValueError):  # it was closed before
            self._process.kill()

    def end(self) -> None:
        """End it: softly, then by force."""
        self._connection.close()
        if self._process.pid is None:
            self._far_end.close()
            return
        self._process.join(_END_S)
        self._process.kill()
        # The watcher waits at a file of the process, whose number must not be used anew before.
        self._watcher.join()
        self._process.join()
        self._process.close()

    def _received(self, timeout_s: float) -> Any:
        try:
            if not self._connection.poll(timeout_s):
                self.kill()
                raise ProcessHungError
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise ProcessEndedError(str(error)) from error

    def _exit_code(self) -> int | None:
        self._process.join(_END_S)
        return self._process.exitcode

    def _watch(self) -> None:
        connection.wait([self._process.sentinel])
        self.has_ended = True
        self._on_end()


def load_and_answer(pipe: connection.Connection, path: str, options: dict[str, Any]) -> None:
    """The entry of a model that `load_scorer` knows."""
    # Before anything imports torch: OpenMP reads its settings once.
    if options.get("threads"):
        os.environ["OMP_NUM_THREADS"] = str(options["threads"])
    # Threads that spin for long while they wait for each other take the cores from the server's own process and from
    # whoever else is there; threads that do not spin wake late (one text of MiniLM: 45 ms in the place of 24).
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")
    # oneDNN keeps a compiled product for each number of tokens that a text or a batch has had, 1,024 of them and half a
    # megabyte each. These are enough for the numbers that come again.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ[NO_BARS] = "1"
    configure_logs(sys.stderr, level="warning")
    from rewardsmith.serve.worker import LoadOptions, serve_pipe

    serve_pipe(pipe, path, LoadOptions(**options))
