"""A steps artefact in, a process or outcome reward model out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import accelerate
import numpy as np
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.settings import Settings
from rewardsmith.core.store import is_current, read_manifest, require_replaceable, write_text, writing_artefact
from rewardsmith.losses.settings import LossSettings
from rewardsmith.models import head
from rewardsmith.models.builtin import resolve
from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.steps.checkpoint import save_step_model
from rewardsmith.models.steps.load import build_step_model
from rewardsmith.models.steps.model import StepModel
from rewardsmith.models.trainable import count_parameters
from rewardsmith.preferences.steps.store import KIND as DATA_KIND
from rewardsmith.preferences.steps.store import load_traces
from rewardsmith.scoring.families.process import FAMILY, ProcessSpec
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.step_passes import StepPasses
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.precision import resolve_precision
from rewardsmith.training.process_settings import ProcessSettings
from rewardsmith.training.recipe import Recipe, recipe_yaml
from rewardsmith.training.resume import run_digest, work_folder
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.steps.build import Side, build_step_trainer, side_of
from rewardsmith.training.steps.figures import error_threshold, step_figures
from rewardsmith.training.steps.trainer import StepTrainer
from rewardsmith.training.store import LOG_NAME, write_log
from rewardsmith.training.train import (
    KIND,
    RECIPE_NAME,
    clearing_staging,
    expected_parents,
    prepare_work,
    remove_work,
    select_weights,
    with_settings_of,
)

_LOSS_KEYS = {"label_smoothing", "readout_l2"}
_PAIR_TRAINING_KEYS = {"bootstrap", "sampling"}
_SECTIONS = ("prior", "ensemble", "attributes", "generative")


def train_steps(recipe: Recipe, data: Path, out: Path, *, resume: bool = True) -> Manifest:
    """Train the recipe's step model on the steps artefact `data` and write the artefact `out`; return its manifest.

    The artefact is an ordinary `*ForTokenClassification` folder with two labels and a `scorer.json`, so that
    `load_scorer` gives a `ProcessScorer`. Everything that `training.train.train` says of interruptions, of a model that
    is there already, and of several processes holds here too. Traces over `data.max_tokens` (or over what the model
    has positions for) are treated by `data.overlength` and counted.

    Raises:
        ArtefactError: `data` is not a steps artefact, `out` holds something else, or the disk is full.
        DataError: On one side there is no label to train on or to evaluate on.
        OverlengthError: A trace is longer than the model takes, and `data.overlength` is `raise`.
        ModelError: The base cannot be used, or the loss became NaN.
        SettingsError: The recipe has no `process` section, or asks for something that a step model does not know.
    """
    require_replaceable(out, KIND)
    process = _process_of(recipe)
    data_manifest = read_manifest(data, DATA_KIND)
    recipe = with_settings_of(data_manifest, recipe, where=data)
    work = _work_of(recipe, process, data_manifest, out)
    if resume and _is_current(recipe, data_manifest, out):
        _clear(work)
        return read_manifest(out, KIND)
    tokenizer = load_tokenizer(resolve(recipe.model.base))
    model = build_step_model(recipe.model, seed=recipe.training.seed)
    encoder = ConversationEncoder(tokenizer, max_tokens=_limit(recipe, model, tokenizer))
    train, heldout = (side_of(load_traces(data, split), recipe, process, encoder) for split in ("train", "heldout"))
    _require_labels(train, heldout, process, where=data)
    found = prepare_work(work, resume=resume)
    trainer = build_step_trainer(recipe, model, train, heldout, pad_id=encoder.pad_id, work=work)
    with clearing_staging(work):
        trainer.train(resume_from_checkpoint=None if found is None else str(found))
    final = select_weights(trainer, recipe, work=work)
    threshold, figures = _judge(trainer, train, heldout, recipe=recipe, process=process, pad_id=encoder.pad_id)
    counts = _counts(trainer, train, heldout, final=final) | {"heldout": figures, "error_threshold": threshold}
    manifest = Manifest(
        kind=KIND,
        config=recipe.model_dump(mode="json"),
        seed=recipe.training.seed,
        parents=expected_parents(recipe, data_manifest),
        counts=counts,
    )
    if trainer.is_world_process_zero():
        spec = _spec(process, encoder, threshold=threshold)
        _write(trainer, tokenizer, manifest, recipe=recipe, spec=spec, out=out)
        remove_work(work)
    trainer.accelerator.wait_for_everyone()
    return read_manifest(out, KIND)


def _process_of(recipe: Recipe) -> ProcessSettings:
    """The recipe's `process` section, once nothing else in the recipe speaks of another kind of model."""
    if recipe.process is None:
        raise SettingsError("the recipe has no process section", wanted="process: {target: steps}", where="process")
    for name in _SECTIONS:
        if getattr(recipe, name, None) is not None:
            raise SettingsError("a step model has no such section", wanted="process alone", got=name, where=name)
    _require_defaults("loss", recipe.loss, LossSettings(), set(LossSettings.model_fields) - _LOSS_KEYS)
    _require_defaults("training", recipe.training, TrainingSettings(), _PAIR_TRAINING_KEYS)
    return recipe.process


def _require_defaults(section: str, given: Settings, default: Settings, names: Collection[str]) -> None:
    for name in sorted(names):
        if getattr(given, name) != getattr(default, name):
            raise SettingsError(
                "a setting that means nothing for steps",
                wanted=f"{getattr(default, name)}",
                got=getattr(given, name),
                where=f"{section}.{name}",
                fix="leave it out",
            )


def _work_of(recipe: Recipe, process: ProcessSettings, data: Manifest, out: Path) -> Path:
    """Where the checkpoints of this training lie."""
    parents = digest_json([expected_parents(recipe, data), process.model_dump(mode="json")])
    precision = resolve_precision(recipe.training.precision)
    processes = accelerate.PartialState().num_processes
    return work_folder(out, run_digest(recipe, parents, precision=precision, processes=processes))


def _is_current(recipe: Recipe, data: Manifest, out: Path) -> bool:
    config, parents = recipe.model_dump(mode="json"), expected_parents(recipe, data)
    return is_current(out, kind=KIND, config=config, parents=parents)


def _clear(work: Path) -> None:
    if accelerate.PartialState().is_main_process:
        remove_work(work)


def _limit(recipe: Recipe, model: StepModel, tokenizer: PreTrainedTokenizerBase) -> int:
    capacity = token_capacity(head.plain(model.network), tokenizer)
    return recipe.data.max_tokens if capacity is None else min(capacity, recipe.data.max_tokens)


def _require_labels(train: Side, heldout: Side, process: ProcessSettings, *, where: Path) -> None:
    for name, side in (("training", train), ("held-out", heldout)):
        if not side.traces:
            wanted = "labels of steps" if process.target == "steps" else "final_correct"
            raise DataError(
                f"the {name} side has nothing to learn from",
                wanted=f"traces with {wanted}, within data.max_tokens",
                got=f"none, and {side.too_long} that are too long",
                where=str(where),
                fix="add such data, or change process.target, data.max_tokens or data.heldout_share",
            )


def _judge(
    trainer: StepTrainer, train: Side, heldout: Side, *, recipe: Recipe, process: ProcessSettings, pad_id: int
) -> tuple[float, dict[str, float]]:
    """The threshold, from the first training traces in the order of their names, and the held-out figures.

    Every process computes them, on its own; the first one writes.
    """
    model: Any = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    packs = recipe.training.packing == "auto"
    passes = StepPasses(model, pad_id=pad_id, packs=packs, uses_bf16=trainer.args.bf16)

    def logits(side: Side, numbers: Sequence[int]) -> list[np.ndarray]:
        some = [side.encoded[number] for number in numbers]
        return passes.logits([each.input_ids for each in some], [each.places for each in some])

    chosen = sorted(range(len(train.traces)), key=lambda number: digest_json(train.traces[number].id))
    chosen = chosen[: process.threshold_traces]
    threshold = error_threshold(logits(train, chosen), [train.traces[number] for number in chosen])
    found = logits(heldout, range(len(heldout.traces)))
    return threshold, step_figures(found, heldout.targets, heldout.traces, threshold=threshold)


def _counts(trainer: StepTrainer, train: Side, heldout: Side, *, final: Mapping[str, float]) -> dict[str, Any]:
    """What was computed, over all parts of an interrupted run; steps that were lost and repeated count once."""
    lines = [line for line in trainer.state.log_history if "loss" in line]
    model: Any = trainer.model
    trained, parameters = count_parameters(model)
    return {
        "train_traces": len(train.traces),
        "heldout_traces": len(heldout.traces),
        "too_long": {"train": train.too_long, "heldout": heldout.too_long},
        "steps": trainer.state.global_step,
        "labelled_steps": sum(line["labelled_steps"] for line in lines),
        "tokens": sum(line["tokens"] for line in lines),
        "seconds": round(sum(line["seconds"] for line in lines), 3),
        "parameters": parameters,
        "trained_parameters": trained,
        "selected_step": final["step"],
        "precision": "bf16" if trainer.args.bf16 else "float32",
        "processes": trainer.args.world_size,
    }


def _spec(process: ProcessSettings, encoder: ConversationEncoder, *, threshold: float) -> ProcessSpec:
    return ProcessSpec(
        target=process.target,
        aggregation=process.resolved_aggregation,
        splitting=process.splitting,
        separator=process.separator,
        max_tokens=encoder.max_tokens,
        error_threshold=threshold,
        template_digest=encoder.template_digest,
    )


def _write(
    trainer: StepTrainer,
    tokenizer: PreTrainedTokenizerBase,
    manifest: Manifest,
    *,
    recipe: Recipe,
    spec: ProcessSpec,
    out: Path,
) -> None:
    model: Any = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    with writing_artefact(out, manifest) as draft:
        save_step_model(model, tokenizer, draft.folder)
        write_spec(draft.folder, FAMILY, spec.model_dump(mode="json"))
        write_text(draft.folder / RECIPE_NAME, recipe_yaml(recipe))
        write_log(draft.folder / LOG_NAME, trainer.state.log_history)
