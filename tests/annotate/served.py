"""The labelling server in a thread of the tests."""

from __future__ import annotations

import threading
import time

import uvicorn

from rewardsmith.annotate.app import create_app
from rewardsmith.annotate.store import LabelStore


class Served:
    """The application behind uvicorn on a free port; it can be stopped, and started again at the same address."""

    def __init__(self, store: LabelStore) -> None:
        self._store = store
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        config = uvicorn.Config(
            create_app(self._store), port=self._port, lifespan="off", log_config=None, timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server has ended"
            time.sleep(0.01)
        self._port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
