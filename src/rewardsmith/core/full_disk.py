"""A full disk, told in one line: the libraries that write report it in half a dozen ways."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from rewardsmith.core.errors import FullDiskError, RewardsmithError

_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# safetensors and tokenizers hand on the text of the system's error; torch.save says only that its stream broke.
_TEXTS = (
    *(f"(os error {number})" for number in _NUMBERS),
    "unexpected pos",
    "iostream error",
    "PytorchStreamWriter failed",
)


@contextlib.contextmanager
def telling_full_disk(path: Path) -> Iterator[None]:
    """Let what is written to `path` in the block fail with one clear error where there is no room for it.

    Of nested blocks the outermost names its path: what the user asked for.

    Raises:
        FullDiskError: The disk is full, or a quota or a limit on the size of files is reached.
    """
    try:
        yield
    except Exception as error:
        if not is_full_disk(error):
            raise
        raise full_disk_error(error, str(path)) from error


def is_full_disk(error: BaseException) -> bool:
    """Whether `error` says that something could not be written for want of room."""
    if isinstance(error, RewardsmithError):
        return isinstance(error, FullDiskError)
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _NUMBERS
    return any(text in str(error) for text in _TEXTS)


def full_disk_error(error: BaseException, where: str) -> FullDiskError:
    """What to tell of `error`."""
    return FullDiskError(
        "cannot write, the disk is full or a limit is reached",
        wanted="room for the whole output; what was there before is kept",
        got=error.got if isinstance(error, FullDiskError) else str(error),
        where=where,
        fix="make room, or name an output on another disk, then give the same command again",
    )
