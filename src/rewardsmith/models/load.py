"""Reward models from disk: a base with a new head, or a checkpoint whose head must be there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerBase
from transformers.utils import logging
from transformers.utils.hub import cached_file

from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.models import head
from rewardsmith.models.builtin import resolve
from rewardsmith.models.checkpoint import (
    ADAPTER_CONFIG_NAME,
    CARD_NAME,
    EXTRA_HEAD_NAME,
    load_extra_head,
    read_card,
    require_adapter_head,
    weights_digest,
)
from rewardsmith.models.progress_bars import without_bars
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.reward_model_card import RewardModelCard
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.trainable import with_trainable
from rewardsmith.text.load import load_tokenizer


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A checkpoint in memory.

    Attributes:
        model: In evaluation mode, on the CPU, float32.
        tokenizer: With the chat template that the checkpoint was saved with.
        card: What `reward_model.json` says; derived from the architecture for checkpoints of other tools.
        digest: Digest of the weight files.
    """

    model: RewardModel
    tokenizer: PreTrainedTokenizerBase
    card: RewardModelCard
    digest: str


def build(settings: ModelSettings, *, seed: int) -> RewardModel:
    """The base of `settings` with a new reward head, or with its own where that is kept, ready for training, float32.

    Everything that the base has no weights for is drawn from `seed`, and the global random state is left alone.

    Raises:
        ModelError: The base cannot be loaded, lacks weights, or has no classifier in transformers.
        SettingsError: The settings do not suit the base.
    """
    path = resolve(settings.base)
    tokenizer = load_tokenizer(path)
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = base_config(path, settings, pad_id=tokenizer.pad_token_id)
        network, missing = load_network(path, config)
        if settings.keep_head:
            return with_trainable(_with_kept_head(network, missing, path, settings).eval(), settings)
        new_modules = new_modules_of(network, missing, path)
        head.initialise(head.output_layer(network), seed=seed)
        mlp = _new_mlp(network, settings, seed=seed) if settings.head == "mlp" else None
        model = RewardModel(
            network,
            pooling_name=None if settings.pooling == "auto" else settings.pooling,
            mlp=mlp,
            new_modules=new_modules,
        )
        return with_trainable(model.eval(), settings)


def load_checkpoint(path: str | Path) -> LoadedModel:
    """A trained reward model: rewardsmith's own folders, LoRA adapters, or any tool's `*ForSequenceClassification`.

    Raises:
        ModelError: The folder is no reward model, has several outputs, or lacks weights (its head above all: a head
            that is not in the files would be random).
    """
    folder = local_folder(str(path))
    if (folder / ADAPTER_CONFIG_NAME).is_file() and not (folder / "config.json").is_file():
        return _load_adapter(folder)
    config = _checked_config(str(path))
    network, missing = load_network(str(path), config)
    if missing:
        raise missing_weights(missing, str(path))
    card = read_card(folder) or RewardModelCard()
    return _loaded(network, card, folder=folder, head_folder=folder, tokenizer_path=str(path))


def local_folder(path: str) -> Path:
    """Where `path` lies on disk; of a hub id, the snapshot in the cache, with rewardsmith's own files fetched too.

    transformers fetches the files that it knows. Without the card, a model with another pooling or head would be read
    like an ordinary one.
    """
    if Path(path).is_dir():
        return Path(path)
    try:
        config = cached_file(path, "config.json")
        for name in (CARD_NAME, EXTRA_HEAD_NAME):
            cached_file(path, name, _raise_exceptions_for_missing_entries=False)
    except (OSError, ValueError) as error:
        raise ModelError("cannot load a model", got=error, where=path, fix="name a model folder or a hub id") from error
    return Path(str(config)).parent


def _load_adapter(folder: Path) -> LoadedModel:
    """Base and adapter; the card, in the adapter's folder or the one around it, knows the base by its own name."""
    own = next((place for place in (folder, folder.parent) if read_card(place) is not None), folder)
    card = read_card(own) or RewardModelCard()
    adapter = json.loads((folder / ADAPTER_CONFIG_NAME).read_text("utf-8"))
    base = resolve(card.base or adapter.get("base_model_name_or_path") or "")
    if not base:
        raise ModelError("the adapter does not name its base", where=str(folder), fix="load the merged folder")
    settings = ModelSettings(base=base)
    pad_id = load_tokenizer(base).pad_token_id
    network, missing = load_network(base, base_config(base, settings, pad_id=pad_id))
    saved = set(adapter.get("modules_to_save") or ())
    lost = [key for key in missing if not any(f".{name}." in f".{key}" for name in saved)]
    if lost:
        raise missing_weights(lost, str(folder))
    require_adapter_head(folder)
    peft_model = PeftModel.from_pretrained(network, str(folder))
    has_tokenizer = (folder / "tokenizer_config.json").is_file()
    tokenizer_path = folder if has_tokenizer else folder.parent
    network = peft_model.merge_and_unload()
    return _loaded(network, card, folder=folder, head_folder=own, tokenizer_path=str(tokenizer_path))


def _loaded(
    network: Any, card: RewardModelCard, *, folder: Path, head_folder: Path, tokenizer_path: str
) -> LoadedModel:
    tokenizer = load_tokenizer(tokenizer_path, keep_template=True)
    hidden_size = head.plain(network).config.get_text_config().hidden_size
    mlp = load_extra_head(head_folder, hidden_size) if card.head == "mlp" else None
    model = RewardModel(network, pooling_name=card.pooling, mlp=mlp).eval()
    return LoadedModel(model, tokenizer, card, weights_digest(folder))


def base_config(path: str, settings: ModelSettings, *, pad_id: Any) -> Any:
    """The base's configuration for a reward: one label, the pad id, and the dropout of the settings."""
    config = config_of(path)
    config.num_labels = 1
    config.problem_type = "regression"
    text = config.get_text_config()
    text.pad_token_id = pad_id
    for name in vars(text).copy():
        # Every family names its dropouts differently; all of them end so.
        is_rate = name.endswith(("dropout", "dropout_prob", "_pdrop")) and not isinstance(getattr(text, name), bool)
        if is_rate and getattr(text, name) is not None:
            setattr(text, name, settings.dropout)
    return config


def _checked_config(path: str) -> Any:
    config = config_of(path)
    architectures = list(config.architectures or ())
    if not any(name.endswith("ForSequenceClassification") for name in architectures):
        raise ModelError(
            "not a reward model",
            wanted="architectures: […ForSequenceClassification]",
            got=architectures,
            where=path,
            fix="to train a new head on it, name it as model.base",
        )
    if config.num_labels != 1:
        raise ModelError(
            "the model has more than one output" if config.num_labels else "the model has no output",
            wanted="num_labels 1 (a reward)",
            got=f"num_labels {config.num_labels}",
            where=path,
            fix="this is a classifier, not a reward model",
        )
    return config


def config_of(path: str) -> Any:
    """The configuration at `path`.

    Raises:
        ModelError: There is none that transformers knows.
    """
    try:
        return AutoConfig.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError("cannot load a model", got=error, where=path, fix="name a model folder or a hub id") from error


def load_network(path: str, config: Any, *, kind: Any = AutoModelForSequenceClassification) -> tuple[Any, list[str]]:
    """The network in float32, and the names of the weights that the files lack.

    Args:
        kind: The Auto class that knows the head.

    Raises:
        ModelError: It cannot be loaded.
    """
    try:
        with _without_load_report(), without_bars():
            network, info = kind.from_pretrained(
                path, config=config, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError("cannot load a model", got=error, where=path) from error
    return network, sorted(info["missing_keys"])


@contextlib.contextmanager
def _without_load_report() -> Iterator[None]:
    """Missing weights are judged here: a new head is meant to be missing, anything else raises."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


def new_modules_of(network: Any, missing: list[str], path: str) -> tuple[str, ...]:
    """Modules without weights in the base: the head, and in some encoders the pooler. Anything else is an error."""
    base = network.base_model_prefix + "."
    lost = [key for key in missing if key.startswith(base) and "pooler" not in key]
    if lost:
        raise missing_weights(lost, path)
    names = {key.rpartition(".")[0] for key in missing}
    return tuple(sorted(names))


def missing_weights(missing: list[str], path: str) -> ModelError:
    """The error of a checkpoint without these weights."""
    return ModelError(
        "weights are missing in the checkpoint",
        wanted="every weight of the model, its head included",
        got=", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else ""),
        where=path,
        fix="save the whole model again; a missing weight would be random",
    )


def _with_kept_head(network: Any, missing: list[str], path: str, settings: ModelSettings) -> RewardModel:
    """The reward model that the base is, as its card says that it is read.

    Raises:
        ModelError: The files lack weights, those of the head above all.
        SettingsError: The settings ask for another pooling or head than the base has.
    """
    if missing:
        raise missing_weights(missing, path)
    folder = local_folder(path)
    card = read_card(folder) or RewardModelCard()
    mlp = load_extra_head(folder, network.config.get_text_config().hidden_size) if card.head == "mlp" else None
    model = RewardModel(network, pooling_name=card.pooling, mlp=mlp)
    asked = {"pooling": settings.pooling, "head": settings.head}
    for name, own in (("pooling", model.pooling), ("head", card.head)):
        if asked[name] not in (own, "auto"):
            raise SettingsError(
                "the base is read in another way",
                wanted=own,
                got=asked[name],
                where=f"model.{name}",
                fix="name the same",
            )
    return model


def _new_mlp(network: Any, settings: ModelSettings, *, seed: int) -> head.MlpHead:
    hidden = network.config.get_text_config().hidden_size
    mlp = head.MlpHead(hidden, width=settings.mlp_width or hidden)
    head.initialise(mlp.hidden, seed=seed)
    head.initialise(mlp.output, seed=seed + 1)
    return mlp
