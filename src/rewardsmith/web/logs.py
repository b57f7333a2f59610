"""Log lines as JSON, one a line. Nothing of a text stands in them: an exception is told by its class and its frames."""

from __future__ import annotations

import datetime
import json
import logging
import traceback
from typing import Any, TextIO

import orjson


class JsonLines(logging.Formatter):
    """A record as one JSON line: `time`, `level`, `logger`, `message`, what `extra={"fields": …}` holds, `exception`.

    The message of an exception may quote what it stumbled over, a text of a request. So only its class and the places
    in the code are told, unless `with_texts`.
    """

    def __init__(self, *, with_texts: bool = False) -> None:
        super().__init__()
        self._with_texts = with_texts

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        told: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1] is not None:
            told["exception"] = self._described(record.exc_info[1])
        try:
            return orjson.dumps(told, default=str).decode("utf-8")
        except TypeError:
            # Half a surrogate pair, in a text that the operator wants to see.
            return json.dumps(told, default=str)

    def _described(self, error: BaseException) -> dict[str, Any]:
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        told: dict[str, Any] = {"type": type(error).__name__, "frames": frames[-20:]}
        if self._with_texts:
            told["text"] = str(error)
        cause = error.__cause__ or error.__context__
        return told if cause is None else told | {"cause": self._described(cause)}


def configure_logs(stream: TextIO, *, level: str = "info", with_texts: bool = False) -> None:
    """Let rewardsmith and uvicorn log to `stream` as JSON lines, in the place of where they logged before.

    uvicorn's own line a request is left out: it holds paths, and `web.requests` says more.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(with_texts=with_texts))
    for name in ("rewardsmith", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper())
        logger.propagate = False
    logging.getLogger("uvicorn.access").disabled = True
