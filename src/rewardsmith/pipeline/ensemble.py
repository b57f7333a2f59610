"""Models that are there already, put together: an ensemble that holds copies of them, or the mean of their weights."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.preference import Preference
from rewardsmith.core.store import MANIFEST_NAME, artefact_kind, read_manifest, require_replaceable, writing_artefact
from rewardsmith.models import checkpoint
from rewardsmith.models.averaging import average
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.models.load import load_checkpoint
from rewardsmith.numerics.combination import Rule, standard_of
from rewardsmith.pipeline.evaluate import read_pairs
from rewardsmith.preferences.store import KIND as DATA_KIND
from rewardsmith.preferences.store import load_judged
from rewardsmith.scoring.families.ensemble import FAMILY, check_rule, spec_of
from rewardsmith.scoring.families.reference_set import REFERENCE_PREFERENCES, reference_set, rewards_of
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.load import load_scorer
from rewardsmith.training.ensemble import MEMBERS
from rewardsmith.training.store import LOG_NAME, write_log
from rewardsmith.training.train import KIND


def combine_models(
    models: Sequence[str | Path],
    *,
    data: str | Path,
    out: Path,
    rule: Rule = "mean",
    weight: float = 0.5,
    reference: int = REFERENCE_PREFERENCES,
) -> Manifest:
    """Write an ensemble of `models` to `out`; it holds copies of them, so that it can be moved.

    Args:
        models: Folders of scorers, of any family, base and tokenizer; two at least.
        data: The reference set on which members are standardised: a preferences artefact (its training side), or any
            source of pairs.
        reference: Preferences of it that are used.

    Raises:
        SettingsError: There are fewer than two models, one is no folder, or the rule is unknown.
        ModelError: A model cannot be loaded, or `out` would lie inside of one.
        DataError: There is no pair to standardise on, or a member gives all responses of a prompt one reward.
        ArtefactError: `out` holds something that is not a reward model.
    """
    check_rule(rule, weight)
    folders = _folders(models, out)
    require_replaceable(out, KIND)
    known = reference_set(_reference(data), most=reference)
    rewards = rewards_of((load_scorer(folder, overlength="truncate") for folder in folders), known.conversations)
    standard = standard_of(rewards, known.groups, names=[str(folder) for folder in folders])
    names = [f"{MEMBERS}/{number}" for number in range(len(folders))]
    manifest = _manifest(
        folders,
        {"rule": rule, "weight": weight, "average": "none"},
        counts={"members": len(folders), "reference_conversations": len(known)},
    )
    with writing_artefact(out, manifest) as draft:
        for name, folder in zip(names, folders, strict=True):
            shutil.copytree(folder, draft.folder / name)
        write_spec(draft.folder, FAMILY, spec_of(names, standard, rule=rule, weight=weight))
        write_log(draft.folder / LOG_NAME, [])
    return read_manifest(out, KIND)


def average_models(models: Sequence[str | Path], *, out: Path) -> Manifest:
    """Write the mean of the weights of `models` to `out`, one ordinary checkpoint.

    Raises:
        SettingsError: There are fewer than two models, or one is no folder.
        ModelError: One cannot be loaded, or they did not start from one base and, where it is known, one head.
        ArtefactError: `out` holds something that is not a reward model.
    """
    folders = _folders(models, out)
    require_replaceable(out, KIND)
    _require_same_head(folders)
    first = load_checkpoint(folders[0])
    model = average(load_checkpoint(folder) for folder in folders)
    manifest = _manifest(folders, {"average": "weights"}, counts={"members": len(folders)})
    with writing_artefact(out, manifest) as draft:
        checkpoint.save(model, first.tokenizer, draft.folder, base=first.card.base, max_tokens=first.card.max_tokens)
        write_log(draft.folder / LOG_NAME, [])
    return read_manifest(out, KIND)


def _reference(data: str | Path) -> Sequence[Preference]:
    folder = Path(data)
    if (folder / MANIFEST_NAME).is_file() and artefact_kind(folder) == DATA_KIND:
        return load_judged(folder)
    return read_pairs(data, {}, None).heldout


def _folders(models: Sequence[str | Path], out: Path) -> list[Path]:
    if len(models) < 2:
        raise SettingsError("an ensemble of one", wanted="two models or more", got=len(models))
    folders = [Path(model) for model in models]
    for folder in folders:
        if not folder.is_dir():
            raise SettingsError("no such folder", wanted="folders of reward models", got=str(folder))
        if out.resolve().is_relative_to(folder.resolve()):
            raise ModelError("the ensemble would lie inside a member", where=str(folder), fix="name another --out")
    return folders


def _require_same_head(folders: Sequence[Path]) -> None:
    """As far as manifests say: models of other tools say nothing of their start."""
    seeds: dict[Path, int] = {}
    for folder in folders:
        if (folder / MANIFEST_NAME).is_file():
            seed = read_manifest(folder, KIND).config.get("training", {}).get("seed")
            seeds |= {} if seed is None else {folder: seed}
    if len(set(seeds.values())) > 1:
        raise ModelError(
            "models that started from different heads cannot be averaged",
            wanted="one training.seed",
            got=", ".join(f"{folder.name}: {seed}" for folder, seed in seeds.items()),
            fix="train them with one training.seed and different training.data_seed, or combine their rewards",
        )


def _manifest(folders: Sequence[Path], settings: dict[str, object], *, counts: dict[str, int]) -> Manifest:
    parents = {f"{MEMBERS}/{number}": _digest(folder) for number, folder in enumerate(folders)}
    return Manifest(kind=KIND, config={"name": "ensemble", "ensemble": settings}, parents=parents, counts=counts)


def _digest(folder: Path) -> str:
    if (folder / MANIFEST_NAME).is_file():
        return read_manifest(folder, artefact_kind(folder)).digest
    return weights_digest(folder)
