"""A small HTTP server on this machine that says what a test tells it to, and can misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL_DIGEST = "m0"


@dataclass
class Said:
    """One reply.

    Attributes:
        hangs: Say nothing until the server is closed.
        trickles_s: Send a byte every so many seconds and never end.
        drops: Close the connection without a word.
        cuts: Close the connection in the middle of the body.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    trickles_s: float = 0.0
    drops: bool = False
    cuts: bool = False


@dataclass
class Scripted:
    """A running server.

    Attributes:
        script: Replies to the next requests; then `answer` replies.
        answer: Body of a request → the body of its reply; by default a text's reward is its length.
        bodies: Of all requests, in order.
        headers: Of all requests, in order.
        times: When each request came.
        most_at_once: Most requests under way at the same time.
        takes_s: How long an answer takes.
    """

    url: str
    answer: Callable[[Any], Any]
    script: deque[Said] = field(default_factory=deque)
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    most_at_once: int = 0
    takes_s: float = 0.0
    closing: threading.Event = field(default_factory=threading.Event)
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arrived(self, body: Any, headers: dict[str, str]) -> Said | None:
        """Note a request; what the script says to it."""
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            self.times.append(time.monotonic())
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            return self.script.popleft() if self.script else None

    def left(self) -> None:
        """A request is done."""
        with self._lock:
            self._now -= 1


def by_length(body: Any) -> dict[str, Any]:
    """The reward of a text is its length, that of a conversation the length of its last turn."""
    if body is None:
        model = {"id": "lengths", "model_digest": MODEL_DIGEST, "template_digest": "t0", "relative": False}
        return {"object": "list", "data": [model]}
    texts = body.get("texts") or [conversation[-1]["content"] for conversation in body["conversations"]]
    return {
        "provenance": {"model_digest": MODEL_DIGEST, "template_digest": "t0"},
        "data": [{"index": index, "reward": len(text)} for index, text in enumerate(texts)],
        "usage": {"n_truncated": sum(len(text) > 90 for text in texts) if body["truncate"] else 0},
    }


@contextmanager
def scripted_server(answer: Callable[[Any], Any] = by_length, *, port: int = 0) -> Iterator[Scripted]:
    """A server on 127.0.0.1 until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    running = Scripted(f"http://127.0.0.1:{server.server_address[1]}", answer)
    server.running = running  # pyright: ignore[reportAttributeAccessIssue]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        # A client that gives up resets its connection.
        with suppress(ConnectionResetError):
            super().handle()

    def do_GET(self) -> None:
        self._reply(None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not body:
            self.close_connection = True  # the client has gone before it said anything
            return
        self._reply(json.loads(body))

    def _reply(self, body: Any) -> None:
        running: Scripted = self.server.running  # pyright: ignore[reportAttributeAccessIssue]
        said = running.arrived(body, dict(self.headers))
        try:
            if said is None:
                time.sleep(running.takes_s)
                said = Said(body=json.dumps(running.answer(body)).encode())
            self._say(running, said)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            running.left()

    def _say(self, running: Scripted, said: Said) -> None:
        if said.hangs:
            running.closing.wait(30)
        if said.hangs or said.drops:
            self.close_connection = True
            return
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        longer = 1_000_000 if said.trickles_s or said.cuts else 0
        self.send_header("Content-Length", str(len(said.body) + longer))
        self.end_headers()
        self.wfile.write(said.body)
        self.close_connection = self.close_connection or bool(longer)
        while said.trickles_s and not running.closing.wait(said.trickles_s):
            self.wfile.write(b" ")
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        del format, args
