"""The last stage: score the held-out preferences of a reward model, and write the report."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.audit.data.label_curve import Featuriser
from rewardsmith.audit.evaluate import evaluate
from rewardsmith.audit.evaluation import Evaluation
from rewardsmith.audit.report.evaluation import Context
from rewardsmith.audit.store import load_training_log, write_evaluation
from rewardsmith.core.errors import ArtefactError, DataError, ModelError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.preference import Preference
from rewardsmith.core.settings import parse_settings
from rewardsmith.core.store import MANIFEST_NAME, artefact_kind, read_manifest
from rewardsmith.models.builtin import resolve
from rewardsmith.models.load import build
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.reading import Reader
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.store import KIND as DATA_KIND
from rewardsmith.preferences.store import load_judged, load_table
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.families.exported import KIND as EXPORTED_KIND
from rewardsmith.scoring.families.judge.load import KIND as JUDGE_KIND
from rewardsmith.scoring.load import load_scorer
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.store import LOG_NAME
from rewardsmith.training.train import KIND as MODEL_KIND

logger = logging.getLogger(__name__)

# Floating-point operations that the label curve may cost: about a minute on two cores.
_LABEL_CURVE_FLOPS = 1.2e13
_MOST_LABEL_CURVE_PREFERENCES = 1000
_FEWEST_LABEL_CURVE_PREFERENCES = 100


@dataclass(frozen=True, slots=True)
class Pairs:
    """What a model is evaluated on, and what is known about it."""

    heldout: Sequence[Preference]
    train: Sequence[Preference] | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    digest: str | None = None
    mean_tokens: float = 0.0


def evaluate_model(
    model: str | Path,
    *,
    data: str | Path,
    out: Path | None = None,
    source: Mapping[str, Any] | None = None,
    cache: Path | None = None,
    seed: int = 0,
) -> Evaluation:
    """Evaluate a checkpoint, of this tool or of another, and write the report to `out` where that is given.

    Args:
        model: Checkpoint folder or hub id.
        data: A preferences artefact (its held-out side; its training side serves the gap, the leakage check and the
            label curve where the model was trained on it), or any source of pairs.
        source: Further keys of `SourceSettings` (layout, rating, split, …), where `data` is not an artefact.
        cache: Folder that keeps rewards for later evaluations and for `rewardsmith score`.

    Raises:
        ModelError: No usable reward model is there.
        DataError: There is nothing to evaluate on.
    """
    trained = model_manifest(Path(model))
    pairs = read_pairs(data, source or {}, trained)
    scorer = load_scorer(model, overlength="truncate", cache=cache)
    base, limit = _label_curve_features(trained, pairs)
    evaluation = evaluate(
        scorer,
        pairs.heldout,
        train=pairs.train,
        training_log=load_training_log(Path(model) / LOG_NAME) if trained is not None else None,
        base_features=base,
        max_label_curve_preferences=limit,
        seed=seed,
    )
    if out is not None:
        context = context_of("evaluate", model, data, out=out, trained=trained, pairs=pairs)
        write_evaluation(evaluation, out, context=context)
    return evaluation


def model_manifest(folder: Path) -> Manifest | None:
    """The manifest of a model that this tool trained; none of any other checkpoint, a judge or an exported model."""
    if not (folder / MANIFEST_NAME).is_file() or artefact_kind(folder) in (JUDGE_KIND, EXPORTED_KIND):
        return None
    return read_manifest(folder, MODEL_KIND)


def read_pairs(data: str | Path, source: Mapping[str, Any], trained: Manifest | None) -> Pairs:
    """The pairs of a prepared folder or of any source.

    Raises:
        ArtefactError: The folder is empty, or is another artefact.
        DataError: No row can be used.
    """
    folder = Path(data)
    if (folder / MANIFEST_NAME).is_file():
        manifest = read_manifest(folder, DATA_KIND)
        train = load_judged(folder)
        same = trained is not None and trained.parents.get("data") == manifest.digest
        return Pairs(
            heldout=load_table(folder, "heldout"),
            train=train if same else None,
            counts=manifest.counts,
            digest=manifest.digest,
            mean_tokens=float(np.mean(train.lengths)),
        )
    if folder.is_dir() and not any(folder.iterdir()):
        raise ArtefactError("the folder is empty", wanted="a preferences artefact or files of pairs", where=str(data))
    return _from_source(parse_settings(SourceSettings, {**source, "path": str(data)}, where=str(data)))


def _from_source(source: SourceSettings) -> Pairs:
    """All usable pairs of a source; rows that are not usable are counted."""
    reader = Reader(DataSettings(sources=(source,), ties="keep"))
    outcomes = [judged.outcome for judged in reader]
    kept = [outcome for outcome in outcomes if isinstance(outcome, Preference)]
    left_out = [outcome.reason.value for outcome in outcomes if not isinstance(outcome, Preference)]
    counts = {"read": len(outcomes), "kept": len(kept)} | {name: left_out.count(name) for name in sorted(set(left_out))}
    if not kept:
        raise DataError("no usable pair", got=counts, where=source.path, fix="see `rewardsmith data check`")
    return Pairs(heldout=kept, counts=counts)


def _label_curve_features(trained: Manifest | None, pairs: Pairs) -> tuple[Featuriser | None, int]:
    """Features of the base before training, and how many training preferences the label curve may take of them.

    None and 0 where the model was not trained on these pairs, where the base is too large to featurise some hundred
    conversations in a minute, or where it is not to be had any more: an evaluation needs the checkpoint alone.
    """
    if trained is None or pairs.train is None:
        return None, 0
    affordable = _LABEL_CURVE_FLOPS / max(1.0, 2.0 * trained.counts["parameters"] * pairs.mean_tokens)
    if affordable < _FEWEST_LABEL_CURVE_PREFERENCES:
        return None, 0
    try:
        return _base_features(trained), int(min(_MOST_LABEL_CURVE_PREFERENCES, affordable))
    except ModelError as error:
        logger.warning("no label curve, since the base cannot be loaded: %s", error)
        return None, 0


def _base_features(trained: Manifest) -> Featuriser:
    """An encoder's mean over tokens is read even where the model pools otherwise: before training its pooled state
    says next to nothing."""
    base = str(trained.config["model"]["base"])
    model = build(ModelSettings(base=base, pooling="mean"), seed=0)
    if model.is_decoder:
        model = build(ModelSettings(base=base), seed=0)
    encoder = ConversationEncoder(load_tokenizer(resolve(base)), max_tokens=int(trained.config["data"]["max_tokens"]))
    return FastScorer(model, encoder, overlength="truncate", precision="auto").features


def context_of(
    command: str, model: str | Path, data: str | Path, *, out: Path, trained: Manifest | None, pairs: Pairs
) -> Context:
    """What the report says beside the figures; `command` is the one that made it."""
    recipe = trained.config if trained is not None else {}
    return Context(
        name=str(recipe.get("name", model)),
        recipe=recipe,
        data_counts=pairs.counts,
        commands=(f"rewardsmith {command} {model} {data} --out {out}",),
        parents={} if pairs.digest is None else {"data": pairs.digest},
    )
