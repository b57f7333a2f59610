"""A ratings artefact in, a reward model with a head an attribute out.

The folder is an ordinary reward model, whose own head gives the default reward: with heads that are linear in the same
features, the weighted sum of the attributes is one linear head too. Beside it lie the heads by themselves, and
`scorer.json`, by which rewardsmith gives each attribute and takes other weights.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import accelerate
import numpy as np
import torch
from jaxtyping import Float32, Float64

from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.settings import parse_settings
from rewardsmith.core.store import (
    MANIFEST_NAME,
    is_current,
    read_manifest,
    require_replaceable,
    write_text,
    writing_artefact,
)
from rewardsmith.models import checkpoint
from rewardsmith.models.builtin import resolve
from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.models.load import LoadedModel, build, load_checkpoint
from rewardsmith.models.merging import set_head
from rewardsmith.models.reward_model_card import RewardModelCard
from rewardsmith.numerics.regression import LinearHead, fit_ridge
from rewardsmith.preferences.ratings.rating import Rating
from rewardsmith.preferences.ratings.scales import Scales, attributes_in, require_attributes, signs_of, targets
from rewardsmith.preferences.ratings.store import KIND as RATINGS
from rewardsmith.preferences.ratings.store import load_ratings, scales_in
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.families.attributes import FAMILY, HEADS_NAME, AttributeHeads, weight_row
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.families.store import save_heads
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.attribute_report import attribute_report
from rewardsmith.training.attribute_settings import AttributeSettings
from rewardsmith.training.cache import cached_rows
from rewardsmith.training.recipe import Recipe, recipe_yaml
from rewardsmith.training.resume import work_folder
from rewardsmith.training.store import LOG_NAME, write_log
from rewardsmith.training.train import KIND, RECIPE_NAME

_PART = 1024
"""Conversations whose features are kept together: what a killed run loses at most."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The ratings of one side, their standardised targets, and what the heads read."""

    ratings: tuple[Rating, ...]
    targets: Float64[np.ndarray, "rating attribute"]
    features: Float32[np.ndarray, "rating hidden"]


def train_attributes(recipe: Recipe, data: Path, out: Path, *, resume: bool = True) -> Manifest:
    """Fit the heads of `recipe.attributes` on the ratings artefact `data`, write `out`, and return its manifest.

    The model that the heads read stays as it is. Its features, nearly all of the work, are kept in `<out>.work/` until
    `out` is there: interrupted and called again, at most the last thousand conversations are computed again. The
    manifest's `counts.heldout` holds, for each attribute, R², Spearman's correlation beside that of length alone, and
    the accuracy within prompts, on the held-out side, with intervals over prompt groups.

    Args:
        resume: Go on where an interrupted run stopped; else begin again.

    Raises:
        SettingsError: The recipe has no `attributes` section, a weight is for another attribute, or the direction of
            one is not that of the data.
        ArtefactError: `data` is not a ratings artefact, or `out` holds something else.
        DataError: There is nothing to learn an attribute from.
        ModelError: The model cannot be used, or the data were prepared for another one.
    """
    settings = _settings(recipe)
    require_replaceable(out, KIND)
    manifest = read_manifest(data, RATINGS)
    recipe = recipe.model_copy(update={"data": parse_settings(DataSettings, manifest.config["data"], where=str(data))})
    parents = _parents(recipe, settings, manifest)
    config = recipe.model_dump(mode="json")
    work = work_folder(out, digest_json([config["model"], config["attributes"]["features_from"], parents]))
    if not (resume and is_current(out, kind=KIND, config=config, parents=parents)):
        if not resume:
            shutil.rmtree(work, ignore_errors=True)
        scales = scales_in(manifest, where=str(data))
        names = _names(settings, scales, where=str(data / MANIFEST_NAME))
        weights = dict.fromkeys(names, 1.0) if not settings.weights else dict(settings.weights)
        weight_row(names, weights)
        base = _base(recipe, settings)
        sides = _sides(base, recipe, manifest, data=data, names=names, scales=scales, work=work)
        fitted = [_fit(sides[0], column, settings) for column in range(len(names))]
        if accelerate.PartialState().is_main_process:
            written = Manifest(kind=KIND, config=config, parents=parents, counts=_counts(names, fitted, sides))
            _write(base, recipe, written, names=names, fitted=fitted, weights=weights, scales=scales, out=out)
    if accelerate.PartialState().is_main_process:
        _remove(work)
    accelerate.PartialState().wait_for_everyone()
    return read_manifest(out, KIND)


def _settings(recipe: Recipe) -> AttributeSettings:
    if recipe.attributes is None:
        raise SettingsError("the recipe is not one of attributes", wanted="a section `attributes:`", where=recipe.name)
    return recipe.attributes


def _parents(recipe: Recipe, settings: AttributeSettings, data: Manifest) -> dict[str, str]:
    folder = Path(settings.features_from or resolve(recipe.model.base))
    return {"data": data.digest} | ({"base": weights_digest(folder)} if folder.is_dir() else {})


def _names(settings: AttributeSettings, scales: Scales, *, where: str) -> tuple[str, ...]:
    """The attributes to learn, whose direction must be that which the data were prepared with."""
    signs = signs_of(settings.names)
    names = tuple(signs) or attributes_in(scales)
    require_attributes(names, scales, where=where)
    for name, sign in signs.items():
        known = {attributes[name].sign for attributes in scales.values() if name in attributes}
        if known != {sign}:
            raise SettingsError(
                f"the direction of {name!r} is not that of the data",
                wanted="lower is better" if known == {-1} else "higher is better",
                where="attributes.names",
                fix="prepare the ratings again with these names",
            )
    return names


def _base(recipe: Recipe, settings: AttributeSettings) -> LoadedModel:
    """What the heads read: a trained reward model, or the untrained base with a head that will be replaced."""
    if settings.features_from is not None:
        return load_checkpoint(settings.features_from)
    if recipe.model.head != "linear":
        raise SettingsError(
            "a new two-layer head gives random features", wanted="model.head: linear", got=recipe.model.head
        )
    path = resolve(recipe.model.base)
    model = build(recipe.model.model_copy(update={"trainable": "head"}), seed=recipe.training.seed)
    return LoadedModel(model.eval(), load_tokenizer(path), RewardModelCard(base=recipe.model.base), "")


def _sides(
    base: LoadedModel,
    recipe: Recipe,
    manifest: Manifest,
    *,
    data: Path,
    names: Sequence[str],
    scales: Scales,
    work: Path,
) -> tuple[_Side, _Side]:
    scorer = _scorer(base, recipe, manifest, where=str(data))
    train, heldout = (
        _Side(ratings, targets(ratings, names, scales), _features(scorer, ratings, work / side))
        for side, ratings in (("train", load_ratings(data, "train")), ("heldout", load_ratings(data, "heldout")))
    )
    return train, heldout


def _scorer(base: LoadedModel, recipe: Recipe, manifest: Manifest, *, where: str) -> FastScorer:
    base.model.to("cuda" if torch.cuda.is_available() else "cpu")
    capacity = token_capacity(base.model, base.tokenizer)
    limit = min(recipe.data.max_tokens, capacity or recipe.data.max_tokens)
    encoder = ConversationEncoder(base.tokenizer, max_tokens=limit)
    for name, own in (("tokenizer", encoder.tokenizer_digest), ("template", encoder.template_digest)):
        if manifest.parents.get(name) != own:
            raise ModelError(
                f"the ratings were prepared with another {name}",
                wanted=own,
                got=manifest.parents.get(name),
                where=where,
                fix="prepare the ratings again for this model",
            )
    overlength = "truncate" if recipe.data.overlength == "truncate" else "raise"
    return FastScorer(base.model, encoder, overlength=overlength, precision="auto")


def _features(scorer: FastScorer, ratings: Sequence[Rating], folder: Path) -> Float32[np.ndarray, "rating hidden"]:
    """What the heads read of each rating, computed part by part; a part that is on the disk is not computed again."""
    width = scorer.model.output_layer.in_features
    parts = [np.empty((0, width), np.float32)]
    for start in range(0, len(ratings), _PART):
        some = [each.conversation for each in ratings[start : start + _PART]]
        path = folder / str(start) / "features.f32"
        parts.append(
            cached_rows(
                path,
                rows=len(some),
                width=width,
                compute=lambda asked, some=some: scorer.features(some[asked.start : asked.stop]),
            )
        )
    return np.concatenate(parts)


def _fit(side: _Side, column: int, settings: AttributeSettings) -> LinearHead:
    groups = np.array([each.group for each in side.ratings], dtype=object)
    strengths = settings.l2_grid if settings.l2 is None else (settings.l2,)
    return fit_ridge(side.features, side.targets[:, column], groups, l2=strengths, folds=settings.folds)


def _heads(names: Sequence[str], fitted: Sequence[LinearHead]) -> AttributeHeads:
    weight = np.stack([each.weight for each in fitted]).astype(np.float32)
    return AttributeHeads(tuple(names), weight, np.array([each.bias for each in fitted], np.float32))


def _counts(names: Sequence[str], fitted: Sequence[LinearHead], sides: tuple[_Side, _Side]) -> dict[str, Any]:
    train, heldout = sides
    predicted = _heads(names, fitted)(heldout.features)
    return {
        "train_ratings": len(train.ratings),
        "heldout_ratings": len(heldout.ratings),
        "heads": {name: {"l2": each.l2, "train": each.rows} for name, each in zip(names, fitted, strict=True)},
        "heldout": attribute_report(names, heldout.ratings, predicted=predicted, targets=heldout.targets),
    }


def _write(
    base: LoadedModel,
    recipe: Recipe,
    manifest: Manifest,
    *,
    names: Sequence[str],
    fitted: Sequence[LinearHead],
    weights: Mapping[str, float],
    scales: Scales,
    out: Path,
) -> None:
    heads = _heads(names, fitted)
    set_head(base.model, *heads.combined(weights))
    standards = {
        source: {name: scale.model_dump() for name, scale in attributes.items() if name in names}
        for source, attributes in scales.items()
    }
    spec = {"heads": HEADS_NAME, "names": list(names), "weights": dict(weights), "standards": standards}
    with writing_artefact(out, manifest) as draft:
        checkpoint.save(
            base.model, base.tokenizer, draft.folder, base=base.card.base, max_tokens=recipe.data.max_tokens
        )
        save_heads(draft.folder / HEADS_NAME, heads.weight, heads.bias)
        write_spec(draft.folder, FAMILY, spec)
        write_text(draft.folder / RECIPE_NAME, recipe_yaml(recipe))
        write_log(draft.folder / LOG_NAME, [])


def _remove(work: Path) -> None:
    """Remove this run's features, and the folder around them where nothing else is in it."""
    shutil.rmtree(work, ignore_errors=True)
    if work.parent.is_dir() and not any(work.parent.iterdir()):
        work.parent.rmdir()
