"""A preferences artefact in, a reward-model artefact out."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import accelerate
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ArtefactError, DataError, ModelError
from rewardsmith.core.full_disk import telling_full_disk
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
from rewardsmith.models import checkpoint as model_checkpoint
from rewardsmith.models.builtin import resolve
from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.models.load import build
from rewardsmith.models.trainable import count_parameters
from rewardsmith.preferences.bootstrap import bootstrapped
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.preferences.store import load_table
from rewardsmith.preferences.table import PreferenceTable
from rewardsmith.scoring.priors.store import write_residual
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training import checkpoint
from rewardsmith.training.build import build_trainer
from rewardsmith.training.dataset import PreferenceDataset
from rewardsmith.training.precision import resolve_precision
from rewardsmith.training.preflight import check_data_for_loss, require_room
from rewardsmith.training.prior_values import PriorValues, prior_parents, prior_values
from rewardsmith.training.recipe import Recipe, recipe_yaml
from rewardsmith.training.resume import last_complete_checkpoint, run_digest, work_folder
from rewardsmith.training.store import LOG_NAME, write_log
from rewardsmith.training.trainer import RewardTrainer

logger = logging.getLogger(__name__)

KIND = "reward-model"
RECIPE_NAME = "recipe.yaml"


def train(recipe: Recipe, data: Path, out: Path, *, resume: bool = True) -> Manifest:
    """Train the recipe's model on the preferences artefact `data` and write the artefact `out`; return its manifest.

    What the data are is what `data` says, whatever the recipe's own data section would have made: the saved recipe has
    the settings that the data were prepared with.

    While it runs, checkpoints lie in `<out>.work/`. Interrupted at any moment and called again with the same recipe
    and data, it goes on from the last whole checkpoint and ends with the same weights. The folder is removed once
    `out` is there. A model that is there already, whole and made by this recipe from these data, is left as it is.
    Under torchrun or `accelerate launch` each process calls this, and the first one writes.

    Args:
        resume: Go on where an interrupted run stopped; else begin again.

    Raises:
        ArtefactError: `data` is not a preferences artefact, `out` holds something else, or the disk is full.
        DataError: There is nothing to train on or to evaluate on, or the loss cannot use the data.
        OverlengthError: A conversation is longer than the model takes.
        ModelError: The base cannot be used, the data were tokenised for another one, or the loss became NaN.
        SettingsError: The model cannot do what the settings ask for.
    """
    require_replaceable(out, KIND)
    data_manifest = read_manifest(data, "preferences")
    recipe = with_settings_of(data_manifest, recipe, where=data)
    if resume and model_is_current(recipe, data_manifest, out):
        remove_leftovers(recipe, data_manifest, out)
        return read_manifest(out, KIND)
    tables = _train_table(recipe, data), load_table(data, "heldout")
    require_some(*tables, where=data)
    tokenizer = load_tokenizer(resolve(recipe.model.base))
    _require_same_tokens(tokenizer, data_manifest, where=data)
    check_loss(recipe, *tables)
    work = _work_of(recipe, data_manifest, out)
    found = prepare_work(work, resume=resume)
    priors = None if recipe.prior is None else prior_values(recipe.prior, tables, tokenizer, work=work)
    trainer = _trainer(recipe, tokenizer, *tables, priors=priors, work=work)
    with clearing_staging(work):
        trainer.train(resume_from_checkpoint=None if found is None else str(found))
    counts = run_counts(trainer, select_weights(trainer, recipe, work=work)) | _prior_counts(trainer, priors)
    manifest = model_manifest(recipe, data_manifest, counts)
    if trainer.is_world_process_zero():
        _write(trainer, tokenizer, manifest, recipe=recipe, out=out)
        remove_work(work)
    trainer.accelerator.wait_for_everyone()
    return read_manifest(out, KIND)


def _train_table(recipe: Recipe, data: Path) -> PreferenceTable:
    table, settings = load_table(data, "train"), recipe.training
    return bootstrapped(table, seed=settings.order_seed) if settings.bootstrap else table


def expected_parents(recipe: Recipe, data: Manifest) -> dict[str, str]:
    """What the model is made from: the data, the base's weights where they lie in a folder, what its prior reads."""
    base = Path(resolve(recipe.model.base))
    made_from = {"data": data.digest} | ({"base": weights_digest(base)} if base.is_dir() else {})
    return made_from | ({} if recipe.prior is None else prior_parents(recipe.prior))


def model_is_current(recipe: Recipe, data: Manifest, out: Path) -> bool:
    """Whether `out` is whole and what training `recipe` on `data` would make."""
    config = recipe.model_dump(mode="json")
    return is_current(out, kind=KIND, config=config, parents=expected_parents(recipe, data))


def remove_leftovers(recipe: Recipe, data: Manifest, out: Path) -> None:
    """Remove the checkpoints of a training that was killed when `out` was there and they were not removed yet."""
    if accelerate.PartialState().is_main_process:
        remove_work(_work_of(recipe, data, out))


def _work_of(recipe: Recipe, data: Manifest, out: Path) -> Path:
    """Where the checkpoints of this training lie, with this machine's precision and number of processes."""
    precision = resolve_precision(recipe.training.precision)
    processes = accelerate.PartialState().num_processes
    parents = digest_json(expected_parents(recipe, data))
    return work_folder(out, run_digest(recipe, parents, precision=precision, processes=processes))


def with_settings_of(data: Manifest, recipe: Recipe, *, where: Path) -> Recipe:
    """The recipe, with the data section that the data were prepared with."""
    settings = parse_settings(DataSettings, data.config, where=str(where / MANIFEST_NAME))
    return recipe.model_copy(update={"data": settings})


def prepare_work(work: Path, *, resume: bool) -> Path | None:
    """The work folder, ready, and the checkpoint in it to go on from."""
    state = accelerate.PartialState()
    if state.is_main_process:
        if not resume:
            shutil.rmtree(work, ignore_errors=True)
        others = [path for path in work.parent.glob("*") if path.is_dir() and path != work]
        if others:
            logger.warning("%s holds checkpoints of another recipe or other data; they are not used", work.parent)
        work.mkdir(parents=True, exist_ok=True)
        checkpoint.clear_staging(work)
    state.wait_for_everyone()
    return last_complete_checkpoint(work)


def check_loss(recipe: Recipe, train_table: PreferenceTable, heldout_table: PreferenceTable) -> None:
    """Refuse data that the loss cannot use, and warn of settings that these data leave without effect."""
    notes = check_data_for_loss(recipe.loss, train=train_table, heldout=heldout_table)
    if accelerate.PartialState().is_main_process:
        for note in notes:
            logger.warning("%s", note)


def _trainer(
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerBase,
    train_table: PreferenceTable,
    heldout_table: PreferenceTable,
    *,
    priors: PriorValues | None,
    work: Path,
) -> RewardTrainer:
    """The recipe's model, which has room for all of the data, and its trainer."""
    model = build(recipe.model, seed=recipe.training.seed)
    require_room(token_capacity(model, tokenizer), train_table, heldout_table)
    of_train, of_heldout = (None, None) if priors is None else priors.by_table
    return build_trainer(
        recipe,
        model,
        pad_id=ConversationEncoder(tokenizer).pad_id,
        train=PreferenceDataset(train_table, prior=of_train),
        heldout=PreferenceDataset(heldout_table, prior=of_heldout),
        work=work,
        precision=resolve_precision(recipe.training.precision),
        processes=accelerate.PartialState().num_processes,
    )


@contextlib.contextmanager
def clearing_staging(work: Path) -> Iterator[None]:
    """A checkpoint that could not be finished, on a full disk above all, is not left half written."""
    try:
        with telling_full_disk(work):
            yield
    except Exception:
        if accelerate.PartialState().is_main_process:
            checkpoint.clear_staging(work)
        raise


def select_weights(trainer: RewardTrainer, recipe: Recipe, *, work: Path) -> Mapping[str, float]:
    """Load the weights that become the artefact, and return their held-out figures, each once measured."""
    step = trainer.state.global_step
    best = trainer.state.best_global_step
    if recipe.training.select == "best" and best is not None:
        if best != step:
            _require_whole(work / f"{checkpoint.PREFIX}{best}")
        trainer.load_best()
        step = best
    for line in reversed(trainer.state.log_history):
        if line["step"] == step and "eval_loss" in line:
            return {key: value for key, value in line.items() if key.startswith("eval_")} | {"step": step}
    return trainer.evaluate() | {"step": step}


def run_counts(trainer: RewardTrainer, final: Mapping[str, float]) -> dict[str, Any]:
    """What was computed, over all parts of an interrupted run; steps that were lost and repeated count once."""
    lines = [line for line in trainer.state.log_history if "loss" in line]
    trained, parameters = count_parameters(trainer.model)  # pyright: ignore[reportArgumentType]
    return {
        "train_preferences": len(trainer.train_dataset),  # pyright: ignore[reportArgumentType]
        "heldout_preferences": len(trainer.eval_dataset),  # pyright: ignore[reportArgumentType]
        "steps": trainer.state.global_step,
        "pairs": sum(line["pairs"] for line in lines),
        "tokens": sum(line["tokens"] for line in lines),
        "seconds": round(sum(line["seconds"] for line in lines), 3),
        "parameters": parameters,
        "trained_parameters": trained,
        "selected_step": final["step"],
        "heldout": {key.removeprefix("eval_"): value for key, value in final.items() if key != "step"},
    }


def _prior_counts(trainer: RewardTrainer, priors: PriorValues | None) -> dict[str, Any]:
    """How much the prior counts in the end, and what its terms had to cut."""
    if priors is None:
        return {}
    return {"prior": {"scale": _trained(trainer).scale, "truncated": priors.n_truncated}}


def _trained(trainer: RewardTrainer) -> Any:
    return trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)


def model_manifest(recipe: Recipe, data: Manifest, counts: Mapping[str, Any]) -> Manifest:
    """What the artefact says of itself."""
    precision = resolve_precision(recipe.training.precision)
    processes = accelerate.PartialState().num_processes
    return Manifest(
        kind=KIND,
        config=recipe.model_dump(mode="json"),
        seed=recipe.training.seed,
        parents=expected_parents(recipe, data),
        counts={**counts, "precision": precision, "processes": processes},
    )


def _write(
    trainer: RewardTrainer,
    tokenizer: PreTrainedTokenizerBase,
    manifest: Manifest,
    *,
    recipe: Recipe,
    out: Path,
) -> None:
    model, prior = _trained(trainer), recipe.prior
    own: dict[str, Any] = {"base": recipe.model.base, "max_tokens": recipe.data.max_tokens}
    with writing_artefact(out, manifest) as draft:
        if prior is None:
            model_checkpoint.save(model, tokenizer, draft.folder, **own)
        else:
            model_checkpoint.save(model.residual, tokenizer, draft.folder, **own, portable=False)
            write_residual(draft.folder, prior.terms, scale=model.scale)
        write_text(draft.folder / RECIPE_NAME, recipe_yaml(recipe))
        write_log(draft.folder / LOG_NAME, trainer.state.log_history)


def remove_work(work: Path) -> None:
    """Remove this run's checkpoints, and the folder around them where no other run's are in it."""
    shutil.rmtree(work, ignore_errors=True)
    if work.parent.is_dir() and not any(work.parent.iterdir()):
        work.parent.rmdir()


def _require_whole(folder: Path) -> None:
    problem = checkpoint.fault(folder)
    if problem is not None:
        raise ArtefactError(
            "the checkpoint with the best weights is damaged",
            got=problem,
            where=str(folder),
            fix="train again from the start (--no-resume)",
        )


def require_some(train_table: PreferenceTable, heldout_table: PreferenceTable, *, where: Path) -> None:
    """There is something to train on, and something to evaluate on.

    Raises:
        DataError: A side is empty.
    """
    for name, table in (("train", train_table), ("held-out", heldout_table)):
        if len(table) == 0:
            raise DataError(
                f"the {name} set is empty",
                wanted="at least one preference",
                where=str(where),
                fix="see the manifest's counts for what was rejected and why, or change data.heldout_share",
            )


def _require_same_tokens(tokenizer: PreTrainedTokenizerBase, data: Manifest, *, where: Path) -> None:
    """The data hold token ids, which mean something in one vocabulary only.

    Raises:
        ModelError: They were made with another tokenizer or template than the model's.
    """
    encoder = ConversationEncoder(tokenizer)
    for name, own in (("tokenizer", encoder.tokenizer_digest), ("template", encoder.template_digest)):
        theirs = data.parents.get(name)
        if theirs is not None and theirs != own:
            raise ModelError(
                f"the data were tokenised with another {name}",
                wanted=own,
                got=theirs,
                where=str(where),
                fix="prepare the data again with this model.base",
            )
