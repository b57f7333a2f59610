"""The progress bars of transformers: for people who watch, not for log files."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from huggingface_hub.constants import HF_HUB_DISABLE_PROGRESS_BARS
from transformers.utils import logging


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """No bars while weights are fetched, loaded or saved, unless standard error is a terminal.

    Who has set `HF_HUB_DISABLE_PROGRESS_BARS`, to 0 or 1, gets what it says.
    """
    if sys.stderr.isatty() or HF_HUB_DISABLE_PROGRESS_BARS is not None:
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()
