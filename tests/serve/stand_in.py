"""A small real process in the place of a model's, without torch: a text says what happens when it is scored.

A reward is the number of characters of the text, plus what the path says: `plus:100`. A path that is a file has its
content for its weights. `slow:0.2` in a path is the seconds that a batch takes.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.core.errors import DataError, ModelError, RewardsmithError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.serve.work import Answer, Ask, Card

DIE = "die"
"""A text that ends the process, each time."""

DIE_ONCE = "die once "
"""The beginning of a text that ends the process unless the file that it names is there; the file is made first."""

REFUSED = "refused"
"""A text that is no good."""


def stand_in(pipe: Connection, path: str, options: dict[str, Any]) -> None:
    """The entry of a process; see `serve.process.Entry`."""
    del options
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "broken" in path:
        pipe.send(ModelError("not a reward model", where=path))
        return
    if "mute" in path:
        os._exit(3)
    weights = Path(path).read_text("utf-8") if Path(path).is_file() else path
    provenance = Provenance(weights, "template")
    pipe.send(Card("single", provenance, 1000, frozenset({"texts"}), is_relative="relative" in path))
    try:
        while True:
            asks: Sequence[Ask] = pipe.recv()
            time.sleep(_number("slow", path, 0.0))
            pipe.send([_answer(ask, provenance, len(asks), _number("plus", path, 0.0)) for ask in asks])
    except (EOFError, OSError):
        return


def _answer(ask: Ask, provenance: Provenance, n_asks: int, plus: float) -> Answer | RewardsmithError:
    for text in ask.texts:
        if text.startswith(DIE_ONCE):
            sign = Path(text.removeprefix(DIE_ONCE))
            if not sign.exists():
                sign.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        elif text == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
    if REFUSED in ask.texts:
        return DataError("refused", where=f"text {ask.texts.index(REFUSED)}")
    rewards = np.array([len(text) + plus for text in ask.texts], np.float32)
    # How many requests were in the batch, where a test can see it.
    company = {"company": np.full(len(ask.texts), n_asks, np.float32)}
    return Answer(Scores(rewards, provenance, attributes=company), tuple(len(text) for text in ask.texts))


def _number(name: str, path: str, absent: float) -> float:
    found = re.search(rf"{name}:([\d.]+)", path)
    return float(found[1]) if found else absent
