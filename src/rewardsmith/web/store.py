"""The file of API keys."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from rewardsmith.core.errors import RewardsmithError, SettingsError
from rewardsmith.core.settings import Settings, dump_yaml, parse_settings, parse_yaml
from rewardsmith.core.store import writing_file
from rewardsmith.web.keys import ApiKey, KeyRing, make_key

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 1.0


class KeyList(Settings):
    """What the file holds: `keys:` and a list of them, as YAML or JSON."""

    keys: tuple[ApiKey, ...]
    """All keys of the server."""


class KeysFile:
    """The keys of a file, as it is now: a key that is taken out of it is refused within a second.

    A file that cannot be read any more, or is wrong, changes nothing but for one line of the log: the keys that were
    known stay.

    Args:
        path: See `load_keys`.
        clock: Seconds; only goes forward.

    Raises:
        SettingsError: It cannot be read at first.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._ring = load_keys(path)
        self._mark = _mark(path)
        self._looked = clock()

    def __call__(self) -> KeyRing:
        """The keys."""
        now = self._clock()
        if now - self._looked >= _SECONDS_BETWEEN_LOOKS:
            self._looked = now
            mark = _mark(self.path)
            if mark != self._mark:
                self._mark = mark
                self._reload()
        return self._ring

    def _reload(self) -> None:
        try:
            self._ring = load_keys(self.path)
        except RewardsmithError as error:
            logger.error("the keys stay as they were: %s", error.problem)
        else:
            logger.info("keys read again", extra={"fields": {"keys": len(self._ring)}})


def load_keys(path: Path) -> KeyRing:
    """The keys in a YAML or JSON file.

    Raises:
        SettingsError: There is no such file, it is no list of keys, or two keys have one name.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            "cannot read the keys",
            got=error,
            where=str(path),
            fix=f"make the first one with `rewardsmith serve-key NAME --keys {path}`",
        ) from error
    # JSON is YAML.
    values = parse_yaml(text, where=str(path))
    if isinstance(values, list):
        values = {"keys": values}
    if not isinstance(values, dict):
        raise SettingsError("not a file of keys", wanted="keys: and a list", where=str(path))
    return KeyRing(parse_settings(KeyList, values, where=str(path)).keys)


def add_key(path: Path, name: str, *, role: str = "client") -> str:
    """Write a new key's digest into the file, and return the key: it is nowhere else.

    Digests of keys give nothing away, so the file may be read by the user that a container runs as.

    Raises:
        SettingsError: The file is wrong, the name is none, or it is there already.
    """
    ring = load_keys(path) if path.exists() else KeyRing([])
    key, digest = make_key()
    entry = parse_settings(ApiKey, {"name": name, "sha256": digest, "role": role}, where=f"key {name}")
    keys = KeyRing([*ring.keys, entry]).keys
    text = dump_yaml({"keys": [each.model_dump(mode="json", exclude_none=True) for each in keys]})
    with writing_file(path) as stream:
        stream.write(text.encode("utf-8"))
    return key


def _mark(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file does; absent where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
