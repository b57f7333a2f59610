"""The command line, called as a user calls it, in this process."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from rewardsmith.cli.main import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Outcome]]:
    """`cli("data", "check", path)` → exit code and what was printed."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["rewardsmith", *map(str, arguments)])
        capsys.readouterr()  # what the test itself has caused to be printed so far
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    with _logging_restored():
        yield call


@contextlib.contextmanager
def _logging_restored() -> Iterator[None]:
    """A server's command logs to the standard error of its test, which is closed afterwards."""
    loggers = [logging.getLogger(name) for name in ("rewardsmith", "uvicorn")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
