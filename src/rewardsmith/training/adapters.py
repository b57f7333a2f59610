"""Members that are LoRA adapters on the last blocks of one base, stored so that they are scored together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from rewardsmith.core.errors import ModelError
from rewardsmith.models.builtin import resolve
from rewardsmith.models.checkpoint import ADAPTER_CONFIG_NAME, ADAPTER_FOLDER, read_card
from rewardsmith.models.settings import ModelSettings
from rewardsmith.numerics.combination import Rule, Standard
from rewardsmith.scoring.families.adapters import FAMILY
from rewardsmith.scoring.families.ensemble import check_rule, spec_of
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.text.load import load_tokenizer

MEMBERS = "members"


def adapter_model(settings: ModelSettings) -> ModelSettings:
    """`settings` with adapters as what is trained, in the last quarter of the blocks where no other part is chosen."""
    return settings.model_copy(update={"trainable": "lora", "lora_blocks": settings.lora_blocks or "last_quarter"})


def write_adapter_ensemble(
    members: Sequence[Path], out: Path, *, standard: Standard, rule: Rule = "mean", weight: float = 0.5
) -> None:
    """Write the adapters of `members` and how they are combined into the folder `out`; the base stays where it is.

    Each is a folder of its own, `members/0` and so on: the adapter as PEFT saves it, its card and its tokenizer. So a
    member is also a reward model by itself, here and with PEFT.

    Args:
        members: Reward-model folders that were trained with `trainable: lora`, or adapter folders of such.
        standard: One offset and one scale a member.
        weight: λ of `penalised`.

    Raises:
        ModelError: There is no member, one has no adapter or does not name its base, they have different bases, or the
            standard is not one of as many.
        SettingsError: The rule is unknown, or λ is below 0.
    """
    check_rule(rule, weight)
    if not members or len(members) != len(standard):
        raise ModelError("a standard of other members", wanted=f"{len(standard)} members", got=len(members))
    folders = [_adapter_of(member) for member in members]
    bases = [_base_of(folder) for folder in folders]
    other = next((number for number, base in enumerate(bases) if resolve(base) != resolve(bases[0])), None)
    if other is not None:
        raise ModelError("members of different bases", wanted=bases[0], got=bases[other], where=str(members[other]))
    names = [f"{MEMBERS}/{number}" for number in range(len(folders))]
    for name, folder in zip(names, folders, strict=True):
        shutil.copytree(folder, out / name)
        if not (folder / "tokenizer_config.json").is_file():
            load_tokenizer(str(folder.parent), keep_template=True).save_pretrained(str(out / name))
    write_spec(out, FAMILY, {"base": bases[0], **spec_of(names, standard, rule=rule, weight=weight)})


def _adapter_of(member: Path) -> Path:
    """Where the adapter of a reward-model folder lies, or of a folder that is one."""
    for folder in (member / ADAPTER_FOLDER, member):
        if (folder / ADAPTER_CONFIG_NAME).is_file():
            return folder
    raise ModelError(
        "the member has no adapter", wanted=f"{ADAPTER_FOLDER}/", where=str(member), fix="train it with trainable: lora"
    )


def _base_of(adapter: Path) -> str:
    """The base's name in the recipe; as PEFT wrote it where there is no card."""
    card = read_card(adapter)
    said = json.loads((adapter / ADAPTER_CONFIG_NAME).read_text("utf-8"))
    base = (card.base if card is not None else None) or said.get("base_model_name_or_path")
    if not base:
        raise ModelError("the adapter does not name its base", where=str(adapter), fix="train it again")
    return str(base)
