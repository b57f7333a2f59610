"""A preferences artefact in, an ensemble out: members trained one after the other, then combined or averaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import accelerate
import numpy as np
from jaxtyping import Float

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.scores import Scorer
from rewardsmith.core.store import read_manifest, require_replaceable, write_text, writing_artefact
from rewardsmith.models import checkpoint
from rewardsmith.models.averaging import average
from rewardsmith.models.load import load_checkpoint
from rewardsmith.numerics.combination import combine, standard_of, standardise
from rewardsmith.preferences.store import load_judged, load_table
from rewardsmith.preferences.table import PreferenceTable
from rewardsmith.scoring.families.ensemble import FAMILY, spec_of
from rewardsmith.scoring.families.reference_set import reference_set, rewards_of
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.load import load_scorer
from rewardsmith.training.adapters import adapter_model, write_adapter_ensemble
from rewardsmith.training.ensemble_settings import EnsembleSettings
from rewardsmith.training.metrics import accuracy_credits
from rewardsmith.training.recipe import Recipe, recipe_yaml
from rewardsmith.training.store import LOG_NAME, write_log
from rewardsmith.training.train import (
    KIND,
    RECIPE_NAME,
    expected_parents,
    model_is_current,
    train,
    with_settings_of,
)

MEMBERS = "members"
_SUMS = ("pairs", "tokens", "seconds", "parameters", "trained_parameters")


def train_ensemble(recipe: Recipe, data: Path, out: Path, *, resume: bool = True) -> Manifest:
    """Train the members of `recipe.ensemble` on the artefact `data` and write the artefact `out`; return its manifest.

    Each member is an artefact of its own under `<out>.work/members/` until all are there. Interrupted and called again,
    a finished member is not trained again and the one that was being trained goes on. `out` is then an ensemble that
    holds its members, or, with `average: weights`, one ordinary checkpoint.

    Members are standardised on the *training* side of the data, so that the held-out side stays for evaluation.

    Args:
        resume: Go on where an interrupted run stopped; else train every member again.

    Raises:
        SettingsError: The recipe has no `ensemble` section.
        RewardsmithError: Whatever `train` raises; or a member gives all responses of a prompt one reward.
    """
    settings = _settings(recipe)
    require_replaceable(out, KIND)
    data_manifest = read_manifest(data, "preferences")
    recipe = with_settings_of(data_manifest, recipe, where=data)
    work = out.with_name(out.name + ".work") / MEMBERS
    if not (resume and model_is_current(recipe, data_manifest, out)):
        folders = [work / str(number) for number in range(settings.members)]
        trained = [
            train(member_recipe(recipe, number), data, folder, resume=resume) for number, folder in enumerate(folders)
        ]
        if accelerate.PartialState().is_main_process:
            manifest = _manifest(recipe, data_manifest, trained)
            write = _write_average if settings.average == "weights" else _write_members
            write(recipe, data, folders, manifest=manifest, out=out)
    if accelerate.PartialState().is_main_process:
        _remove(work)
    accelerate.PartialState().wait_for_everyone()
    return read_manifest(out, KIND)


def member_recipe(recipe: Recipe, number: int) -> Recipe:
    """The recipe of one member by itself: an ordinary one.

    Order and bootstrap get a seed of their own each. The head gets one too, unless weights are to be averaged: those
    models must start from the same head (Ramé et al. 2024, section 3.1).
    """
    settings, training = _settings(recipe), recipe.training
    own: dict[str, Any] = {"data_seed": training.order_seed + number}
    if settings.average == "none":
        own["seed"] = training.seed + number
    if settings.by == "bootstrap":
        own["bootstrap"] = True
    changes: dict[str, Any] = {
        "name": f"{recipe.name}-{number}",
        "training": training.model_copy(update=own),
        "ensemble": None,
    }
    if settings.by == "adapters":
        changes["model"] = adapter_model(recipe.model)
    return recipe.model_copy(update=changes)


def _settings(recipe: Recipe) -> EnsembleSettings:
    if recipe.ensemble is None:
        raise SettingsError("the recipe is not one of an ensemble", wanted="a section `ensemble:`", where=recipe.name)
    return recipe.ensemble


def _write_members(recipe: Recipe, data: Path, folders: Sequence[Path], *, manifest: Manifest, out: Path) -> None:
    """The members, their common scale and the rule."""
    settings = _settings(recipe)
    reference = reference_set(load_judged(data), most=settings.reference, seed=recipe.training.seed)
    heldout = load_table(data, "heldout")
    asked = [*reference.conversations, *_conversations(heldout)]
    rewards = rewards_of(_scorers(folders), asked)
    known = len(reference)
    standard = standard_of(rewards[:, :known], reference.groups)
    combined = combine(standardise(rewards[:, known:], standard), settings.rule, weight=settings.weight)
    with writing_artefact(out, manifest) as draft:
        names = [f"{MEMBERS}/{number}" for number in range(len(folders))]
        if settings.by == "adapters":
            write_adapter_ensemble(folders, draft.folder, standard=standard, rule=settings.rule, weight=settings.weight)
        else:
            for name, folder in zip(names, folders, strict=True):
                shutil.copytree(folder, draft.folder / name)
            write_spec(draft.folder, FAMILY, spec_of(names, standard, rule=settings.rule, weight=settings.weight))
        _write_beside(draft.folder, recipe, folders)
        counts = {"heldout": _heldout(combined, heldout), "reference_conversations": known}
        draft.manifest = _with_counts(manifest, counts)


def _write_average(recipe: Recipe, data: Path, folders: Sequence[Path], *, manifest: Manifest, out: Path) -> None:
    """One checkpoint with the mean of the members' weights."""
    heldout = load_table(data, "heldout")
    tokenizer = load_checkpoint(folders[0]).tokenizer
    model = average(load_checkpoint(folder) for folder in folders)
    own = manifest.counts["members"][0]
    with writing_artefact(out, manifest) as draft:
        checkpoint.save(model, tokenizer, draft.folder, base=recipe.model.base, max_tokens=recipe.data.max_tokens)
        _write_beside(draft.folder, recipe, folders)
        rewards = load_scorer(draft.folder, overlength="truncate").score(_conversations(heldout)).rewards
        counts = {"heldout": _heldout(rewards, heldout), "parameters": own["parameters"]}
        draft.manifest = _with_counts(manifest, counts)


def _write_beside(folder: Path, recipe: Recipe, members: Sequence[Path]) -> None:
    write_text(folder / RECIPE_NAME, recipe_yaml(recipe))
    logs = [(member / LOG_NAME).read_text("utf-8").splitlines() for member in members]
    write_log(folder / LOG_NAME, mean_log([[json.loads(line) for line in lines] for lines in logs]))


def mean_log(logs: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The members' logs as one: of each step that all have, the mean of each number that all have."""
    by_step: list[dict[int, dict[str, Any]]] = []
    for log in logs:
        merged: dict[int, dict[str, Any]] = {}
        for line in log:
            merged.setdefault(line["step"], {}).update(line)
        by_step.append(merged)
    steps = sorted(set.intersection(*(set(each) for each in by_step)))
    return [_mean_line([each[step] for each in by_step]) for step in steps]


def _mean_line(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = [name for name in lines[0] if all(isinstance(line.get(name), int | float) for line in lines)]
    return {name: sum(line[name] for line in lines) / len(lines) for name in names} | {"step": lines[0]["step"]}


def _scorers(folders: Sequence[Path]) -> Iterator[Scorer]:
    """One after the other, so that one is in memory."""
    return (load_scorer(folder, overlength="truncate") for folder in folders)


def _conversations(table: PreferenceTable) -> list[Any]:
    return [each.conversation(number) for each in table for number in range(len(each.responses))]


def _heldout(rewards: Float[np.ndarray, " response"], table: PreferenceTable) -> dict[str, float]:
    """Accuracy over the pairs whose label has a direction, as `training.metrics` counts it."""
    pairs = table.pair_columns()
    starts = np.concatenate([[0], np.cumsum(table.response_counts)])[pairs.preference]
    direction = np.sign(pairs.prob_chosen - 0.5)
    margins = (rewards[starts + pairs.chosen] - rewards[starts + pairs.rejected]) * direction
    directed = direction != 0
    accuracy = float(accuracy_credits(margins[directed]).mean()) if directed.any() else float("nan")
    return {"accuracy": accuracy, "directed_pairs": int(directed.sum()), "pairs": len(margins)}


def _manifest(recipe: Recipe, data: Manifest, members: Sequence[Manifest]) -> Manifest:
    """Of all members together; what each came to is under `members`."""
    own = ("seed", "data_seed")
    each = [
        {name: member.config["training"][name] for name in own}
        | {name: member.counts[name] for name in ("heldout", "steps", "parameters")}
        for member in members
    ]
    first = members[0].counts
    counts = {name: first[name] for name in ("train_preferences", "heldout_preferences", "precision", "processes")}
    sums = {name: round(sum(member.counts[name] for member in members), 3) for name in _SUMS}
    return Manifest(
        kind=KIND,
        config=recipe.model_dump(mode="json"),
        seed=recipe.training.seed,
        parents=expected_parents(recipe, data),
        counts={**counts, **sums, "members": each},
    )


def _with_counts(manifest: Manifest, counts: Mapping[str, Any]) -> Manifest:
    return manifest.model_copy(update={"counts": {**manifest.counts, **counts}})


def _remove(work: Path) -> None:
    """Remove the members' own folders, and the one around them where nothing else is in it."""
    shutil.rmtree(work, ignore_errors=True)
    if work.parent.is_dir() and not any(work.parent.iterdir()):
        work.parent.rmdir()
