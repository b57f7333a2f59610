"""A run of PPO on disk: its checkpoints, its log, and the policy that it leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedTokenizerBase

from rewardsmith.models.checkpoint import complete_config, name_tokenizer_class
from rewardsmith.models.progress_bars import without_bars
from rewardsmith.optimise.ppo.actor_critic import ActorCritic
from rewardsmith.training.checkpoint import PREFIX, clear_staging, publish, rotate, seal, staging_folder
from rewardsmith.training.resume import last_complete_checkpoint

LOG_NAME = "log.jsonl"
_WEIGHTS, _OPTIMISER = "trained.safetensors", "optimizer.pt"

Line = dict[str, float]


def save_state(
    work: Path, step: int, *, model: ActorCritic, optimiser: torch.optim.Optimizer, lines: Sequence[Line]
) -> None:
    """Write everything that the run needs to go on after `step` steps; only the last one is kept."""
    clear_staging(work)
    staged = staging_folder(work)
    staged.mkdir(parents=True)
    save_file(_trained(model), staged / _WEIGHTS)
    torch.save(optimiser.state_dict(), staged / _OPTIMISER)
    write_log(staged / LOG_NAME, lines)
    seal(staged)
    publish(staged, work / f"{PREFIX}{step}")
    rotate(work, keep=1)


def load_state(work: Path, *, model: ActorCritic, optimiser: torch.optim.Optimizer) -> list[Line]:
    """Put the last whole state into `model` and `optimiser`; the log up to there, empty where there is no state."""
    folder = last_complete_checkpoint(work)
    if folder is None:
        return []
    weights = load_file(folder / _WEIGHTS)
    with torch.no_grad():
        for name, parameter in _parameters(model).items():
            parameter.copy_(weights[name])
    optimiser.load_state_dict(torch.load(folder / _OPTIMISER, weights_only=True))
    return read_log(folder / LOG_NAME)


def write_log(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """One JSON object a step."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def read_log(path: Path) -> list[Line]:
    """What `write_log` wrote."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def save_policy(network: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the policy as an ordinary causal language model."""
    with without_bars():
        network.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    complete_config(folder / "config.json", pad_id=tokenizer.pad_token_id, problem_type=None)
    name_tokenizer_class(folder / "tokenizer_config.json")


def _parameters(model: ActorCritic) -> dict[str, nn.Parameter]:
    """Those that are trained; a tied one once."""
    return {name: each for name, each in model.named_parameters() if each.requires_grad}


def _trained(model: ActorCritic) -> dict[str, torch.Tensor]:
    return {name: each.detach().cpu().contiguous() for name, each in _parameters(model).items()}
