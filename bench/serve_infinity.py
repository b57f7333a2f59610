"""infinity-emb's classify in an environment of its own, which is made when it is first needed.

Its newest release works with older versions of click and transformers than rewardsmith's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import measure
from serve_process import Server, running

ENVIRONMENT = measure.CACHE / "infinity"
VERSION = "0.0.78"
_INSTALL_S = 1800


def installed() -> str | None:
    """Make the environment where it is not there; why it cannot be made, or nothing where all is well."""
    if _program().is_file():
        return None
    # The same torch as ours: a looser range takes the build for CUDA.
    wanted = [f"infinity-emb[server,torch]=={VERSION}", "click<8.2", "transformers<5", f"torch=={_torch()}"]
    steps = (
        [sys.executable, "-m", "venv", str(ENVIRONMENT)],
        [str(ENVIRONMENT / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *wanted],
    )
    for step in steps:
        done = _done(step)
        if done is not None:
            return done
    return None if _program().is_file() else "it was installed without its command"


def infinity(model: Path, *, dtype: str) -> contextlib.AbstractContextManager[Server]:
    """The server, as it is by default (PyTorch, batches of at most 32), without the Internet."""
    command = [str(_program()), "v2", "--model-id", str(model), "--served-model-name", "model"]
    options = ["--engine", "torch", "--device", "cpu", "--dtype", dtype, "--log-level", "warning"]
    environment = {"TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}
    return running([*command, *options], ready="/health", environment=environment)


def two_label_copy(model: Path, folder: Path) -> Path:
    """A copy of an encoder's checkpoint with a second output that is always 0, in `folder`.

    A model of one output gets no `/classify` there. With the copy the first label's score is the reward.
    """
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder)
    weights = load_file(model / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = torch.cat([weights[name], torch.zeros_like(weights[name])])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((model / "config.json").read_text("utf-8"))
    labels = {"id2label": {"0": "reward", "1": "zero"}, "label2id": {"reward": 0, "zero": 1}}
    (folder / "config.json").write_text(json.dumps(config | labels), "utf-8")
    return folder


def _program() -> Path:
    return ENVIRONMENT / "bin" / "infinity_emb"


def _torch() -> str:
    return version("torch").partition("+")[0]


def _done(step: list[str]) -> str | None:
    try:
        done = subprocess.run(step, capture_output=True, text=True, timeout=_INSTALL_S, env={**os.environ})
    except (OSError, subprocess.TimeoutExpired) as error:
        return repr(error)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason given"])[-1]
