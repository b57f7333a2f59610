"""A small application behind all guards, in this process or behind uvicorn on a free port."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel

from rewardsmith.core.errors import OverlengthError, OverloadError
from rewardsmith.web.guards import Guards, add_guards
from rewardsmith.web.keys import require_admin
from rewardsmith.web.limits import charge_tokens, require_texts
from rewardsmith.web.requests import record_of


class Body(BaseModel):
    texts: list[str]
    number: int = 0


def small_app(guards: Guards) -> FastAPI:
    """One route of each kind."""
    app = FastAPI()
    add_guards(app, guards)

    @app.post("/echo/{name}")
    async def echo(name: str, body: Body, request: Request) -> dict[str, Any]:
        require_texts(request, len(body.texts))
        n_tokens = sum(map(len, body.texts))
        charge_tokens(request, n_tokens)
        record_of(request).note(
            model=name,
            n_texts=len(body.texts),
            n_tokens=n_tokens,
            stages={"queue": 0.0, "score": 0.0},
            headers={"X-Extra": "yes"},
            texts=body.texts,
        )
        return {"texts": body.texts}

    @app.post("/fails/{how}")
    async def fails(how: str, body: Body) -> None:
        match how:
            case "overlength":
                raise OverlengthError("too many tokens", wanted="at most 5", got=9, where="texts.0", fix="truncate")
            case "overload":
                raise OverloadError("the queue is full", retry_after_s=2.2)
            case _:
                raise ValueError(f"never tell {body.texts[0]}")

    @app.get("/health")
    async def health() -> str:
        return "fine"

    @app.post("/admin", dependencies=[Depends(require_admin)])
    async def admin() -> str:
        return "done"

    return app


@contextlib.contextmanager
def listening(app: Any) -> Iterator[int]:
    """`app` behind uvicorn; the port."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    give_up = time.monotonic() + 20
    while not server.started and time.monotonic() < give_up:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)


def raw_exchange(port: int, *pieces: bytes, pause_s: float = 0.0, timeout_s: float = 20.0) -> bytes:
    """What a server answers to bytes that come piece by piece, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as line:
        for piece in pieces:
            with contextlib.suppress(ConnectionError):
                line.sendall(piece)
            time.sleep(pause_s)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while chunk := line.recv(1 << 16):
                answer += chunk
        return answer


@pytest.fixture
def app_of() -> Any:
    return small_app
