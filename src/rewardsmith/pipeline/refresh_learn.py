"""The second half of a round: labels, mixture, a new model, and how it stands against the incumbent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from rewardsmith.audit.evaluation import to_json
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.core.store import read_manifest, write_json, writing_artefact
from rewardsmith.optimise.gold import Gold
from rewardsmith.optimise.load import GoldKind, load_gold
from rewardsmith.pipeline.compare import KIND as COMPARISON_KIND
from rewardsmith.pipeline.compare import compare_models
from rewardsmith.pipeline.old_labels import read_pairs
from rewardsmith.pipeline.prepare import data_is_current, prepare_for
from rewardsmith.pipeline.refresh_round import (
    COMPARISON,
    DATA,
    LABELS,
    MIXTURE,
    MODEL,
    PROMOTION,
    TO_LABEL,
    Round,
)
from rewardsmith.pipeline.train import train_recipe
from rewardsmith.preferences.keys import group_hash
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.split import heldout_mask
from rewardsmith.preferences.store import KIND as DATA_KIND
from rewardsmith.preferences.store import load_source_digests
from rewardsmith.refresh.asked import Asked, answered
from rewardsmith.refresh.promote import Decision, decide
from rewardsmith.refresh.recipe import next_recipe, starts_from_incumbent
from rewardsmith.refresh.replay import mix, rows_of
from rewardsmith.refresh.store import TO_LABEL_KIND, current, read_to_label, write_rows, write_values
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.train import KIND as MODEL_KIND

LABELS_KIND = "labels"
MIXTURE_KIND = "refresh-mixture"
PROMOTION_KIND = "promotion"
LABELS_NAME = "labels.json"
DECISION_NAME = "decision.json"

_FEWEST_RESPONSES = 8


@dataclass(frozen=True, slots=True)
class GoldLabels:
    """A gold in the place of people.

    Attributes:
        gold: Rates the responses; the higher one is chosen, equal ones are a tie.
    """

    gold: Gold

    @property
    def digest(self) -> str:
        """Of what it is."""
        return digest_json(dict(self.gold.identity))

    def preferences(self, asked: list[Asked]) -> list[Preference]:
        """A label a pair; pairs without two ratings stay unanswered."""
        sides = [(*each.prompt, *response) for each in asked for response in each.responses]
        ratings = np.asarray(self.gold.rate(sides), dtype=np.float64).reshape(-1, 2)
        labels = zip(asked, ratings, strict=True)
        return [_gold_label(each, pair) for each, pair in labels if np.isfinite(pair).all()]


@dataclass(frozen=True, slots=True)
class FileLabels:
    """Labels in a file of pairs, or in any other source of preferences.

    Attributes:
        source: As in a recipe.
    """

    source: str

    @property
    def digest(self) -> str:
        """Of its content."""
        settings = DataSettings(sources=(SourceSettings(path=self.source),))
        return digest_json(list(load_source_digests(settings).values()))

    def preferences(self, asked: list[Asked]) -> list[Preference]:  # noqa: ARG002
        """The usable ones; rows that nobody judged are none."""
        return read_pairs(self.source)


Labels = GoldLabels | FileLabels


def load_labels(file: str | None, gold: str | None) -> Labels | None:
    """The labels that a command line names: a file, or `KIND=SOURCE` of a gold (`KIND=SOURCE#rating` of several).

    Raises:
        SettingsError: Both are named, or the gold is none.
        RewardsmithError: The gold cannot be read.
    """
    if gold is None:
        return None if file is None else FileLabels(file)
    if file is not None:
        raise SettingsError("labels from two places", wanted="--labels or --gold", where="--gold")
    name, _, source = gold.partition("=")
    kind = next((each for each in get_args(GoldKind) if each == name), None)
    if kind is None or not source:
        raise SettingsError("no such gold", wanted=f"{'|'.join(get_args(GoldKind))}=SOURCE", got=gold, where="--gold")
    path, _, rating = source.partition("#")
    return GoldLabels(load_gold(kind, path, rating=rating or None))


def take_labels(round_: Round, labels: Labels) -> Manifest:
    """The labels that came back, matched with what was asked: `pairs.jsonl`, and `labels.json` with what they say.

    Raises:
        DataError: There is no usable label.
    """
    out = round_.folder / LABELS
    parents = {"asked": read_manifest(round_.folder / TO_LABEL, TO_LABEL_KIND).digest, "labels": labels.digest}
    manifest = Manifest(kind=LABELS_KIND, config={}, seed=round_.settings.seed, parents=parents)
    if current(out, manifest):
        return read_manifest(out, LABELS_KIND)
    asked = read_to_label(round_.folder / TO_LABEL)
    found = answered(asked, labels.preferences(asked), seed=round_.settings.seed)
    if not found.preferences:
        raise DataError("no label came back", wanted="pairs with a label", got=found.counts, where="--labels")
    values = {"counts": found.counts, "accuracy_by_lot": found.accuracy, "accuracy_on_chosen": found.hard_accuracy}
    with writing_artefact(out, manifest.model_copy(update={"counts": found.counts})) as draft:
        _write_preferences(draft.folder, "", found.preferences)
        write_json(draft.folder / LABELS_NAME, to_json(values))
    return read_manifest(out, LABELS_KIND)


def make_mixture(round_: Round) -> Manifest:
    """New labels beside old ones, in the share that the settings state."""
    out, settings = round_.folder / MIXTURE, round_.settings
    data = round_.old.split_of(round_.recipe.data)
    parents = {"labels": read_manifest(round_.folder / LABELS, LABELS_KIND).digest, "old": round_.old.digest}
    config = {"replay_share": settings.replay_share, "heldout_share": data.heldout_share, "salt": data.split_salt}
    manifest = Manifest(kind=MIXTURE_KIND, config=config, seed=settings.seed, parents=parents)
    if current(out, manifest):
        return read_manifest(out, MIXTURE_KIND)
    new = [each for file in _files(round_.folder / LABELS, "") for each in read_pairs(str(file))]
    mixture = mix(
        new,
        round_.old.read(),
        share=settings.replay_share,
        is_heldout=lambda group: _is_heldout(group, data),
        seed=settings.seed,
    )
    counts: dict[str, Any] = mixture.counts | {"replay_share": round(mixture.share, 4), "old": round_.old.name}
    with writing_artefact(out, manifest.model_copy(update={"counts": counts})) as draft:
        _write_preferences(draft.folder, "new-", mixture.new)
        _write_preferences(draft.folder, "old-", (*mixture.old_train, *mixture.old_heldout))
    return read_manifest(out, MIXTURE_KIND)


def learn(round_: Round) -> Manifest:
    """Prepare the mixture and train the next model on it; both go on where they were interrupted."""
    files = [*_files(round_.folder / MIXTURE, "new-"), *_files(round_.folder / MIXTURE, "old-")]
    most = max([_FEWEST_RESPONSES, *(len(each.responses) for file in files for each in _rankings(file))])
    sources = [SourceSettings(path=str(file), max_responses=most) for file in files]
    recipe = required_recipe(round_, sources)
    if not data_is_current(recipe, round_.folder / DATA):
        prepare_for(recipe, round_.folder / DATA)
    return train_recipe(recipe, round_.folder / DATA, round_.folder / MODEL)


def required_recipe(round_: Round, sources: list[SourceSettings]) -> Recipe:
    """The recipe of the next model.

    Raises:
        SettingsError: Nobody knows how the incumbent was trained, or training cannot start from it.
    """
    last = round_.recipe
    last = last.model_copy(update={"data": round_.old.split_of(last.data)})
    return next_recipe(last, sources, round_.settings, incumbent=round_.incumbent)


def judge(round_: Round) -> Decision:
    """Candidate against incumbent on the same held-out pairs, old and new, and what the rule makes of it."""
    model, data = round_.folder / MODEL, round_.folder / DATA
    out = round_.folder / COMPARISON
    comparison = compare_models(model, round_.incumbent, data=data, out=out, seed=round_.settings.seed)
    decision = decide(comparison, round_.settings.promote)
    parents = {
        "candidate": read_manifest(model, MODEL_KIND).digest,
        "comparison": read_manifest(round_.folder / COMPARISON, COMPARISON_KIND).digest,
        "data": read_manifest(data, DATA_KIND).digest,
        "incumbent": round_.provenance.model_digest,
    }
    config = {
        **round_.settings.promote.model_dump(mode="json"),
        "from_incumbent": starts_from_incumbent(round_.recipe, round_.settings),
    }
    manifest = Manifest(kind=PROMOTION_KIND, config=config, parents=parents, counts={"promoted": decision.promoted})
    write_values(round_.folder / PROMOTION, DECISION_NAME, decision.to_dict(), manifest)
    return decision


def _gold_label(asked: Asked, ratings: np.ndarray) -> Preference:
    tie = bool(ratings[0] == ratings[1])
    order = (0, 1) if ratings[0] >= ratings[1] else (1, 0)
    pair = Pair(*order, prob_chosen=0.5 if tie else 1.0, tie=tie)
    return Preference(asked.prompt, asked.responses, (pair,), asked.id, asked.group, "gold")


def _write_preferences(folder: Path, prefix: str, preferences: tuple[Preference, ...]) -> None:
    """Files of pairs and of rankings, as far as there are any."""
    for name, rows in zip(("pairs", "rankings"), rows_of(preferences), strict=True):
        if rows:
            write_rows(folder / f"{prefix}{name}.jsonl", rows)


def _files(folder: Path, prefix: str) -> list[Path]:
    found = (folder / f"{prefix}{name}.jsonl" for name in ("pairs", "rankings"))
    return [file for file in found if file.is_file()]


def _rankings(file: Path) -> list[Preference]:
    return read_pairs(str(file)) if file.name.endswith("rankings.jsonl") else []


def _is_heldout(group: str, data: DataSettings) -> bool:
    hashes = np.array([group_hash(group, data.split_salt)], dtype=np.uint64)
    return bool(heldout_mask(hashes, data.heldout_share)[0])
