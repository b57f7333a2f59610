"""Reward models of different cohorts put together, after what their own cohort's pairs say of each."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from rewardsmith.audit.observations import Observations, Rewards, distinct_conversations, observe, score_conversations
from rewardsmith.core.errors import DataError, ModelError, SettingsError
from rewardsmith.core.finding import Estimate
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.preference import Preference
from rewardsmith.core.settings import Settings
from rewardsmith.core.store import (
    MANIFEST_NAME,
    artefact_kind,
    read_manifest,
    require_replaceable,
    writing_artefact,
)
from rewardsmith.models import checkpoint
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.models.load import load_checkpoint
from rewardsmith.models.merging import merge_heads
from rewardsmith.numerics.calibration import fit_temperature
from rewardsmith.numerics.combination import Standard, standard_of, standardise
from rewardsmith.numerics.intervals import group_bootstrap
from rewardsmith.numerics.merging import Constraint, Merge, MergeRule
from rewardsmith.numerics.ranking import pair_accuracy
from rewardsmith.pipeline.evaluate import read_pairs
from rewardsmith.scoring.families.merged import FAMILY, spec_of
from rewardsmith.scoring.families.reference_set import ReferenceSet, reference_set
from rewardsmith.scoring.families.spec import SPEC_NAME, write_spec
from rewardsmith.scoring.load import load_scorer
from rewardsmith.training.store import LOG_NAME, write_log
from rewardsmith.training.train import KIND

_MEMBERS = "members"


class MergeSettings(Settings):
    """How models of different cohorts become one."""

    rule: MergeRule = "standardised"
    """`sum`, `standardised`, `log-odds`, `constrained` or `worst-cohort`; see `numerics.merging`."""

    objective: str | None = None
    """`constrained`: the cohort whose reward is to be as high as possible; the first one where absent."""

    quantile: float = Field(default=0.25, gt=0, lt=1)
    """`constrained`: every other cohort's threshold is this quantile of its own preferred responses."""

    thresholds: dict[str, float] = Field(default_factory=dict)
    """`constrained`: cohort → threshold in standard deviations of the reference set, in the place of the quantile."""

    strength: float = Field(default=4.0, ge=0)
    """`constrained`: what one standard deviation below a threshold costs, in standard deviations of the objective."""

    one_model: bool = False
    """`standardised`, of linear heads on one frozen backbone: one ordinary checkpoint with the merged head."""

    preferences: int = Field(default=512, ge=2)
    """Preferences of each cohort that are used, drawn where there are more."""

    seed: int = 0
    """Of that draw."""


@dataclass(frozen=True, slots=True)
class _Cohort:
    """Pairs of one cohort, and each member's rewards of them."""

    preferences: tuple[Preference, ...]
    observed: tuple[Observations, ...]


def merge_models(
    models: Sequence[str | Path],
    out: Path,
    *,
    cohorts: Mapping[str, str | Path],
    settings: MergeSettings | None = None,
) -> Manifest:
    """Write the merged model of `models` to `out`; it holds copies of them, so that it can be moved.

    The shared reference set is the responses of all cohorts' pairs together. The manifest's `counts.accuracy` has, for
    each cohort, the accuracy of each member and of the merged model on the pairs that were used.

    Args:
        models: Folders of scorers, one a cohort, in the order of `cohorts`.
        cohorts: Name → its pairs: a preferences artefact (its held-out side), or any source of pairs. They should be
            pairs that no member was trained on: a temperature from training pairs is too sure.

    Raises:
        SettingsError: Models and cohorts do not go together, or a setting names no cohort.
        ModelError: A model cannot be loaded, `out` would lie inside of one, or (`one_model`) they differ in more than
            their heads.
        DataError: A cohort has no pair, or a member gives all responses of a prompt one reward.
        ArtefactError: `out` holds something that is not a reward model.
    """
    settings = settings or MergeSettings()
    folders = _folders(models, cohorts, settings, out=out)
    require_replaceable(out, KIND)
    pairs = {name: _drawn(read_pairs(path, {}, None).heldout, settings) for name, path in cohorts.items()}
    rewards = _rewards(folders, pairs)
    known = {name: _Cohort(some, tuple(observe(some, each) for each in rewards)) for name, some in pairs.items()}
    reference = reference_set([each for some in pairs.values() for each in some], most=sum(map(len, pairs.values())))
    merge = fit_merge(known, rewards, reference, settings)
    counts = {
        "reference_conversations": len(reference),
        "pairs": {name: len(cohort.observed[0]) for name, cohort in known.items()},
        "accuracy": {name: _accuracies(cohort, rewards, merge, names=list(known)) for name, cohort in known.items()},
    }
    manifest = Manifest(
        kind=KIND,
        config={"name": "merged", "merge": settings.model_dump(mode="json"), "fitted": spec_of(_paths(known), merge)},
        parents={name: _digest(folder) for name, folder in zip(known, folders, strict=True)},
        counts=counts,
    )
    _write(folders, list(known), merge, manifest=manifest, one_model=settings.one_model, out=out)
    return read_manifest(out, KIND)


def fit_merge(
    cohorts: Mapping[str, _Cohort], rewards: Sequence[Rewards], reference: ReferenceSet, settings: MergeSettings
) -> Merge:
    """The rule with what it needs, from the members' rewards on the reference set and on their own cohort's pairs."""
    match settings.rule:
        case "sum":
            return Merge("sum")
        case "log-odds":
            own = [cohort.observed[number] for number, cohort in enumerate(cohorts.values())]
            temperatures = [fit_temperature(each.margin, each.prob_chosen) for each in own]
            return Merge("log-odds", temperatures=np.array(temperatures))
    table = np.array([[each[conversation] for conversation in reference.conversations] for each in rewards])
    standard = standard_of(table, reference.groups, names=list(cohorts))
    if settings.rule != "constrained":
        return Merge(settings.rule, standard=standard)
    objective = list(cohorts).index(settings.objective or next(iter(cohorts)))
    constraint = Constraint(objective, _thresholds(cohorts, standard, settings), settings.strength)
    return Merge("constrained", standard=standard, constraint=constraint)


def _thresholds(
    cohorts: Mapping[str, _Cohort], standard: Standard, settings: MergeSettings
) -> Float64[np.ndarray, " member"]:
    """The quantile of each member's standardised rewards of its own cohort's preferred responses, or what is set."""
    found = []
    for number, (name, cohort) in enumerate(cohorts.items()):
        chosen = np.zeros((len(cohorts), len(cohort.observed[number])))
        chosen[number] = cohort.observed[number].chosen_reward
        value = float(np.quantile(standardise(chosen, standard)[number], settings.quantile))
        found.append(settings.thresholds.get(name, value))
    return np.array(found)


def _accuracies(
    cohort: _Cohort, rewards: Sequence[Rewards], merge: Merge, *, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Of each member and of the merged model, on the pairs of a cohort that have a direction."""
    merged = _merged_rewards(rewards, merge)
    observed = (*cohort.observed, observe(cohort.preferences, merged))
    return {name: asdict(_accuracy(each)) for name, each in zip((*names, "merged"), observed, strict=True)}


def _merged_rewards(rewards: Sequence[Rewards], merge: Merge) -> Rewards:
    conversations = list(rewards[0].by_conversation)
    values = merge(np.array([[each[conversation] for conversation in conversations] for each in rewards]))
    return Rewards(dict(zip(conversations, values.tolist(), strict=True)), rewards[0].provenance)


def _accuracy(observed: Observations) -> Estimate:
    judged = observed.where(observed.judged)
    return group_bootstrap(pair_accuracy(judged.margin), judged.group)


def _rewards(folders: Sequence[Path], pairs: Mapping[str, Sequence[Preference]]) -> list[Rewards]:
    """Each member's rewards of every response of every cohort; the members are loaded one after the other."""
    asked = [text for some in pairs.values() for each in some for text in _conversations(each)]
    return [score_conversations(load_scorer(folder, overlength="truncate"), asked) for folder in folders]


def _conversations(preference: Preference) -> list[Any]:
    known = dict.fromkeys(distinct_conversations([preference]))
    known |= dict.fromkeys(preference.conversation(number) for number in range(len(preference.responses)))
    return list(known)


def _drawn(preferences: Sequence[Preference], settings: MergeSettings) -> tuple[Preference, ...]:
    if len(preferences) == 0:
        raise DataError("a cohort without pairs", wanted="at least one preference", got=0)
    order = np.random.default_rng(settings.seed).permutation(len(preferences))[: settings.preferences]
    return tuple(preferences[int(index)] for index in np.sort(order))


def _write(
    folders: Sequence[Path], names: Sequence[str], merge: Merge, *, manifest: Manifest, one_model: bool, out: Path
) -> None:
    with writing_artefact(out, manifest) as draft:
        if one_model and merge.standard is not None:
            loaded = [load_checkpoint(folder) for folder in folders]
            card = loaded[0].card
            model = merge_heads(loaded, merge.standard)
            checkpoint.save(model, loaded[0].tokenizer, draft.folder, base=card.base, max_tokens=card.max_tokens)
        else:
            for name, folder in zip(names, folders, strict=True):
                shutil.copytree(folder, draft.folder / _MEMBERS / name)
            write_spec(draft.folder, FAMILY, spec_of(_paths(names), merge))
        write_log(draft.folder / LOG_NAME, [])


def _paths(names: Sequence[str] | Mapping[str, Any]) -> dict[str, str]:
    return {name: f"{_MEMBERS}/{name}" for name in names}


def _folders(
    models: Sequence[str | Path], cohorts: Mapping[str, Any], settings: MergeSettings, *, out: Path
) -> list[Path]:
    """The models' folders, which go together with the cohorts and the settings."""
    if len(models) < 2 or len(models) != len(cohorts):
        raise SettingsError(
            "models and cohorts do not go together",
            wanted="two models or more, and for each, in the same order, --cohort NAME=PAIRS",
            got=f"{len(models)} models, {len(cohorts)} cohorts ({', '.join(cohorts)})",
        )
    for name in cohorts:
        if not name.replace("-", "").replace("_", "").isalnum():
            raise SettingsError("bad name of a cohort", wanted="letters, digits, - and _", got=name, where="--cohort")
    for name in (*settings.thresholds, *([settings.objective] if settings.objective else [])):
        if name not in cohorts:
            raise SettingsError("no such cohort", wanted=f"one of {', '.join(cohorts)}", got=name)
    if settings.one_model and settings.rule != "standardised":
        raise SettingsError("heads become one by one rule only", wanted="rule: standardised", got=settings.rule)
    folders = [Path(model) for model in models]
    for folder in folders:
        if not folder.is_dir():
            raise SettingsError("no such folder", wanted="folders of reward models", got=str(folder))
        if out.resolve().is_relative_to(folder.resolve()):
            raise ModelError("the merged model would lie inside a member", where=str(folder), fix="name another --out")
        if settings.one_model and (folder / SPEC_NAME).is_file():
            raise ModelError("not a single model, so that its head cannot be merged", where=str(folder))
    return folders


def _digest(folder: Path) -> str:
    if (folder / MANIFEST_NAME).is_file():
        return read_manifest(folder, artefact_kind(folder)).digest
    return weights_digest(folder)
