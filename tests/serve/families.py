"""One tiny model of each family that can be served, and conversations to ask it for: for the tests and the bench."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.models import adapted, tiny

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.models import checkpoint
from rewardsmith.models.load import build
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.steps.checkpoint import save_step_model
from rewardsmith.models.steps.load import build_step_model
from rewardsmith.numerics.combination import Standard
from rewardsmith.numerics.merging import Merge
from rewardsmith.pipeline.implicit import make_implicit
from rewardsmith.scoring.families import ensemble, merged, process
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.families.store import save_heads
from rewardsmith.scoring.priors.settings import PriorSettings
from rewardsmith.scoring.priors.store import write_residual
from rewardsmith.text.load import load_tokenizer, prepared
from rewardsmith.training.adapters import write_adapter_ensemble

MAX_TOKENS = 200
"""Longest text of most of them; no text of `CONVERSATIONS` is as long."""

CONVERSATIONS: tuple[Conversation, ...] = (
    (user("What is 2 + 2?"), assistant("4")),
    (user("What is 2 + 2?"), assistant("2 + 2 = 4\nSo 4")),
    (user("What is 2 + 2?"), assistant("It is 22, I believe.")),
    (user("Say hello,\nthen stop."), assistant("Grüße — “hello” 👋")),
)


def _encoder(folder: Path) -> None:
    checkpoint.save(RewardModel(tiny.bert()), prepared(tiny.encoder_tokenizer()), folder, max_tokens=MAX_TOKENS)


def _decoder(folder: Path) -> None:
    checkpoint.save(RewardModel(tiny.llama()), prepared(tiny.decoder_tokenizer()), folder, max_tokens=MAX_TOKENS)


def _ensemble(folder: Path) -> None:
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = RewardModel(tiny.llama())
        with torch.no_grad():
            model.output_layer.weight += 0.3 * torch.randn_like(model.output_layer.weight)
        checkpoint.save(model, prepared(tiny.decoder_tokenizer()), folder / f"members/{seed}", max_tokens=MAX_TOKENS)
    standard = Standard(np.array([0.1, -0.2]), np.array([2.0, 0.5]))
    members = ["members/0", "members/1"]
    write_spec(folder, ensemble.FAMILY, ensemble.spec_of(members, standard, rule="mean", weight=0.5))


def _adapters(folder: Path) -> None:
    beside = folder.with_name("adapters-parts")
    base = adapted.save_base(tiny, beside / "base", "decoder")
    members = [beside / f"model-{seed}" for seed in range(2)]
    for seed, member in enumerate(members):
        model = adapted.adapted(base, seed=seed)
        checkpoint.save(model, load_tokenizer(base), member, base=base, max_tokens=MAX_TOKENS)
    write_adapter_ensemble(members, folder, standard=Standard(np.array([0.5, -1.0]), np.array([1.0, 2.0])))


def _attributes(folder: Path) -> None:
    _decoder(folder)
    draws = np.random.default_rng(0)
    heads = draws.normal(size=(2, tiny.HIDDEN)).astype(np.float32)
    save_heads(folder / "heads.safetensors", heads, np.array([0.5, -1.0], np.float32))
    weights = {"helpfulness": 1.0, "verbosity": -0.3}
    write_spec(folder, "attributes", {"heads": "heads.safetensors", "names": list(weights), "weights": weights})


def _residual(folder: Path) -> None:
    base = tiny.save_base(folder.with_name("residual-base"), "decoder")
    model = build(ModelSettings(base=base), seed=4)
    checkpoint.save(model, load_tokenizer(base), folder, base=base, max_tokens=MAX_TOKENS, portable=False)
    prior = PriorSettings.model_validate({"terms": [{"kind": "length", "scale": 10, "weight": -0.5}]})
    write_residual(folder, prior.terms, scale=1.0)


def _process(folder: Path) -> None:
    base = tiny.save_base(folder.with_name("process-base"), "decoder")
    save_step_model(build_step_model(ModelSettings(base=base), seed=2), load_tokenizer(base), folder)
    write_spec(folder, process.FAMILY, process.ProcessSpec(max_tokens=MAX_TOKENS).model_dump(mode="json"))


def _merged(folder: Path) -> None:
    _encoder(folder / "helpful")
    _decoder(folder / "harmless")
    standard = Standard(np.array([0.5, -1.0]), np.array([2.0, 0.25]))
    members = {"helpful": "helpful", "harmless": "harmless"}
    write_spec(folder, merged.FAMILY, merged.spec_of(members, Merge("standardised", standard=standard)))


def _implicit(folder: Path) -> None:
    from transformers import LlamaForCausalLM

    reference, policy = folder.with_name("implicit-reference"), folder.with_name("implicit-policy")
    tiny.save_base(reference, "decoder")
    network: Any = LlamaForCausalLM.from_pretrained(reference)
    torch.manual_seed(1)
    with torch.no_grad():
        network.lm_head.weight += 0.05 * torch.randn_like(network.lm_head.weight)
    network.save_pretrained(policy)
    tiny.decoder_tokenizer().save_pretrained(policy)
    make_implicit(str(policy), str(reference), out=folder, beta=0.5)


FAMILIES: dict[str, Callable[[Path], None]] = {
    "encoder": _encoder,
    "decoder": _decoder,
    "ensemble": _ensemble,
    "adapters": _adapters,
    "attributes": _attributes,
    "residual": _residual,
    "process": _process,
    "merged": _merged,
    "implicit": _implicit,
}
"""Name → what writes such a model into a folder (and what it needs beside it)."""


def build_families(root: Path, names: tuple[str, ...] = tuple(FAMILIES)) -> dict[str, Path]:
    """The folders of the families `names` below `root`; those that are there already are taken as they are."""
    folders = {name: root / name for name in names}
    for name, folder in folders.items():
        if not folder.is_dir():
            try:
                FAMILIES[name](folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    return folders
