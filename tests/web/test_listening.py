"""A port is taken at once, by one; signals are told to whoever asked, and to nobody afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket

import pytest

from rewardsmith.core.errors import SettingsError
from rewardsmith.web.listening import listen, on_signals, url_of


def test_who_comes_before_the_server_runs_waits() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            assert url_of("127.0.0.1", listening) == f"http://127.0.0.1:{port}"
        # Only then does asyncio turn Nagle's delay off.
        assert listening.proto == socket.IPPROTO_TCP


def test_a_port_that_is_taken_is_named() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}"):
            listen("127.0.0.1", port)


def test_an_address_with_colons_is_put_in_brackets() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as listening:
        assert url_of("::1", listening) == f"http://[::1]:{listening.getsockname()[1]}"


def test_signals_are_told_while_it_lasts() -> None:
    async def go() -> list[str]:
        told: list[str] = []
        before = signal.getsignal(signal.SIGTERM)
        with on_signals(lambda: told.append("stop")):
            for number in (signal.SIGTERM, signal.SIGINT):
                os.kill(os.getpid(), number)
                await asyncio.sleep(0.05)
        assert signal.getsignal(signal.SIGTERM) == before
        return told

    assert asyncio.run(go()) == ["stop", "stop"]
