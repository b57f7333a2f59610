"""A preferences artefact in, a generative reward model out: it writes a rationale, then scores."""

from __future__ import annotations

from pathlib import Path

import accelerate
import numpy as np
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import read_manifest, require_replaceable, write_text, writing_artefact
from rewardsmith.losses.objective import Objective
from rewardsmith.models.causal_lm import load_causal_lm
from rewardsmith.models.generative import GenerativeRewardModel
from rewardsmith.models.generative_checkpoint import build_generative, save_generative
from rewardsmith.models.rationales import RationaleFormat, write_rationales
from rewardsmith.preferences.store import load_table
from rewardsmith.preferences.table import PreferenceTable
from rewardsmith.scoring.families.generative import FAMILY, GenerativeSpec, contexts_within
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.training.arguments import training_arguments
from rewardsmith.training.best import SaveBest
from rewardsmith.training.build import hard_sampling
from rewardsmith.training.generative_settings import GenerativeSettings
from rewardsmith.training.generative_trainer import GenerativeTrainer
from rewardsmith.training.health import DriftWarning
from rewardsmith.training.layout import token_budget
from rewardsmith.training.log import LastLine, OwnIntervals, TrainingLog
from rewardsmith.training.precision import resolve_precision
from rewardsmith.training.progress import ProgressLines
from rewardsmith.training.rationales import RationaleCollator, RationaleDataset, given_rationales
from rewardsmith.training.recipe import Recipe, recipe_yaml
from rewardsmith.training.resume import run_digest, work_folder
from rewardsmith.training.schedule import Cut
from rewardsmith.training.store import LOG_NAME, write_log
from rewardsmith.training.train import (
    KIND,
    RECIPE_NAME,
    check_loss,
    clearing_staging,
    expected_parents,
    model_is_current,
    model_manifest,
    prepare_work,
    remove_work,
    require_some,
    run_counts,
    select_weights,
    with_settings_of,
)


def train_generative(recipe: Recipe, data: Path, out: Path, *, resume: bool = True) -> Manifest:
    """Train the recipe's `generative` model on the preferences artefact `data`, write `out`, return its manifest.

    The texts of `data` are read, and rendered with the request and a rationale. The manifest's `counts.heldout` holds
    loss and accuracy on the held-out side with rationales that the trained model wrote itself. Interrupted and called
    again it goes on from the last whole checkpoint in `<out>.work/`, as `training.train.train` does.

    Args:
        resume: Go on where an interrupted run stopped; else begin again.

    Raises:
        SettingsError: The recipe has no `generative` section, or its settings do not suit the base.
        ArtefactError: `data` is not a preferences artefact, `out` holds something else, or the disk is full.
        DataError: There is nothing to train on, or a row lacks its rationales.
        OverlengthError: A conversation is longer than the model takes, request and rationale included.
        ModelError: The base is no causal language model, or the loss became NaN.
    """
    settings = _settings(recipe)
    require_replaceable(out, KIND)
    data_manifest = read_manifest(data, "preferences")
    recipe = with_settings_of(data_manifest, recipe, where=data)
    work = _work_of(recipe, settings, data_manifest, out)
    if resume and model_is_current(recipe, data_manifest, out):
        if accelerate.PartialState().is_main_process:
            remove_work(work)
        return read_manifest(out, KIND)
    tables = load_table(data, "train"), load_table(data, "heldout")
    require_some(*tables, where=data)
    check_loss(recipe, *tables)
    found = prepare_work(work, resume=resume)
    base = load_causal_lm(recipe.model.base)
    form = rationale_format(ConversationEncoder(base.tokenizer, max_tokens=recipe.data.max_tokens), settings)
    model = build_generative(
        base, recipe.model, score_from=settings.score_from, verdicts=form.verdict_ids, seed=recipe.training.seed
    )
    trainer = _trainer(recipe, settings, model, form, tables=tables, work=work)
    with clearing_staging(work):
        trainer.train(resume_from_checkpoint=None if found is None else str(found))
    manifest = model_manifest(recipe, data_manifest, run_counts(trainer, select_weights(trainer, recipe, work=work)))
    if trainer.is_world_process_zero():
        trained = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
        _write(trained, base.tokenizer, manifest, recipe=recipe, form=form, lines=trainer.state.log_history, out=out)
        remove_work(work)
    trainer.accelerator.wait_for_everyone()
    return read_manifest(out, KIND)


def rationale_format(encoder: ConversationEncoder, settings: GenerativeSettings) -> RationaleFormat:
    """The words around a rationale, as the settings say them.

    Raises:
        SettingsError: The closing or the verdicts cannot be used with this tokenizer.
    """
    return RationaleFormat(
        encoder,
        request=settings.request,
        closing=settings.closing,
        verdicts=settings.verdicts,
        max_tokens=settings.max_tokens,
    )


def _settings(recipe: Recipe) -> GenerativeSettings:
    if recipe.generative is None:
        raise SettingsError("the recipe is not one of a generative model", wanted="a section `generative:`")
    return recipe.generative


def _work_of(recipe: Recipe, settings: GenerativeSettings, data: Manifest, out: Path) -> Path:
    precision = resolve_precision(recipe.training.precision)
    processes = accelerate.PartialState().num_processes
    made_from = digest_json([expected_parents(recipe, data), settings.model_dump(mode="json")])
    return work_folder(out, run_digest(recipe, made_from, precision=precision, processes=processes))


def _datasets(
    recipe: Recipe,
    settings: GenerativeSettings,
    model: GenerativeRewardModel,
    form: RationaleFormat,
    tables: tuple[PreferenceTable, PreferenceTable],
) -> tuple[RationaleDataset, RationaleDataset]:
    """Both sides; the held-out rationales are written when they are needed, and empty until then."""
    overlength = "truncate" if recipe.data.overlength == "truncate" else "raise"
    sides = []
    for table in tables:
        texts = [preference.conversation(k) for preference in table for k in range(len(preference.responses))]
        sides.append(contexts_within(form, model, texts, overlength=overlength)[0])
    if settings.rationales == "self":
        budget = token_budget(recipe.training.token_budget)
        rationales = write_rationales(model.network, form, sides[0], token_budget=budget)
    else:
        rationales = given_rationales(tables[0], form, settings)
    nothing = [np.zeros(0, np.int32)] * len(sides[1])
    return (
        RationaleDataset(tables[0], form, sides[0], rationales),
        RationaleDataset(tables[1], form, sides[1], nothing),
    )


def _trainer(
    recipe: Recipe,
    settings: GenerativeSettings,
    model: GenerativeRewardModel,
    form: RationaleFormat,
    *,
    tables: tuple[PreferenceTable, PreferenceTable],
    work: Path,
) -> GenerativeTrainer:
    training = recipe.training
    train, heldout = _datasets(recipe, settings, model, form, tables)
    precision = resolve_precision(training.precision)
    cut = Cut(training.batch_size, accelerate.PartialState().num_processes)
    arguments = training_arguments(training, work, precision=precision, steps_per_epoch=cut.steps(len(train)))
    if training.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    callbacks = [OwnIntervals(), TrainingLog(work), LastLine(), ProgressLines(), DriftWarning(training.reward_limit)]
    if training.select == "best":
        callbacks.append(SaveBest())
    budget = token_budget(training.token_budget)
    return GenerativeTrainer(
        model,
        arguments,
        alpha=settings.alpha,
        token_budget=budget,
        objective=Objective(recipe.loss),
        train=train,
        heldout=heldout,
        collator=RationaleCollator(form.encoder.pad_id, token_budget=budget),
        sampling=hard_sampling(training, preferences=len(train)),
        keep_checkpoints=training.keep_checkpoints,
        callbacks=callbacks,
    )


def _write(
    model: GenerativeRewardModel,
    tokenizer: PreTrainedTokenizerBase,
    manifest: Manifest,
    *,
    recipe: Recipe,
    form: RationaleFormat,
    lines: list[dict],
    out: Path,
) -> None:
    settings = _settings(recipe)
    spec = GenerativeSpec(
        score_from=settings.score_from,
        rationale_tokens=settings.max_tokens,
        request=settings.request,
        closing=settings.closing,
        verdicts=settings.verdicts,
        template_digest=form.encoder.template_digest,
        max_tokens=recipe.data.max_tokens,
    )
    with writing_artefact(out, manifest) as draft:
        save_generative(model, tokenizer, draft.folder)
        write_spec(draft.folder, FAMILY, spec.model_dump(mode="json"))
        write_text(draft.folder / RECIPE_NAME, recipe_yaml(recipe))
        write_log(draft.folder / LOG_NAME, lines)
