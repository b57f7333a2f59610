"""Train a policy against a reward: DPO, GRPO, RLOO or PPO, from one recipe to one artefact."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.core.conversation import Conversation, assistant, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import is_current, read_manifest, require_replaceable, write_text, writing_artefact
from rewardsmith.models.builtin import resolve
from rewardsmith.models.causal_lm import CausalLm, load_causal_lm
from rewardsmith.models.checkpoint import ADAPTER_CONFIG_NAME
from rewardsmith.optimise.anchor import make_anchor
from rewardsmith.optimise.gold import Gold
from rewardsmith.optimise.load import load_columns, load_gold, load_prompts
from rewardsmith.optimise.measure import FreshMeasure, gold_figures
from rewardsmith.optimise.pairs import DpoPair
from rewardsmith.optimise.picture import run_picture
from rewardsmith.optimise.policy.policy import Prompt, SamplingSettings
from rewardsmith.optimise.ppo.rollout import Rollout
from rewardsmith.optimise.ppo.store import LOG_NAME, save_policy, write_log
from rewardsmith.optimise.ppo.train import KIND, train_ppo
from rewardsmith.optimise.reward.columns import RewardWithColumns, needed_columns
from rewardsmith.optimise.reward.function import RewardFunction
from rewardsmith.optimise.reward.load import load_reward
from rewardsmith.optimise.settings import Method, OptimiseSettings
from rewardsmith.optimise.trl.fit import require_generation_prompt, require_pad, require_room, require_trl
from rewardsmith.optimise.watch import stop_reason
from rewardsmith.pipeline.dpo_pairs import load_dpo_pairs, split_prompts
from rewardsmith.serve.standing import load_standing
from rewardsmith.training.resume import work_folder

PICTURE_NAME = "picture.html"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run works with.

    Attributes:
        reward: The reward model, shaped; `None` in DPO on judged pairs.
        call: The reward as trainers call it.
        gold: What watches the run.
        prompts: To train on.
        fresh: Set aside for measuring.
    """

    reward: RewardFunction | None
    call: Any
    gold: Gold | None
    prompts: tuple[Prompt, ...]
    fresh: tuple[Prompt, ...]


def optimise(method: Method, settings: OptimiseSettings, out: Path, *, verdicts: Sequence[Path] = ()) -> Manifest:
    """Train, and write the policy to `out`: an ordinary causal language model, its log, its picture, its manifest.

    A run that was killed goes on from its last whole checkpoint in `<out>.work`, where a picture is kept while it runs.
    What is there already, of the same everything, is not made again. The manifest says what the reward was, how it was
    shaped, how the policy was held, what the gate said of the reward model, and why the run ended.

    Args:
        verdicts: Folders that `rewardsmith gate --out` wrote; those beside the reward model are found.

    Raises:
        SettingsError: Something that the method needs is missing, or does not go with it.
        MissingDependencyError: TRL is not installed (DPO, GRPO, RLOO).
        RewardsmithError: A part cannot be loaded, does not fit, or the reward fails.
    """
    _require_whole(method, settings)
    require_replaceable(out, KIND)
    if method == "dpo":
        return _dpo(settings, out, verdicts)
    parts = _parts(settings)
    return _ppo(settings, parts, out, verdicts) if method == "ppo" else _online(method, settings, parts, out, verdicts)


def _require_whole(method: Method, settings: OptimiseSettings) -> None:
    if method == "dpo":
        if settings.pairs is None:
            raise SettingsError("nothing to learn from", wanted="pairs: a file, or a best-of run", where="pairs")
        return
    for name in ("reward_model", "prompts"):
        if getattr(settings, name) is None:
            raise SettingsError(f"{method} needs {name}", wanted=f"a value for {name}", where=name)
    if method == "ppo":
        if settings.reward.needs_group:
            raise SettingsError(
                "PPO draws one response a prompt",
                wanted="centre and standardise off",
                where="reward",
                fix="PPO whitens its advantages over the batch",
            )
        if settings.reward.tasks:
            raise SettingsError("PPO needs a reward for every row", wanted="no tasks", where="reward.tasks")


def _parts(settings: OptimiseSettings) -> Parts:
    reward = load_reward(
        str(settings.reward_model), settings.reward, checker=settings.checker, overlength=settings.overlength
    )
    source = str(settings.prompts)
    prompts, fresh = split_prompts(load_prompts(source).prompts, wanted=settings.measure.prompts, seed=settings.seed)
    columns = needed_columns(reward)
    call = RewardWithColumns(reward, load_columns(source, columns)) if columns else reward
    return Parts(reward, call, _gold(settings), prompts, fresh)


def _gold(settings: OptimiseSettings) -> Gold | None:
    gold = settings.gold
    return None if gold is None else load_gold(gold.kind, gold.source, rating=gold.rating)


def _online(method: Method, settings: OptimiseSettings, parts: Parts, out: Path, verdicts: Sequence[Path]) -> Manifest:
    require_trl()
    from datasets import Dataset

    from rewardsmith.optimise.trl.run import step_rows

    lm = _policy(settings)
    asked = [prompt for prompt, _ in (*parts.prompts, *parts.fresh)]
    require_generation_prompt(lm, asked)
    scorer = None if parts.reward is None or settings.overlength == "truncate" else parts.reward.scorer
    require_room(lm, scorer, asked, max_new_tokens=settings.training.max_new_tokens)
    training = settings.training
    places = step_rows(len(parts.prompts), per_step=training.prompts_per_step, steps=training.steps, seed=settings.seed)
    rows = Dataset.from_list([{"prompt": to_dicts(parts.prompts[place][0])} for place in places])

    def build(work: Path) -> Callable[[CausalLm], Any]:
        if method == "grpo":
            from rewardsmith.optimise.trl.grpo import grpo_trainer

            return lambda trained: grpo_trainer(trained, rows, parts.call, settings, work)
        from rewardsmith.optimise.trl.rloo import rloo_trainer

        return lambda trained: rloo_trainer(trained, rows, parts.call, settings, work)

    inputs = {"prompts": digest_json([to_dicts(prompt) for prompt, _ in (*parts.prompts, *parts.fresh)])}
    notes = {"prompts": len(parts.prompts), "fresh_prompts": len(parts.fresh)}
    return _through_trl(method, settings, parts, lm, out, build, inputs=inputs, notes=notes, verdicts=verdicts)


def _dpo(settings: OptimiseSettings, out: Path, verdicts: Sequence[Path]) -> Manifest:
    require_trl()
    from datasets import Dataset

    from rewardsmith.optimise.trl.dpo import dpo_trainer
    from rewardsmith.optimise.trl.run import step_rows

    lm = _policy(settings)
    reward = None
    if settings.reward_model is not None:
        reward = load_reward(settings.reward_model, overlength=settings.overlength)
    pairs, fates = load_dpo_pairs(str(settings.pairs), least_margin=settings.least_margin)
    prompts, fresh = split_prompts(_prompts_of(pairs), wanted=settings.measure.prompts, seed=settings.seed)
    kept = [pair for pair in pairs if pair.group in {group for _, group in prompts}]
    parts = Parts(reward, None, _gold(settings), prompts, fresh)
    _require_pairs_fit(lm, kept, fresh, settings)
    training = settings.training
    places = step_rows(len(kept), per_step=training.prompts_per_step, steps=training.steps, seed=settings.seed)
    rows = Dataset.from_list([kept[place].row() for place in places])

    def build(work: Path) -> Callable[[CausalLm], Any]:
        return lambda trained: dpo_trainer(trained, lm, rows, settings, work)

    inputs = {"pairs": digest_json([[pair.group, pair.row()] for pair in pairs])}
    notes = {"pairs_by_fate": dict(fates), "pairs": len(kept), "fresh_prompts": len(fresh)}
    return _through_trl("dpo", settings, parts, lm, out, build, inputs=inputs, notes=notes, verdicts=verdicts)


def _require_pairs_fit(
    lm: CausalLm, pairs: Sequence[DpoPair], fresh: Sequence[Prompt], settings: OptimiseSettings
) -> None:
    require_generation_prompt(lm, [*(pair.prompt for pair in pairs), *(prompt for prompt, _ in fresh)])
    sides = [(*pair.prompt, *turns) for pair in pairs for turns in (pair.chosen, pair.rejected)]
    require_room(lm, None, sides, max_new_tokens=0)
    require_room(lm, None, [prompt for prompt, _ in fresh], max_new_tokens=settings.training.max_new_tokens)


def _prompts_of(pairs: Sequence[DpoPair]) -> list[Prompt]:
    return list({pair.prompt: (pair.prompt, pair.group) for pair in pairs}.values())


def _policy(settings: OptimiseSettings) -> CausalLm:
    if (Path(resolve(settings.policy)) / ADAPTER_CONFIG_NAME).is_file():
        raise ModelError(
            "the policy is an adapter",
            wanted="a whole model, which is its own reference",
            where=settings.policy,
            fix="merge the adapter into its model first",
        )
    lm = load_causal_lm(settings.policy)
    require_pad(lm)
    return lm


def _through_trl(
    method: Method,
    settings: OptimiseSettings,
    parts: Parts,
    lm: CausalLm,
    out: Path,
    build: Callable[[Path], Callable[[CausalLm], Any]],
    *,
    inputs: Mapping[str, str],
    notes: Mapping[str, Any],
    verdicts: Sequence[Path],
) -> Manifest:
    from rewardsmith.optimise.trl.run import run_trl

    reward, gate = _provenance(settings, parts.reward, verdicts)
    config = {"method": method, **settings.model_dump(mode="json", exclude={"ppo"}), "reward_provenance": reward}
    config["gold_identity"] = None if parts.gold is None else dict(parts.gold.identity)
    parents = {"policy": lm.digest, **inputs}
    if is_current(out, kind=KIND, config=config, parents=parents):
        return read_manifest(out, KIND)
    work = work_folder(out, digest_json([config, parents]))
    sampling = SamplingSettings(max_new_tokens=settings.training.max_new_tokens, n=settings.measure.n)

    scorer = None if parts.reward is None else parts.reward.scorer
    measure = FreshMeasure(lm, parts.fresh, sampling, seed=settings.seed, scorer=scorer, gold=parts.gold)
    outcome = run_trl(
        lm, settings, work, build=build(work), measure=measure, on_line=lambda lines: _draw(work.parent, lines, method)
    )
    counts = {"steps": len(outcome.lines), "kept_step": outcome.kept_step, "stopped": outcome.stopped}
    counts |= {"gate": gate, **notes}
    manifest = Manifest(kind=KIND, config=config, seed=settings.seed, parents=parents, counts=counts)
    with writing_artefact(out, manifest) as draft:
        save_policy(outcome.network, lm.tokenizer, draft.folder)
        write_log(draft.folder / LOG_NAME, outcome.lines)
        _draw(draft.folder, outcome.lines, method, stopped=outcome.stopped)
    shutil.rmtree(work.parent, ignore_errors=True)
    return read_manifest(out, KIND)


def _ppo(settings: OptimiseSettings, parts: Parts, out: Path, verdicts: Sequence[Path]) -> Manifest:
    reward, gate = _provenance(settings, parts.reward, verdicts)
    lm = _policy(settings)
    asked = [prompt for prompt, _ in parts.prompts]
    scorer = None if parts.reward is None or settings.overlength == "truncate" else parts.reward.scorer
    require_room(lm, scorer, asked, max_new_tokens=settings.ppo.max_new_tokens)
    work = out.with_name(out.name + ".work")
    lines: list[Mapping[str, float]] = []

    def measure(drawn: Sequence[Conversation], rollout: Rollout) -> Mapping[str, float]:
        figures = {} if parts.reward is None else dict(parts.reward.figures)
        if parts.gold is None:
            return figures
        written = [(*prompt, assistant(text)) for prompt, text in zip(drawn, rollout.texts, strict=True)]
        return figures | gold_figures(parts.gold, written, [str(place) for place in range(len(written))])

    def on_step(line: Mapping[str, float], _: Rollout) -> None:
        lines.append(line)
        _draw(work, lines, "ppo")

    shaping = {"shaping": settings.reward.model_dump(mode="json"), "checker": settings.checker, **reward}
    watched = {"watch": settings.watch.model_dump(mode="json"), "stop": settings.stop.model_dump(mode="json")}
    gold = {"gold_identity": None if parts.gold is None else dict(parts.gold.identity)}
    return train_ppo(
        settings.ppo,
        policy=settings.policy,
        reward=parts.call,
        reward_config=shaping | gold,
        prompts=asked,
        anchor=make_anchor(settings.anchor, settings.watch),
        anchor_config=settings.anchor.model_dump(mode="json") | watched,
        out=out,
        stop=lambda some: stop_reason(some, settings.stop, settings.watch),
        on_step=on_step,
        measure=measure,
        beside=lambda folder, some: _draw(folder, some, "ppo"),
        notes={"gate": gate, "prompts": len(parts.prompts), "fresh_prompts": len(parts.fresh)},
    )


def _provenance(
    settings: OptimiseSettings, reward: RewardFunction | None, verdicts: Sequence[Path]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the reward model is, and what the gate said of it.."""
    if reward is None:
        return {"model": None}, {"state": "no reward model"}
    name = str(settings.reward_model)
    found = reward.scorer.score([]).provenance
    values = {"model": name, "model_digest": found.model_digest, "template_digest": found.template_digest}
    standing = load_standing(name, digest=found.model_digest, verdicts=verdicts)
    said = {"state": standing.state, "policy": standing.policy, "purpose": standing.purpose}
    if not standing.passed:
        said["warning"] = "the reward model has not passed a gate: what this policy gains by it may be worth nothing"
    return values, said


def _draw(folder: Path, lines: Sequence[Mapping[str, float]], method: str, *, stopped: str | None = None) -> None:
    write_text(folder / PICTURE_NAME, run_picture(lines, title=f"{method.upper()} run", stopped=stopped))
