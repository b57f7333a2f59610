"""Steps that are done once: what a step made is kept, with what it was made from, and is not made again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.store import artefact_kind, read_manifest, verify_artefact, write_json

TIMES_NAME = "times.jsonl"


def digest_of(folder: Path) -> str:
    """Of the content of an artefact, whatever its kind."""
    return read_manifest(folder, artefact_kind(folder)).digest


class Steps:
    """The steps of a turn in `out`.

    A step that ended left a small file that says what it was made from and what it made. It is skipped while both are
    as they were. One that was killed on the way is called again, and goes on by itself where the command behind it can.

    Args:
        out: Folder of the turn.
        say: Called with a line about each step.
    """

    def __init__(self, out: Path, say: Callable[[str], None] = print) -> None:
        self.out = out
        self._say = say

    def do(
        self,
        name: str,
        make: Callable[[], object],
        *,
        made_from: Mapping[str, Any],
        folders: list[Path],
        clear: Callable[[], None] = lambda: None,
    ) -> None:
        """Call `make`, unless its artefacts are whole and made from the same.

        Args:
            name: Of the step; steps have different ones.
            make: Writes the artefacts.
            made_from: All that decides them, as JSON: settings, and digests of the artefacts that are read.
            folders: The artefacts.
            clear: Called first where an earlier call began from something else, and `make` cannot replace what it left.
        """
        key = digest_json(dict(made_from))
        if self._is_done(name, key, folders):
            self._time(name, "kept")
            self._say(f"{name:<16} kept")
            return
        if self._known(name).get("made_from", key) != key:
            clear()
        write_json(self._file(name), {"made_from": key})
        self._time(name, "began")
        started = time.perf_counter()
        make()
        made = {str(folder.relative_to(self.out)): digest_of(folder) for folder in folders}
        write_json(self._file(name), {"made_from": key, "made": made})
        self._time(name, "ended")
        self._say(f"{name:<16} {time.perf_counter() - started:6.0f} s")

    def seconds(self) -> dict[str, float | None]:
        """What each step took; `None` where it was interrupted, so that nobody knows."""
        events: dict[str, list[tuple[str, float]]] = {}
        for line in (self.out / TIMES_NAME).read_text("utf-8").splitlines():
            values = json.loads(line)
            if values["event"] != "kept":
                events.setdefault(values["step"], []).append((values["event"], values["time"]))
        # Of a step that was made anew, from something else, the last time counts.
        last = {name: found[-2:] for name, found in events.items()}
        cut = {name for name, found in events.items() if any(a == b for (a, _), (b, _) in pairwise(found))}
        return {
            name: None if name in cut or len(found) < 2 else round(found[1][1] - found[0][1], 1)
            for name, found in last.items()
        }

    def _is_done(self, name: str, key: str, folders: list[Path]) -> bool:
        known = self._known(name)
        made = known.get("made", {})
        if known.get("made_from") != key or len(made) != len(folders):
            return False
        try:
            return all(
                made.get(str(folder.relative_to(self.out))) == verify_artefact(folder, artefact_kind(folder)).digest
                for folder in folders
            )
        except ArtefactError:
            return False

    def _known(self, name: str) -> dict[str, Any]:
        """What an earlier call left."""
        try:
            return json.loads(self._file(name).read_text("utf-8"))
        except (OSError, ValueError):
            return {}

    def _file(self, name: str) -> Path:
        return self.out / "steps" / f"{name}.json"

    def _time(self, name: str, event: str) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        with (self.out / TIMES_NAME).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": name, "event": event, "time": round(time.time(), 2)}) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
