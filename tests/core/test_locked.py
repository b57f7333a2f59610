"""One process at a time works in a folder, and a killed one leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.locked import locked

_HOLD = """
import sys, time
from pathlib import Path
from rewardsmith.core.locked import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_is_told_where(tmp_path: Path):
    folder = tmp_path / "round"
    with locked(folder), pytest.raises(ArtefactError, match="another process") as caught, locked(folder):
        pass
    assert caught.value.where == str(folder)
    with locked(folder):
        pass


def test_the_system_frees_what_a_killed_process_held(tmp_path: Path):
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ArtefactError), locked(tmp_path):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(10)
    with locked(tmp_path):
        pass
