"""Checkpoints: ordinary Hugging Face folders that other tools load with the same rewards."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from peft import PeftModel
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.digest import digest_json, load_file_digest
from rewardsmith.core.errors import ModelError
from rewardsmith.core.store import write_json
from rewardsmith.models import head
from rewardsmith.models.progress_bars import without_bars
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.reward_model_card import RewardModelCard
from rewardsmith.text.encoder import template_digest

CARD_NAME = "reward_model.json"
ADAPTER_FOLDER = "adapter"
ADAPTER_CONFIG_NAME = "adapter_config.json"
EXTRA_HEAD_NAME = "reward_head.safetensors"


def save(
    model: RewardModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    base: str | None = None,
    max_tokens: int | None = None,
    portable: bool = True,
) -> RewardModelCard:
    """Write `model` and `tokenizer` into `folder`.

    The top level is a whole `*ForSequenceClassification` checkpoint with one label, adapters merged; `adapter/` holds
    the adapter by itself where there is one. `reward_model.json`, in both, says how the reward is read and whether
    plain transformers reads it in the same way.

    Args:
        base: Name of the base model in the recipe, for the card.
        max_tokens: Longest conversation in training, for the card.
        portable: False where the reward of the folder is more than this model's, whoever loads it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with without_bars():
        merged(model.network).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    complete_config(folder / "config.json", pad_id=tokenizer.pad_token_id)
    name_tokenizer_class(folder / "tokenizer_config.json")
    card = RewardModelCard(
        pooling=model.pooling,
        head="mlp" if model.mlp is not None else "linear",
        portable=portable and model.is_portable and _is_read_at_the_end(model, tokenizer),
        template_digest=template_digest(tokenizer),
        max_tokens=max_tokens,
        base=base,
    )
    _write_card_and_head(card, model.mlp, folder)
    if isinstance(model.network, PeftModel):
        model.network.save_pretrained(str(folder / ADAPTER_FOLDER))
        # Moved away from the merged model, the adapter must still be read in the same way.
        _write_card_and_head(card, model.mlp, folder / ADAPTER_FOLDER)
    return card


def read_card(folder: Path) -> RewardModelCard | None:
    """The card in `folder`, or `None` where another tool wrote the checkpoint.

    Raises:
        ModelError: It is there and cannot be read.
    """
    path = folder / CARD_NAME
    if not path.is_file():
        return None
    try:
        return RewardModelCard.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValidationError) as error:
        raise ModelError("unreadable card", got=error, where=str(path), fix="save the model again") from error


def load_extra_head(folder: Path, hidden_size: int) -> head.MlpHead:
    """The two-layer head of a checkpoint that has one.

    Raises:
        ModelError: Its file is missing or holds something else.
    """
    path = folder / EXTRA_HEAD_NAME
    if not path.is_file():
        raise ModelError("the head is missing", wanted=EXTRA_HEAD_NAME, where=str(folder), fix="save the model again")
    tensors = load_file(path)
    if "hidden.weight" not in tensors:
        raise ModelError("the head's file holds something else", got=sorted(tensors), where=str(path))
    mlp = head.MlpHead(hidden_size, width=len(tensors["hidden.weight"]))
    mlp.load_state_dict(tensors)
    return mlp


def require_adapter_head(folder: Path) -> None:
    """The adapter in `folder` brings its head along; PEFT would leave a random one in its place.

    Raises:
        ModelError: It does not.
    """
    path = folder / "adapter_model.safetensors"
    keys = list(load_file(path)) if path.is_file() else []
    if not any(part in ("score", "classifier") for key in keys for part in key.split(".")):
        raise ModelError(
            "the adapter has no reward head",
            wanted="weights of score or classifier",
            got=keys[:3],
            where=str(path),
            fix="train with modules_to_save naming the head",
        )


def weights_digest(folder: Path) -> str:
    """Digest of the weight files in `folder`: their names and contents; their number and order do not matter."""
    names = sorted(path.name for path in folder.glob("*") if path.suffix in (".safetensors", ".bin") and path.is_file())
    return digest_json({name: load_file_digest(folder / name) for name in names})


def _write_card_and_head(card: RewardModelCard, mlp: head.MlpHead | None, folder: Path) -> None:
    if mlp is not None:
        tensors = {name: value.detach().cpu().contiguous() for name, value in mlp.state_dict().items()}
        save_file(tensors, folder / EXTRA_HEAD_NAME)
    write_json(folder / CARD_NAME, card.model_dump())


def merged(network: Any) -> Any:
    """`network` with its adapters in its weights; a copy, where it has any."""
    if not isinstance(network, PeftModel):
        return network
    merge: Any = copy.deepcopy(network).merge_and_unload
    return merge()


def _is_read_at_the_end(model: RewardModel, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Plain transformers takes the last id that is not the pad: wrong where texts end with that very id."""
    return not model.is_decoder or tokenizer.pad_token_id != tokenizer.eos_token_id


def complete_config(path: Path, *, pad_id: Any, problem_type: str | None = "regression") -> None:
    """The problem type, a pad id, and the older spelling of the rotary base beside the newer one.

    transformers 4 does not know `rope_parameters`. Without a top-level `rope_theta` it takes its default, and scores
    differently without a word.
    """
    config = json.loads(path.read_text("utf-8"))
    config |= {"problem_type": problem_type, "pad_token_id": pad_id}
    rope = config.get("rope_parameters") or {}
    if "rope_theta" in rope:
        config.setdefault("rope_theta", rope["rope_theta"])
        if rope.get("rope_type", "default") != "default":
            scaling = {name: value for name, value in rope.items() if name != "rope_theta"}
            config.setdefault("rope_scaling", scaling)
    write_json(path, config)


def name_tokenizer_class(path: Path) -> None:
    """The class that transformers 4 and 5 both know; tokenizer.json holds everything else."""
    config = json.loads(path.read_text("utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    write_json(path, config)
