"""The steps of a full turn, each by the function behind a command of rewardsmith, each an artefact."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison import compare, write_comparison
from labels import PAIRS_NAME, drawn, read_questions, write_judged
from settings import TurnSettings
from steps import Steps, digest_of

from rewardsmith.core.conversation import to_dicts
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import writing_artefact
from rewardsmith.gate.verdict import EXIT_CODES
from rewardsmith.optimise.gold import Gold
from rewardsmith.optimise.load import load_criteria, load_gold, load_prompts
from rewardsmith.optimise.policy.load import load_policy
from rewardsmith.optimise.policy.policy import SamplingSettings
from rewardsmith.optimise.sample_store import iter_groups, write_samples
from rewardsmith.optimise.settings import GoldSettings
from rewardsmith.pipeline.audit import audit_model
from rewardsmith.pipeline.gate import gate_model
from rewardsmith.pipeline.optimise import optimise
from rewardsmith.pipeline.refresh import refresh
from rewardsmith.pipeline.refresh_learn import FileLabels
from rewardsmith.pipeline.refresh_round import RoundInputs
from rewardsmith.pipeline.run import DATA, EVALUATION, MODEL, run
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.refresh.store import JOURNAL_NAME, POINTER_NAME
from rewardsmith.scoring.load import load_scorer

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Turn:
    """One turn in a folder.

    Attributes:
        out: The folder.
        settings: All that can be tuned.
        steps: Skips what is there.
    """

    out: Path
    settings: TurnSettings
    steps: Steps

    @property
    def base(self) -> str:
        """The policy as it is before the turn."""
        return self.settings.policy.policy

    @property
    def first_reward(self) -> Path:
        """The reward model of the first labels."""
        return self.out / "3-reward" / MODEL

    @property
    def reward_in_use(self) -> Path:
        """The reward model that the refresh left in use: the new one, or the first one where that was kept."""
        return self.pointer.resolve() if self.pointer.is_symlink() else self.first_reward

    @property
    def pointer(self) -> Path:
        """Link to a reward model that was promoted."""
        return self.out / POINTER_NAME

    def policy(self, name: str) -> Path:
        """`first`, `second` or `control`."""
        return self.out / f"{'6' if name == 'first' else '9'}-policy-{name}"

    def gold(self, name: str) -> Gold:
        """The rubric over the prompts of `train` or `unseen`."""
        return load_gold("rubric", str(self.prompts(name)))

    def prompts(self, name: str) -> Path:
        """The file of the prompts of `train` or `unseen`."""
        return self.out / "0-prompts" / f"{name}.jsonl"


def take_prompts(turn: Turn) -> None:
    """Two files of prompts with the rubric's criteria: to train on, and to compare on."""
    settings, folder = turn.settings, turn.out / "0-prompts"
    unseen = settings.unseen if settings.unseen.startswith("builtin:") else str(HERE / settings.unseen)
    rows = {
        name: _rows(source, settings.most_prompts) for name, source in [("train", settings.prompts), ("unseen", unseen)]
    }

    def make() -> None:
        counts = {name: len(some) for name, some in rows.items()}
        with writing_artefact(folder, Manifest(kind="prompts", config={}, counts=counts)) as draft:
            for name, some in rows.items():
                lines = "".join(json.dumps(each) + "\n" for each in some)
                (draft.folder / f"{name}.jsonl").write_text(lines, "utf-8")

    turn.steps.do("prompts", make, made_from=rows, folders=[folder])


def sample(turn: Turn, name: str, policy: str, *, prompts: str, sampling: SamplingSettings) -> Path:
    """Responses of a policy, with their log-probabilities under it and under the base model."""
    out = turn.out / name

    def make() -> None:
        loaded = load_policy(policy, sampling, reference=turn.base)
        write_samples(loaded, load_prompts(str(turn.prompts(prompts))).prompts, out=out, settings=sampling)

    made_from = {"policy": _identity(policy), "base": turn.base, "sampling": sampling.model_dump(mode="json")}
    turn.steps.do(name, make, made_from=made_from | {"prompts": prompts, "from": _prompts(turn)}, folders=[out])
    return out


def label_first(turn: Turn, samples: Path) -> Path:
    """The first labels: pairs of the base model's responses, by lot."""
    out, settings = turn.out / "2-labels", turn.settings.labels
    made_from = {"samples": digest_of(samples), "labels": settings.model_dump(mode="json"), "prompts": _prompts(turn)}

    def make() -> None:
        questions = drawn(iter_groups(samples), per_prompt=settings.pairs_per_prompt, seed=settings.seed)
        write_judged(questions, turn.gold("train"), settings, out, parents={"samples": digest_of(samples)})

    turn.steps.do("2-labels", make, made_from=made_from, folders=[out])
    return out


def train_reward(turn: Turn, labels: Path) -> None:
    """Check, split, train, evaluate: what `rewardsmith run` does."""
    out, recipe = turn.out / "3-reward", turn.settings.reward
    sources = (SourceSettings(path=str(labels / PAIRS_NAME)),)
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"sources": sources})})
    made_from = {"labels": digest_of(labels), "recipe": recipe.model_dump(mode="json", exclude={"data": {"sources"}})}
    folders = [out / name for name in (DATA, MODEL, EVALUATION)]
    turn.steps.do("3-reward", lambda: run(recipe, out), made_from=made_from, folders=folders)


def audit_reward(turn: Turn) -> Path:
    """What an optimiser would find: `rewardsmith audit`."""
    out, model = turn.out / "4-audit", turn.first_reward
    data = model.with_name(DATA)
    made_from = {"model": digest_of(model), "data": digest_of(data)}
    turn.steps.do("4-audit", lambda: audit_model(model, data=data, out=out), made_from=made_from, folders=[out])
    return out


def gate_reward(turn: Turn, audit: Path) -> None:
    """May a policy be trained against it? `rewardsmith gate`.

    Raises:
        SystemExit: No, with the code of `rewardsmith gate`.
    """
    out, named = turn.out / "5-gate", turn.settings.gate
    policy = str(HERE / named) if (HERE / named).is_file() else named
    text = Path(policy).read_text("utf-8") if Path(policy).is_file() else named
    made_from = {"audit": digest_of(audit), "policy": text}

    def make() -> None:
        gate_model([audit], policy=policy, out=out, model=turn.first_reward)

    turn.steps.do("5-gate", make, made_from=made_from, folders=[out])
    status = json.loads((out / "verdict.json").read_text("utf-8"))["status"]
    if turn.settings.must_pass and EXIT_CODES[status]:
        raise SystemExit(EXIT_CODES[status])


def train_policy(turn: Turn, name: str, *, start: str, reward: Path) -> Path:
    """GRPO under KL control: `rewardsmith optimise grpo`."""
    out, train = turn.policy(name), turn.prompts("train")
    changes: dict[str, Any] = {"policy": start, "reward_model": str(reward), "prompts": str(train)}
    changes["gold"] = GoldSettings(kind="rubric", source=str(train))
    settings = turn.settings.policy.model_copy(update=changes)
    tuned = turn.settings.policy.model_dump(mode="json")
    made_from = {"policy": _identity(start), "reward": digest_of(reward), "prompts": _prompts(turn), "settings": tuned}

    def make() -> None:
        optimise("grpo", settings, out, verdicts=[turn.out / "5-gate"])

    turn.steps.do(out.name, make, made_from=made_from, folders=[out])
    return out


def refresh_reward(turn: Turn, samples: Path) -> None:
    """What has drifted, which pairs to ask about, labels for them, a new reward model: `rewardsmith refresh`, twice."""
    out, asked_labels = turn.out / "8-refresh", turn.out / "8-labels"
    inputs = RoundInputs(
        incumbent=str(turn.first_reward), samples=str(samples), replay=str(turn.first_reward.with_name(DATA))
    )
    settings, labels = turn.settings.refresh, turn.settings.labels
    made_from = {"samples": digest_of(samples), "reward": digest_of(turn.first_reward), "prompts": _prompts(turn)}
    made_from |= {"refresh": settings.model_dump(mode="json"), "labels": labels.model_dump(mode="json")}

    def make() -> None:
        asked = refresh(inputs, out, settings=settings)
        questions, parents = read_questions(asked.to_label), {"asked": digest_of(asked.to_label.parent)}
        write_judged(questions, turn.gold("train"), labels, asked_labels, parents=parents)
        refresh(inputs, out, settings=settings, labels=FileLabels(str(asked_labels / PAIRS_NAME)))

    def clear() -> None:
        """A round keeps what it began with; one from other samples is another round."""
        shutil.rmtree(out, ignore_errors=True)
        for path in (turn.pointer, turn.out / JOURNAL_NAME):
            path.unlink(missing_ok=True)

    folders = [out / name for name in ("to_label", "labels", "model", "comparison", "promotion")]
    turn.steps.do("8-refresh", make, made_from=made_from, folders=[*folders, asked_labels], clear=clear)


def compare_policies(turn: Turn, samples: dict[str, Path]) -> Path:
    """Base, first and second policy on unseen prompts."""
    out = turn.out / "10-comparison"
    rewards = {"first reward": turn.first_reward, "refreshed reward": turn.reward_in_use}
    parents = {name: digest_of(folder) for name, folder in (samples | rewards).items()}

    def make() -> None:
        groups = {name: list(iter_groups(folder)) for name, folder in samples.items()}
        scorers = {name: load_scorer(folder, overlength="truncate") for name, folder in rewards.items()}
        write_comparison(compare(groups, scorers, turn.gold("unseen")), out, parents=parents)

    turn.steps.do(out.name, make, made_from=parents | {"prompts": _prompts(turn)}, folders=[out])
    return out


def full_turn(turn: Turn) -> Path:
    """The whole loop; the artefact that compares the policies."""
    settings = turn.settings
    take_prompts(turn)
    samples = sample(turn, "1-samples", turn.base, prompts="train", sampling=settings.sampling)
    train_reward(turn, label_first(turn, samples))
    gate_reward(turn, audit_reward(turn))
    first = train_policy(turn, "first", start=turn.base, reward=turn.first_reward)
    fresh = sample(turn, "7-fresh-samples", str(first), prompts="train", sampling=settings.sampling)
    refresh_reward(turn, fresh)
    start = turn.base if settings.second_starts_from == "base" else str(first)
    second = train_policy(turn, "second", start=start, reward=turn.reward_in_use)
    policies = {"base": turn.base, "first": str(first), "second": str(second)}
    if settings.control:
        policies["control"] = str(train_policy(turn, "control", start=str(first), reward=turn.first_reward))
    unseen = {
        name: sample(turn, f"10-unseen-{name}", policy, prompts="unseen", sampling=settings.comparison)
        for name, policy in policies.items()
    }
    return compare_policies(turn, unseen)


def _rows(source: str, most: int | None) -> list[dict[str, Any]]:
    criteria = load_criteria(source)
    return [
        {"prompt_id": group, "prompt": to_dicts(prompt), "meta": {"criteria": criteria[prompt].to_dict()}}
        for prompt, group in load_prompts(source).prompts[:most]
    ]


def _identity(policy: str) -> str:
    """Of an artefact its content: two runs in other folders are alike."""
    return digest_of(Path(policy)) if (Path(policy) / "manifest.json").is_file() else policy


def _prompts(turn: Turn) -> str:
    return digest_of(turn.out / "0-prompts")
