"""Memory that was freed is used again: in a fresh process, since the choice cannot be taken back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from rewardsmith.core.freed_memory import FreedMemory

_FAULTS = """
import resource, sys
import numpy as np
from rewardsmith.core.freed_memory import keep_freed_memory

def touch():
    for _ in range(10):
        np.empty(64 * 1024 * 1024, np.uint8).fill(1)

if sys.argv[1] == "keep":
    assert keep_freed_memory()
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

_PILES_UP = """
import numpy as np
from rewardsmith.core.freed_memory import FreedMemory, keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

assert keep_freed_memory()
arrays = [np.empty(2**20, np.uint8) for _ in range(256)]
for array in arrays:
    array.fill(1)
del arrays[:-1], array
before = resident()
assert FreedMemory(every_s=0).give_back_sometimes()
print(before - resident())
"""

is_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")


@is_glibc
def test_large_arrays_do_not_fault_again():
    faults = {
        what: int(subprocess.run([sys.executable, "-c", _FAULTS, what], check=True, capture_output=True).stdout)
        for what in ("keep", "default")
    }
    # Ten arrays of 64 MiB: 163,840 pages of 4 KiB, or 320 of 2 MiB.
    assert faults["default"] >= 300
    assert faults["keep"] < 100


@is_glibc
def test_what_piles_up_is_given_back():
    given_back = float(subprocess.run([sys.executable, "-c", _PILES_UP], check=True, capture_output=True).stdout)
    # 255 arrays of 1 MiB below one that is in use.
    assert given_back > 200


@is_glibc
def test_it_is_given_back_now_and_then():
    now = 0.0
    freed = FreedMemory(every_s=30, clock=lambda: now)
    happened = []
    for now in (29.0, 30.0, 31.0, 59.0, 60.0):
        happened.append((now, freed.give_back_sometimes()))
    assert [when for when, did in happened if did] == [30.0, 60.0]
