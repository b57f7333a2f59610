"""A disk that is really full, or a real limit on the size of files, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rewardsmith.core.errors import ArtefactError, FullDiskError
from rewardsmith.core.full_disk import is_full_disk, telling_full_disk

WRITE_TOO_MUCH = """
import json, resource, sys
from pathlib import Path

import pyarrow as pa
import torch
from safetensors.torch import save_file

from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import verify_artefact, write_text, writing_artefact

def write_arrow(path, n_bytes):
    batch = pa.record_batch([pa.array(["y" * n_bytes])], names=["x"])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)

WRITERS = {
    "python": lambda path, n_bytes: path.write_bytes(b"y" * n_bytes),
    "safetensors": lambda path, n_bytes: save_file({"x": torch.zeros(n_bytes // 4)}, path),
    "torch": lambda path, n_bytes: torch.save(torch.zeros(n_bytes // 4), path),
    "arrow": write_arrow,
    "text": lambda path, n_bytes: write_text(path, "y" * n_bytes),
}

root = Path(sys.argv[1])
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
found = {}
for name, write in WRITERS.items():
    path = root / name
    for n_bytes in (4000, 3_000_000):
        try:
            with writing_artefact(path, Manifest(kind="preferences", config={})) as draft:
                write(draft.folder / "data", n_bytes)
        except ArtefactError as error:
            found[name] = str(error)
    verify_artefact(path, "preferences")
    assert 4000 <= (path / "data").stat().st_size < 10_000
print(json.dumps({"errors": found, "left": sorted(p.name for p in root.iterdir())}))
"""


def write_too_much(folder: Path, kind: str) -> subprocess.CompletedProcess[str]:
    python = [sys.executable, "-c", WRITE_TOO_MUCH, str(folder), kind]
    if kind == "limit":
        return subprocess.run(python, capture_output=True, text=True, timeout=120)
    # A disk of one mebibyte, which is gone with its process.
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    mount = 'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"'
    try:
        subprocess.run([*alone, mount, "sh", str(folder), "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a disk")
    return subprocess.run([*alone, mount, "sh", str(folder), *python], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("kind", ["disk", "limit"])
def test_what_does_not_fit_leaves_the_earlier_artefact_and_nothing_else(tmp_path: Path, kind: str):
    result = write_too_much(tmp_path, kind)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    writers = ["arrow", "python", "safetensors", "text", "torch"]
    assert found["left"] == writers
    assert sorted(found["errors"]) == writers
    for name, error in found["errors"].items():
        assert error.startswith(f"{tmp_path / name}"), error
        assert "the disk is full or a limit is reached; wanted room" in error
        assert "fix: make room" in error


def test_the_real_error_of_a_full_device_is_told():
    with pytest.raises(FullDiskError, match=r"^output: cannot write.*No space left on device; fix: make room"):  # noqa: SIM117
        with telling_full_disk(Path("output")), telling_full_disk(Path("inside")), open("/dev/full", "w") as stream:
            stream.write("x")


def test_other_errors_stay_what_they_are(tmp_path: Path):
    with pytest.raises(FileNotFoundError), telling_full_disk(tmp_path):
        (tmp_path / "none").read_text()
    assert not is_full_disk(RuntimeError("shapes do not match"))
    assert not is_full_disk(ArtefactError("cannot write (os error 28)"))
    assert is_full_disk(Exception("No space left on device (os error 28)"))
