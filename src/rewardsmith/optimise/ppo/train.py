"""PPO: sample, reward, take some clipped steps, and again; what is optimised is r − β·KL to the reference.

The algorithm is that of Stiennon et al. 2020 (arXiv:2009.01325) with the advantages of Schulman et al. 2016: the price
of KL is paid token by token in the reward. It differs in three things: the value head shares the policy's network and
starts at nought, β may be moved by an anchor, and the passes over a batch end early when the policy has moved far.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import DataError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.progress import track
from rewardsmith.core.store import is_current, read_manifest, require_replaceable, writing_artefact
from rewardsmith.models.causal_lm import CausalLm, load_causal_lm
from rewardsmith.optimise.anchor import Anchor
from rewardsmith.optimise.ppo.actor_critic import ActorCritic, train_last_blocks
from rewardsmith.optimise.ppo.rollout import Reward, Rollout, response_seeds, roll_out
from rewardsmith.optimise.ppo.settings import PpoSettings
from rewardsmith.optimise.ppo.store import LOG_NAME, Line, load_state, save_policy, save_state, write_log
from rewardsmith.optimise.ppo.update import UpdateReport, update
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.training.resume import work_folder

KIND = "policy"

Stop = Callable[[Sequence[Line]], str | None]
"""Why the run should end after the lines so far; `None` where it should go on."""

Measure = Callable[[Sequence[Conversation], Rollout], Mapping[str, float]]
"""Figures of a step, from its prompts and what was written."""


def train_ppo(
    settings: PpoSettings,
    *,
    policy: str | Path,
    reward: Reward,
    reward_config: Mapping[str, object],
    prompts: Sequence[Conversation],
    anchor: Anchor,
    anchor_config: Mapping[str, object],
    out: Path,
    stop: Stop = lambda _: None,
    on_step: Callable[[Line, Rollout], None] = lambda *_: None,
    measure: Measure = lambda *_: {},
    beside: Callable[[Path, Sequence[Line]], None] = lambda *_: None,
    notes: Mapping[str, object] | None = None,
) -> Manifest:
    """Train `policy` against `reward`; write it to `out`, an ordinary causal language model with its log.

    A run that was killed goes on from its last state and ends with the same weights. The policy as it was at the start
    is the reference.

    Args:
        reward: Called once a step with all responses.
        reward_config: What the reward is, for the manifest and to tell one run from another.
        anchor_config: What the anchor is, likewise.
        stop: Asked after each step.
        on_step: Called after each step.
        measure: Further figures of a step's prompts and responses, for its line.
        beside: Writes more files into the artefact, given its folder and the log.
        notes: What else the manifest's counts should say.

    Raises:
        ArtefactError: `out` holds something else.
        DataError: There is no prompt.
        JudgeError: The reward gives no number.
        ModelError: The policy cannot be loaded.
    """
    if not prompts:
        raise DataError("no prompts", wanted="at least one")
    require_replaceable(out, KIND)
    lm = load_causal_lm(policy)
    config = {"ppo": settings.model_dump(mode="json"), "reward": dict(reward_config), "anchor": dict(anchor_config)}
    parents = {"policy": lm.digest, "prompts": digest_json([[list(turn) for turn in each] for each in prompts])}
    if is_current(out, kind=KIND, config=config, parents=parents):
        return read_manifest(out, KIND)
    work = work_folder(out, digest_json([config, parents]))
    lines, why = _train(lm, settings, reward, prompts, anchor, work, stop, on_step, measure)
    counts = {"steps": len(lines), "responses": len(lines) * settings.prompts_per_step, "stopped": why}
    counts |= dict(notes or {})
    manifest = Manifest(kind=KIND, config=config, seed=settings.seed, parents=parents, counts=counts)
    with writing_artefact(out, manifest) as draft:
        save_policy(lm.network, lm.tokenizer, draft.folder)
        write_log(draft.folder / LOG_NAME, lines)
        beside(draft.folder, lines)
    shutil.rmtree(work.parent, ignore_errors=True)
    return read_manifest(out, KIND)


def _train(
    lm: CausalLm,
    settings: PpoSettings,
    reward: Reward,
    prompts: Sequence[Conversation],
    anchor: Anchor,
    work: Path,
    stop: Stop,
    on_step: Callable[[Line, Rollout], None],
    measure: Measure,
) -> tuple[list[Line], str | None]:
    """The steps that are still to be made; the whole log, and why it ended before its time."""
    encoder = ConversationEncoder(lm.tokenizer)
    reference = copy.deepcopy(lm.network).requires_grad_(False)
    model = ActorCritic(_without_dropout(lm.network))
    if settings.last_blocks is not None:
        train_last_blocks(model.network, settings.last_blocks)
    optimiser = _optimiser(model, settings)
    lines = load_state(work, model=model, optimiser=optimiser)
    for line in lines:
        anchor.observe(line)
    for step in track(range(len(lines), settings.steps), "PPO", total=settings.steps - len(lines)):
        why = stop(lines) if lines else None
        if why is not None:
            return lines, why
        drawn = _drawn(prompts, settings, step)
        rollout = roll_out(
            model,
            reference,
            encoder,
            drawn,
            reward=reward,
            max_new_tokens=settings.max_new_tokens,
            token_budget=settings.token_budget,
            seeds=response_seeds(settings.seed, step, settings.prompts_per_step),
        )
        beta = anchor.beta
        seed = response_seeds(settings.seed, step, 1)[0]
        report = update(model, optimiser, rollout, settings, beta=beta, pad_id=encoder.pad_id, seed=seed)
        lines.append(_line(step, rollout, report, beta=beta) | dict(measure(drawn, rollout)))
        anchor.observe(lines[-1])
        on_step(lines[-1], rollout)
        if (step + 1) % settings.save_every_steps == 0:
            save_state(work, step + 1, model=model, optimiser=optimiser, lines=lines)
    return lines, stop(lines)


def _drawn(prompts: Sequence[Conversation], settings: PpoSettings, step: int) -> list[Conversation]:
    """The prompts of a step: without replacement where there are enough; the same whenever it is asked."""
    rng = np.random.default_rng([settings.seed, step])
    count = settings.prompts_per_step
    return [prompts[index] for index in rng.choice(len(prompts), size=count, replace=count > len(prompts))]


def _optimiser(model: ActorCritic, settings: PpoSettings) -> torch.optim.Optimizer:
    trained = [parameter for parameter in model.network.parameters() if parameter.requires_grad]
    groups = [
        {"params": trained, "lr": settings.learning_rate},
        {"params": list(model.value_head.parameters()), "lr": settings.value_learning_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=0.0)


def _without_dropout(network: nn.Module) -> nn.Module:
    """The ratio of two policies must not be the ratio of two masks."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network


def _line(step: int, rollout: Rollout, report: UpdateReport, *, beta: float) -> Line:
    nats = rollout.sequence_nats
    lengths = rollout.mask.sum(dim=1).double().numpy()
    return {
        "step": step,
        "reward": float(rollout.scores.mean()),
        "kl_nats": float(nats.mean()),
        "objective": float(rollout.scores.mean() - beta * nats.mean()),
        "beta": beta,
        "length": float(lengths.mean()),
        "finished": rollout.finished,
        "policy_loss": report.policy_loss,
        "value_loss": report.value_loss,
        "clipped": report.clipped,
        "moved_nats": report.moved_nats,
        "grad_norm": report.grad_norm,
        "epochs": report.epochs,
    }
