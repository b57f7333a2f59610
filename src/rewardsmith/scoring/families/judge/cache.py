"""Replies by content: what a judge's model has answered once is not asked, and not paid for, again."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import RewardsmithError, SettingsError
from rewardsmith.core.store import write_text

logger = logging.getLogger(__name__)

MAX_ENTRIES = 1 << 14
"""Replies that are held in memory."""


class ReplyCache:
    """What was answered, in memory and, where a folder is given, in one small file an answer.

    A file appears whole or not at all, at once when the answer is there, so that a killed process loses nothing that
    was answered, and any number of processes may use one folder. A damaged file is an answer that is not known; a
    folder that cannot be written any more is left alone, with one line in the log.

    Args:
        folder: Made where it is missing.
        max_entries: Most answers in memory.

    Raises:
        SettingsError: The folder cannot be used.
    """

    def __init__(self, folder: Path | None = None, *, max_entries: int = MAX_ENTRIES) -> None:
        self._folder = folder
        self._memory: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._max_entries = max_entries
        self._lock = threading.Lock()
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError(
                    "the cache of replies cannot be used", wanted="a folder", got=error, where=str(folder)
                ) from error

    def find(self, key: str) -> dict[str, Any] | None:
        """The answer under `key`, or `None`."""
        with self._lock:
            if key in self._memory:
                self._memory.move_to_end(key)
                return self._memory[key]
        folder = self._folder
        value = None if folder is None else _read(_path(folder, key))
        if value is not None:
            self._remember(key, value)
        return value

    def add(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep an answer, a JSON object."""
        self._remember(key, dict(value))
        # Taken once: another thread may find at any moment that the folder cannot be written.
        folder = self._folder
        if folder is None:
            return
        path = _path(folder, key)
        try:
            write_text(path, json.dumps({"value": dict(value), "digest": digest_json(value)}))
        except (OSError, RewardsmithError) as error:
            self._folder = None
            logger.warning("%s: the cache of replies cannot be written (%s); going on without it", path, error)

    def _remember(self, key: str, value: dict[str, Any]) -> None:
        with self._lock:
            self._memory[key] = value
            while len(self._memory) > self._max_entries:
                self._memory.popitem(last=False)


def question_key(identity: Mapping[str, Any], messages: Conversation, **further: Any) -> str:
    """Digest of all that decides an answer: the model, the messages, and what else was asked."""
    return digest_json({"identity": dict(identity), "messages": to_dicts(messages), "further": further})


def _path(folder: Path, key: str) -> Path:
    return folder / key[:2] / f"{key}.json"


def _read(path: Path) -> dict[str, Any] | None:
    """The value in a file whose digest is right."""
    try:
        found = json.loads(path.read_text("utf-8"))
        value = found["value"]
        return value if isinstance(value, dict) and digest_json(value) == found["digest"] else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: a damaged reply, asked for again (%s)", path, error)
        return None
