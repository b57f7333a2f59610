"""The manifest: what an artefact is, how it came to be, and what was dropped on the way."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import Field

from rewardsmith import __version__
from rewardsmith.core.digest import digest_json
from rewardsmith.core.settings import Settings

_RECORDED_PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "peft", "accelerate", "numpy", "pyarrow")


def installed_versions() -> dict[str, str]:
    """Versions of rewardsmith, Python and of the packages that decide the numbers."""
    versions = {"rewardsmith": __version__, "python": platform.python_version()}
    for package in _RECORDED_PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return versions


class Manifest(Settings):
    """`manifest.json` of an artefact folder."""

    kind: str
    """What the folder is: `preferences`, `data-card`, `reward-model`, `evaluation`."""

    config: dict[str, Any]
    """The resolved settings that made it."""

    seed: int | None = None
    """Seed of whatever was random; absent where nothing was."""

    parents: dict[str, str] = Field(default_factory=dict)
    """Name of each input → digest of its content."""

    counts: dict[str, Any] = Field(default_factory=dict)
    """Everything kept, dropped and repaired, by reason."""

    versions: dict[str, str] = Field(default_factory=installed_versions)
    """Packages that decide the numbers."""

    files: dict[str, str] = Field(default_factory=dict)
    """Relative path → sha256 of each file, this one excepted."""

    @property
    def digest(self) -> str:
        """Digest of the artefact's content: its files, whatever they were made by."""
        return digest_json(self.files)

    def with_files(self, files: Mapping[str, str]) -> Manifest:
        """A copy that lists `files`."""
        return self.model_copy(update={"files": dict(files)})
