"""`rewardsmith export`: a reward model as one portable file, measured against itself before it is called good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from rewardsmith.audit.evaluation import to_json
from rewardsmith.core.errors import ModelError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer
from rewardsmith.core.settings import Settings
from rewardsmith.core.store import require_replaceable, write_json, writing_artefact
from rewardsmith.models.export.format import FILE_NAMES, Format
from rewardsmith.models.export.onnx import require_onnx
from rewardsmith.models.load import load_checkpoint
from rewardsmith.pipeline.evaluate import read_pairs
from rewardsmith.pipeline.export_change import Change, change_of
from rewardsmith.pipeline.export_write import write_exported
from rewardsmith.pipeline.side_by_side import Speed, score_side_by_side, speed_of
from rewardsmith.scoring.families.exported import KIND
from rewardsmith.scoring.families.spec import SPEC_NAME, read_spec
from rewardsmith.scoring.load import load_scorer
from rewardsmith.training.precision import bf16_pays

REPORT_NAME = "export.json"
STARTER = "builtin:starter"

NOT_GOOD = 9
"""Exit code of an export that changes the order of too many pairs; that of a candidate which is worse, too."""


class ExportSettings(Settings):
    """What is exported, and when it is good."""

    format: Format
    """`torchscript`, `onnx`, or `int8`: ONNX with the linear layers in eight bits."""

    max_flips: float = Field(default=0.01, ge=0, le=1)
    """Largest share of the pairs whose order may change. A model that hardly tells pairs apart flips many of them."""

    max_preferences: int = Field(default=500, ge=1)
    """Preferences that are measured on, drawn where there are more; an interval says what so many can tell."""

    force: bool = False
    """Write an export that is not good, too; it says so of itself."""

    seed: int = 0
    """Of the draw and of the intervals."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is another one's rewards and speed, against those of the model in float32."""

    change: Change
    speed: Speed


@dataclass(frozen=True, slots=True)
class Export:
    """What became of an export.

    Attributes:
        good: No more pairs changed their order than may, and each has a reward.
        written: The artefact is there.
        format: Of the file.
        max_flips: How many might.
        measured: The exported file.
        bf16: The model itself in bf16, beside an `int8` one, where this processor has such arithmetic.
        source_bytes: Size of the model's weights in float32.
        bytes: Size of the exported file.
        quantised_layers: Layers in eight bits.
    """

    good: bool
    written: bool
    format: Format
    max_flips: float
    measured: Comparison
    bf16: Comparison | None
    source_bytes: int
    bytes: int
    quantised_layers: int

    @property
    def exit_code(self) -> int:
        """0, or 9 of an export that is not good, written or not."""
        return 0 if self.good else NOT_GOOD


def export_model(
    model: str | Path,
    out: Path,
    *,
    settings: ExportSettings,
    pairs: str | Path | None = None,
    source: Mapping[str, Any] | None = None,
) -> Export:
    """Export the reward model at `model` into the folder `out`, which `load_scorer` reads like any other.

    The file is run on the pairs before it takes its place: where more of them change their order than may, nothing is
    written, unless the settings say `force`.

    Args:
        model: Checkpoint folder or hub id of a single reward model.
        pairs: A preferences artefact (its held-out side) or any source of pairs; the built-in ones where absent.
        source: Further keys of `SourceSettings`, where `pairs` is not an artefact.

    Raises:
        ModelError: It is no single reward model, or its architecture cannot be exported.
        MissingDependencyError: The packages of the extra `export` are not installed.
        DataError: There is nothing to measure on.
        ArtefactError: `out` holds something else.
    """
    require_replaceable(out, KIND)
    if settings.format != "torchscript":
        require_onnx()
    _require_single(model)
    read = read_pairs(pairs or STARTER, source or {}, None)
    preferences = _drawn(list(read.heldout), settings)
    loaded = load_checkpoint(model)
    manifest = Manifest(
        kind=KIND,
        config={"model": str(model), "pairs": str(pairs or STARTER), **settings.model_dump(mode="json")},
        seed=settings.seed,
        parents={"model": loaded.digest} | ({} if read.digest is None else {"data": read.digest}),
    )
    try:
        with writing_artefact(out, manifest) as draft:
            layers = write_exported(loaded, draft.folder, settings.format)
            export = _export(model, draft.folder, preferences, settings, layers=layers)
            counts = {"preferences": len(preferences), "quantised_layers": layers}
            draft.manifest = manifest.model_copy(update={"counts": {"good": export.good} | counts})
            write_json(draft.folder / REPORT_NAME, as_json(export))
            if not export.written:
                raise _NotGoodError(export)
    except _NotGoodError as stop:
        return stop.export
    return export


def as_json(export: Export) -> dict[str, Any]:
    """The export as JSON values; NaN becomes `null`."""
    return to_json(export) | {"exit_code": export.exit_code}


class _NotGoodError(Exception):
    """Ends the writing of an artefact that is not to appear."""

    def __init__(self, export: Export) -> None:
        super().__init__("the export is not good")
        self.export = export


def _export(
    model: str | Path, folder: Path, preferences: Sequence[Preference], settings: ExportSettings, *, layers: int
) -> Export:
    """The exported folder and its source, both run on the pairs."""
    before = load_scorer(model, overlength="truncate")
    scorers: dict[str, Scorer] = {"before": before, "after": load_scorer(folder, overlength="truncate")}
    if settings.format == "int8" and bf16_pays():
        scorers["bf16"] = load_scorer(model, overlength="truncate", precision="bf16")
    found = score_side_by_side(scorers, preferences)
    compared = {
        name: Comparison(
            change_of(preferences, found["before"].rewards, each.rewards, seed=settings.seed),
            speed_of(each, found["before"]),
        )
        for name, each in found.items()
    }
    change = compared["after"].change
    good = change.unscored == 0 and change.flips.value <= settings.max_flips
    return Export(
        good=good,
        written=good or settings.force,
        format=settings.format,
        max_flips=settings.max_flips,
        measured=compared["after"],
        bf16=compared.get("bf16"),
        source_bytes=_weight_bytes(before),
        bytes=sum(each.stat().st_size for each in folder.glob(f"{FILE_NAMES[settings.format]}*")),
        quantised_layers=layers,
    )


def _weight_bytes(scorer: Any) -> int:
    return sum(each.numel() * each.element_size() for each in scorer.model.parameters())


def _require_single(model: str | Path) -> None:
    spec = read_spec(Path(model))
    if spec is not None:
        raise ModelError(
            "only single reward models can be exported",
            wanted="a checkpoint with one head",
            got=f"family {spec['family']}",
            where=str(Path(model) / SPEC_NAME),
            fix="export its members, or serve it as it is",
        )


def _drawn(preferences: Sequence[Preference], settings: ExportSettings) -> list[Preference]:
    order = np.random.default_rng(settings.seed).permutation(len(preferences))[: settings.max_preferences]
    return [preferences[int(index)] for index in np.sort(order)]
