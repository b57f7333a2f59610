"""What a round of the refresh loop began with: written down once, so that it goes on with just that."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.scores import Provenance, Scorer
from rewardsmith.core.settings import Settings, parse_settings
from rewardsmith.core.store import MANIFEST_NAME, read_manifest
from rewardsmith.pipeline.evaluate import model_manifest
from rewardsmith.pipeline.load import load_recipe
from rewardsmith.pipeline.old_labels import OldLabels, old_labels
from rewardsmith.refresh.settings import RefreshSettings
from rewardsmith.refresh.store import write_values
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.remote import is_address
from rewardsmith.training.recipe import Recipe

KIND = "refresh-round"
ROUND, CANDIDATES, DRIFT, TO_LABEL = "round", "candidates", "drift", "to_label"
LABELS, MIXTURE, DATA, MODEL, COMPARISON, PROMOTION = "labels", "mixture", "data", "model", "comparison", "promotion"
WORK = "work"
ROUND_NAME = "round.json"

# What decides which questions are asked; the rest may be changed while the labels are awaited.
_DECIDING = ("choose", "sample", "seed")
_LATER = ("recipe",)


class RoundInputs(Settings):
    """What a round works with, as it was named."""

    incumbent: str | None = None
    """Folder or hub id of the model in use; a link is followed once, when the round begins."""

    traffic: str | None = None
    """Served traffic: a log's folder or one of its files."""

    samples: str | None = None
    """Samples of a policy: an artefact's folder, or a file of candidates."""

    policy: str | None = None
    """Language model that writes responses: to `prompts`, and to served prompts that have too few."""

    prompts: str | None = None
    """File of prompts for `policy`."""

    replay: str | None = None
    """Old labels: a preferences artefact, or any source of pairs. What the incumbent was trained on, if absent."""

    recipe: str | None = None
    """Recipe of the new model; the incumbent's own, if absent."""


@dataclass(frozen=True, slots=True)
class Round:
    """A round that has begun.

    Attributes:
        folder: Takes an artefact a step.
        inputs: What was named, with the incumbent as it was found.
        settings: How it goes.
        provenance: Of the incumbent.
        digest: Of all that decides which questions are asked.
        old: Labels of before.
    """

    folder: Path
    inputs: RoundInputs
    settings: RefreshSettings
    provenance: Provenance
    digest: str
    old: OldLabels = field(repr=False)

    @property
    def incumbent(self) -> str:
        """Folder or hub id."""
        return str(self.inputs.incumbent)

    def load_scorer(self) -> Scorer:
        """The incumbent; over-long texts are cut.

        A step loads its own and keeps no rewards for the next: a reward depends on the company that it was computed in,
        by its last bits, and a step that is done again shall find the same.
        """
        return load_scorer(self.incumbent, overlength="truncate")

    @property
    def recipe(self) -> Recipe:
        """How the incumbent was trained, or what was named in its place.

        Raises:
            SettingsError: Nobody knows.
        """
        if self.inputs.recipe is not None:
            return load_recipe(Path(self.inputs.recipe))
        manifest = model_manifest(Path(self.incumbent))
        if manifest is None:
            raise SettingsError(
                "nobody knows how this incumbent was trained",
                wanted="a model that rewardsmith trained, or --recipe FILE",
                got=self.incumbent,
                where="--recipe",
            )
        return parse_settings(Recipe, manifest.config, where=str(Path(self.incumbent) / MANIFEST_NAME))


def begin(out: Path, inputs: RoundInputs, settings: RefreshSettings | None) -> Round:
    """The round in `out`: the one that is there, or a new one.

    Of one that is there, what is not named is what it began with. What decides the questions cannot be changed; recipe,
    share of replay, start and rule of promotion can, until it is decided, and are then written down.

    Raises:
        SettingsError: Something that a round needs is not named, or is another than the round began with.
        ModelError: There is no incumbent.
    """
    if (out / ROUND / MANIFEST_NAME).is_file():
        return _resumed(out, inputs, settings)
    settings = settings or RefreshSettings()
    _require_whole(inputs)
    incumbent = str(inputs.incumbent)
    found = os.path.realpath(incumbent) if Path(incumbent).is_dir() else incumbent
    provenance = load_scorer(found, overlength="truncate").score([]).provenance
    values = {"incumbent": found, "model": provenance.model_digest, "template": provenance.template_digest}
    _write(out, inputs, settings, values)
    return _round(out, inputs, settings, values)


def _write(out: Path, inputs: RoundInputs, settings: RefreshSettings, values: dict[str, Any]) -> None:
    """The round's own artefact; its configuration is what decides the questions, its file is all that was named."""
    named = inputs.model_dump(mode="json")
    config = {"inputs": {name: value for name, value in named.items() if name not in _LATER}, **_deciding(settings)}
    parents = {"incumbent": values["model"]}
    manifest = Manifest(kind=KIND, config=config, seed=settings.seed, parents=parents)
    told = values | {"inputs": named, "settings": settings.model_dump(mode="json")}
    write_values(out / ROUND, ROUND_NAME, told, manifest)


def stored_settings(out: Path) -> RefreshSettings:
    """What the round in `out` goes by; the defaults where none has begun."""
    if not (out / ROUND / MANIFEST_NAME).is_file():
        return RefreshSettings()
    return parse_settings(RefreshSettings, _values(out)["settings"], where=str(out / ROUND))


def _values(out: Path) -> dict[str, Any]:
    read_manifest(out / ROUND, KIND)
    return json.loads((out / ROUND / ROUND_NAME).read_text("utf-8"))


def _resumed(out: Path, inputs: RoundInputs, settings: RefreshSettings | None) -> Round:
    values, stored = _values(out), stored_settings(out)
    began = parse_settings(RoundInputs, values["inputs"], where=str(out / ROUND))
    named = {name: value for name, value in inputs.model_dump().items() if value is not None}
    for name, value in named.items():
        if name not in _LATER and value != getattr(began, name):
            raise _changed(name, getattr(began, name), value, out)
    settings = settings or stored
    for name, value in _deciding(settings).items():
        if value != _deciding(stored)[name]:
            raise _changed(name, _deciding(stored)[name], value, out)
    inputs = began.model_copy(update=named)
    if (inputs, settings) != (began, stored) and not (out / PROMOTION / MANIFEST_NAME).is_file():
        _write(out, inputs, settings, values)
    return _round(out, inputs, settings, values)


def _round(out: Path, inputs: RoundInputs, settings: RefreshSettings, values: dict[str, Any]) -> Round:
    manifest = read_manifest(out / ROUND, KIND)
    return Round(
        folder=out,
        inputs=inputs.model_copy(update={"incumbent": values["incumbent"]}),
        settings=settings,
        provenance=Provenance(values["model"], values["template"]),
        digest=digest_json([manifest.config, manifest.parents]),
        old=old_labels(inputs.replay, values["incumbent"]),
    )


def _require_whole(inputs: RoundInputs) -> None:
    if inputs.incumbent is None:
        raise SettingsError("no incumbent", wanted="--incumbent MODEL", where="--incumbent")
    if is_address(inputs.incumbent):
        raise SettingsError(
            "a served model cannot be retrained",
            wanted="its folder or hub id",
            got=inputs.incumbent,
            where="--incumbent",
        )
    named = [name for name in ("traffic", "samples", "prompts") if getattr(inputs, name) is not None]
    if len(named) != 1:
        raise SettingsError(
            "responses from one place", wanted="--traffic, --samples, or --policy with --prompts", got=named or "none"
        )
    if inputs.prompts is not None and inputs.policy is None:
        raise SettingsError("nobody answers the prompts", wanted="--policy MODEL", where="--policy")


def _deciding(settings: RefreshSettings) -> dict[str, Any]:
    values = settings.model_dump(mode="json")
    return {name: values[name] for name in _DECIDING}


def _changed(name: str, began: object, got: object, out: Path) -> SettingsError:
    return SettingsError(
        f"the round began with another {name}",
        wanted=str(began),
        got=got,
        where=str(out),
        fix="leave it out, or name another --out for a new round",
    )
