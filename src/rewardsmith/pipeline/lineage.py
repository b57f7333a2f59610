"""Where a model comes from, read from its folder; no weights are loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from rewardsmith.audit.stress.lineage import Lineage
from rewardsmith.core.errors import ModelError
from rewardsmith.core.store import MANIFEST_NAME, read_manifest
from rewardsmith.models.builtin import PREFIX, resolve
from rewardsmith.models.checkpoint import ADAPTER_CONFIG_NAME, read_card
from rewardsmith.scoring.families.spec import SPEC_NAME, read_spec
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.train import KIND


def load_lineage(model: str | Path) -> Lineage:
    """The lineage of a checkpoint folder, a hub id, a built-in model, or a family of such.

    Of a family that is made of several models, what they have in common: where they differ in width or base it has
    none, its architecture names all of theirs, and its vocabulary is what every one of them reads alike.

    Raises:
        ModelError: There is no model, it has no tokenizer, or it is an endpoint of somebody else's.
    """
    folder = resolve(str(model))
    members = _members(Path(folder))
    if members:
        return _in_common([load_lineage(member) for member in members])
    base = _base(str(model), Path(folder))
    config = _config(folder, base)
    return Lineage(
        architecture=str(config.model_type),
        hidden_size=getattr(config.get_text_config(), "hidden_size", None),
        base=base,
        vocabulary=frozenset(load_tokenizer(folder).get_vocab().items()),
    )


def _members(folder: Path) -> list[str]:
    """The models that a family's folder names; none where the folder is itself a checkpoint."""
    spec = read_spec(folder)
    if spec is None or (folder / "config.json").is_file():
        return []
    try:
        match spec["family"]:
            case "ensemble" | "adapters":
                named = [str(member) for member in spec["members"]]
            case "merged":
                named = [str(member["path"]) for member in spec["members"]]
            case "implicit":
                named = [str(spec["policy"]), str(spec["reference"])]
            case "judge":
                named = [str(spec["backend"]["local"])]
            case _:
                named = []
    except (KeyError, TypeError) as error:
        raise ModelError(
            "no lineage", wanted="models that are named", got=f"no {error}", where=str(folder / SPEC_NAME)
        ) from error
    return [str(folder / name) if (folder / name).is_dir() else name for name in named]


def _in_common(members: Sequence[Lineage]) -> Lineage:
    widths, bases = {each.hidden_size for each in members}, {each.base for each in members}
    return Lineage(
        architecture=" + ".join(sorted({each.architecture for each in members})),
        hidden_size=widths.pop() if len(widths) == 1 else None,
        base=bases.pop() if len(bases) == 1 else None,
        vocabulary=frozenset.intersection(*(each.vocabulary for each in members)),
    )


def _config(folder: str, base: str | None) -> Any:
    """An adapter's folder has no configuration of its own but its base's."""
    is_adapter = (Path(folder) / ADAPTER_CONFIG_NAME).is_file() and not (Path(folder) / "config.json").is_file()
    where = resolve(base) if is_adapter and base is not None else folder
    try:
        return AutoConfig.from_pretrained(where, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError("no model", wanted="a folder or hub id with config.json", got=error, where=where) from error


def _base(model: str, folder: Path) -> str | None:
    """The base that a manifest, a card or an adapter names; a built-in model and one on a hub are their own."""
    if model.startswith(PREFIX) or not folder.exists():
        return model
    if (folder / MANIFEST_NAME).is_file():
        # A merged head on the common backbone was made by no recipe.
        named = read_manifest(folder, KIND).config.get("model", {}).get("base")
        if named is not None:
            return str(named)
    card = read_card(folder)
    if card is not None and card.base is not None:
        return card.base
    adapter = folder / ADAPTER_CONFIG_NAME
    if not adapter.is_file():
        return None
    try:
        named = json.loads(adapter.read_text("utf-8")).get("base_model_name_or_path")
    except (ValueError, AttributeError) as error:
        raise ModelError("unreadable adapter configuration", got=error, where=str(adapter)) from error
    return None if named is None else str(named)
