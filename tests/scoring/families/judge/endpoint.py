"""A small OpenAI-compatible endpoint on this machine, in a thread, which can be told to misbehave."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Messages = list[dict[str, str]]


@dataclass
class Misbehaviour:
    """What happens to one request in the place of a reply.

    Attributes:
        status: HTTP status.
        body: Of the reply.
        headers: Of the reply.
        hangs: Say nothing until the endpoint is closed.
        trickles: Send a byte every so many seconds and never end.
        drops: Close the connection without a word.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    trickles: float = 0.0
    drops: bool = False


@dataclass
class Endpoint:
    """A running endpoint.

    Attributes:
        url: Its base URL.
        reply: Messages → the text of the reply.
        script: Misbehaviours of the next requests.
        bodies: Of all requests, in order.
        headers: Of all requests, in order.
        most_at_once: Most requests under way at the same time.
        takes_s: How long a reply takes.
        counts_tokens: Whether replies hold `usage`.
    """

    url: str
    reply: Callable[[Messages], str]
    script: deque[Misbehaviour] = field(default_factory=deque)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    takes_s: float = 0.0
    counts_tokens: bool = True
    closing: threading.Event = field(default_factory=threading.Event)
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arrived(self, body: dict[str, Any], headers: dict[str, str]) -> Misbehaviour | None:
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            return self.script.popleft() if self.script else None

    def left(self) -> None:
        with self._lock:
            self._now -= 1


@contextmanager
def endpoint(reply: Callable[[Messages], str], *, port: int = 0) -> Iterator[Endpoint]:
    """An endpoint on 127.0.0.1 that answers by `reply`, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    running = Endpoint(f"http://127.0.0.1:{server.server_address[1]}/v1", reply)
    server.endpoint = running  # pyright: ignore[reportAttributeAccessIssue]
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

    def do_POST(self) -> None:
        running: Endpoint = self.server.endpoint  # pyright: ignore[reportAttributeAccessIssue]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wrong = running.arrived(body, dict(self.headers))
        try:
            if wrong is not None:
                self._misbehave(running, wrong)
            elif self.path != "/v1/chat/completions":
                self._send(404, b'{"error": "no such route"}', {})
            else:
                time.sleep(running.takes_s)
                self._send(200, json.dumps(_completion(running, body)).encode(), {})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            running.left()

    def _misbehave(self, running: Endpoint, wrong: Misbehaviour) -> None:
        if wrong.hangs:
            running.closing.wait(30)
        if wrong.hangs or wrong.drops:
            self.close_connection = True
        elif wrong.trickles:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while not running.closing.wait(wrong.trickles):
                self.wfile.write(b" ")
                self.wfile.flush()
        else:
            self._send(wrong.status, wrong.body, wrong.headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def _completion(running: Endpoint, body: Mapping[str, Any]) -> dict[str, Any]:
    text = running.reply(body["messages"])
    said = sum(len(message["content"].split()) for message in body["messages"])
    counts = {"usage": {"prompt_tokens": said, "completion_tokens": len(text.split())}}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"object": "chat.completion", "choices": [choice], **(counts if running.counts_tokens else {})}


def shown(messages: Sequence[Mapping[str, str]]) -> list[str]:
    """The answers in a question to a judge, in the order in which they are shown."""
    return re.findall(r"<answer(?:_[ab])?>\n(.*?)\n</answer", messages[0]["content"], re.DOTALL)


def goodness(answer: str) -> int:
    """How many times an answer says `good`: what the rules below go by."""
    return answer.count("good")


def fair(messages: Messages) -> str:
    """Compares by goodness, whatever the order; rates by it too."""
    answers = shown(messages)
    if len(answers) == 1:
        return f"I counted.\nScore: {1 + min(8, goodness(answers[0]))}"
    lead = goodness(answers[0]) - goodness(answers[1])
    return f"I counted.\nVerdict: {'A' if lead > 0 else 'B' if lead < 0 else 'tie'}"


def first_always(messages: Messages) -> str:
    """Names the answer that is shown first, whatever it says."""
    del messages
    return "Verdict: A"
