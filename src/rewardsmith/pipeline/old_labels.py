"""Labels of before: what the incumbent was trained and judged on, or what the user names in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.preference import Preference
from rewardsmith.core.settings import parse_settings
from rewardsmith.core.store import MANIFEST_NAME, read_manifest
from rewardsmith.pipeline.evaluate import model_manifest
from rewardsmith.preferences.reading import Reader
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.store import KIND as DATA_KIND
from rewardsmith.preferences.store import load_judged, load_source_digests, load_table

DATA_NAME = "data"
"""Folder beside a model that a run or a round leaves its preferences in."""


@dataclass(frozen=True, slots=True)
class OldLabels:
    """What the incumbent was trained and judged on.

    Attributes:
        folder: The preferences artefact, where it is one.
        source: Any other source of pairs.
    """

    folder: Path | None = None
    source: str | None = None

    @property
    def name(self) -> str:
        """For reports."""
        return "no old labels" if self.folder is None and self.source is None else str(self.folder or self.source)

    @property
    def digest(self) -> str:
        """Of their content."""
        if self.folder is not None:
            return read_manifest(self.folder, DATA_KIND).digest
        if self.source is None:
            return ""
        settings = DataSettings(sources=(SourceSettings(path=self.source),))
        return "/".join(load_source_digests(settings).values())

    def split_of(self, data: DataSettings) -> DataSettings:
        """`data`, split as these were: a held-out prompt stays held out."""
        if self.folder is None:
            return data
        own = parse_settings(DataSettings, read_manifest(self.folder, DATA_KIND).config, where=str(self.folder))
        return data.model_copy(update={"heldout_share": own.heldout_share, "split_salt": own.split_salt})

    def heldout(self) -> Sequence[Preference]:
        """The held-out side of an artefact; of another source everything, since nobody knows its sides."""
        return load_table(self.folder, "heldout") if self.folder is not None else self.read()

    def train(self) -> Sequence[Preference]:
        """The training side of an artefact, without pairs that were made; nothing of another source."""
        return load_judged(self.folder) if self.folder is not None else ()

    def read(self) -> list[Preference]:
        """All of them."""
        if self.folder is not None:
            return [*self.train(), *self.heldout()]
        return [] if self.source is None else read_pairs(self.source)


def read_pairs(source: str) -> list[Preference]:
    """The usable preferences of a source, ties among them.

    Raises:
        DataError: It cannot be read.
    """
    reader = Reader(DataSettings(sources=(SourceSettings(path=source),), ties="keep"))
    return [row.outcome for row in reader if isinstance(row.outcome, Preference)]


def old_labels(replay: str | None, incumbent: str) -> OldLabels:
    """Those that are named, else the artefact beside the incumbent that it was trained on, else none.

    Raises:
        ArtefactError: The incumbent is another artefact than a reward model.
    """
    if replay is not None:
        is_artefact = (Path(replay) / MANIFEST_NAME).is_file()
        return OldLabels(folder=Path(replay)) if is_artefact else OldLabels(source=replay)
    manifest = model_manifest(Path(incumbent))
    beside = Path(incumbent).parent / DATA_NAME
    if manifest is not None and (beside / MANIFEST_NAME).is_file():
        try:
            if read_manifest(beside, DATA_KIND).digest == manifest.parents.get("data"):
                return OldLabels(folder=beside)
        except ArtefactError:
            return OldLabels()
    return OldLabels()
