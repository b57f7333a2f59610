"""The user's cache: built-in models that need a conversion before their first use."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rewardsmith.core.digest import digest_json, load_file_digest
from rewardsmith.core.full_disk import telling_full_disk
from rewardsmith.core.manifest import installed_versions
from rewardsmith.models.progress_bars import without_bars

_CONVERSION_VERSION = 1


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/rewardsmith`, else `~/.cache/rewardsmith`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "rewardsmith"


def load_converted_gguf(gguf: Path, *, name: str) -> Path:
    """The folder with `gguf` as an ordinary float32 safetensors checkpoint; made at the first call.

    The folder's name holds a digest of the file, of the converter and of the packages' versions, so a stale conversion
    is never used. Two processes may convert at once: each writes its own temporary folder, and the first one stays.

    Raises:
        ArtefactError: The disk is full.
    """
    versions = installed_versions()
    made_by = {package: versions[package] for package in ("torch", "transformers")}
    key = digest_json({"gguf": load_file_digest(gguf), "made_by": made_by, "conversion": _CONVERSION_VERSION})
    folder = cache_folder() / "models" / f"{name}-{key[:16]}"
    if not (folder / "config.json").is_file():
        with telling_full_disk(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
            try:
                with without_bars():
                    _convert(gguf, temporary)
                _move(temporary, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32, trust_remote_code=False
    )
    # The weights are plain float32 now; left in place, these two would have the next reader expect a GGUF file.
    vars(model)["hf_quantizer"] = None
    vars(model.config).pop("quantization_config", None)
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))


def _move(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        if not (folder / "config.json").is_file():
            raise
