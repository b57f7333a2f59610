"""What the experiments with policies share: prompts, gold, the first policy's responses, pairs of them, reward models.

Everything is small and synthetic: the built-in language model (135 M, dequantised 4-bit weights) answers those starter
prompts that ask for at most one sentence, after a system turn that asks for one; the rubric of
`rewardsmith.preferences.rubric`, with its default weights, is gold. Responses are cut at 40 tokens, so what length
costs in gold is `finished` (1.5 of 10 points) and, where a prompt asks for one sentence or so many words, `form` (2).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from study import RUNS

from rewardsmith.core.conversation import Conversation, Message
from rewardsmith.core.digest import digest_json
from rewardsmith.models.causal_lm import CausalLm, load_causal_lm
from rewardsmith.models.settings import ModelSettings
from rewardsmith.numerics.combination import standard_of
from rewardsmith.optimise.gold import RubricGold
from rewardsmith.optimise.load import load_criteria, load_prompts
from rewardsmith.optimise.pairs import DpoPair, preference_pairs
from rewardsmith.optimise.policy.local import LocalPolicy
from rewardsmith.optimise.policy.policy import Prompt, SamplingSettings
from rewardsmith.optimise.sample_store import SAMPLES_NAME, iter_groups, write_samples
from rewardsmith.optimise.samples import SampleGroup
from rewardsmith.pipeline.prepare import prepare_for
from rewardsmith.preferences.rubric import Criteria
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.store import load_judged
from rewardsmith.scoring.families.ensemble import EnsembleScorer
from rewardsmith.scoring.families.residual import ResidualScorer
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.priors.length import length_prior
from rewardsmith.scoring.priors.prior import Prior
from rewardsmith.scoring.single import load_single
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.train import train

SOURCES = ("builtin:starter", "builtin:starter-rankings")
SYSTEM = Message("system", "Answer in one short sentence.")
POLICY = "builtin:smollm2-135m-instruct"
ENCODER = "builtin:minilm-l6"
LABEL_NOISE_POINTS = 0.5
PRIOR_CHARS = 50.0
"""So many characters more are worth one unit of a length prior: about ten tokens."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything.

    Attributes:
        train: Prompts that responses, pairs and policies learn from.
        watch: Prompts that a run may look at to end itself.
        judge: Prompts that judge, and that nothing else sees.
        pool: Responses of the first policy to each training prompt.
        candidates: Its responses to each prompt that judges: what best-of-n chooses from.
        max_new_tokens: Longest response.
    """

    train: int = 61
    watch: int = 14
    judge: int = 36
    pool: int = 6
    candidates: int = 16
    max_new_tokens: int = 40


QUICK = Sizes(train=16, watch=2, judge=3, pool=4, candidates=4, max_new_tokens=8)


@dataclass(frozen=True, slots=True)
class World:
    """Where an experiment takes place.

    Attributes:
        folder: What is kept: samples, pairs, reward models, runs of policies.
        sizes: How much.
        lm: The first policy, which is the reference too.
        encoder: Base of reward models.
        train: Prompts to learn from.
        watch: Prompts that a run watches.
        judge: Prompts that judge.
        gold: The rubric.
    """

    folder: Path
    sizes: Sizes
    policy: str
    lm: CausalLm
    encoder: str
    train: tuple[Prompt, ...]
    watch: tuple[Prompt, ...]
    judge: tuple[Prompt, ...]
    gold: RubricGold

    @property
    def sampling(self) -> SamplingSettings:
        """Draws of the policy itself."""
        return SamplingSettings(n=self.sizes.pool, max_new_tokens=self.sizes.max_new_tokens, token_budget=4096)


def build_world(sizes: Sizes | None = None, *, policy: str = POLICY, encoder: str = ENCODER) -> World:
    """The prompts in their three parts, by a seeded lot, and the policy in memory."""
    sizes = sizes or Sizes()
    asked = short_prompts()
    order = np.random.default_rng(7).permutation(len(asked))
    prompts = [list(asked)[place] for place in order]
    ends = np.cumsum([sizes.train, sizes.watch, sizes.judge]).tolist()
    lm = load_causal_lm(policy)
    known = {"sizes": [getattr(sizes, name) for name in Sizes.__slots__], "policy": lm.digest, "encoder": encoder}
    return World(
        folder=RUNS / f"policies-{digest_json(known)[:12]}",
        sizes=sizes,
        policy=policy,
        lm=lm,
        encoder=encoder,
        train=tuple(prompts[: ends[0]]),
        watch=tuple(prompts[ends[0] : ends[1]]),
        judge=tuple(prompts[ends[1] : ends[2]]),
        gold=RubricGold({prompt: criteria for (prompt, _), criteria in asked.items()}),
    )


def short_prompts() -> dict[Prompt, Criteria]:
    """The starter prompts that ask for no list and at most one sentence, each after the system turn."""
    found: dict[Prompt, Criteria] = {}
    for source in SOURCES:
        criteria = load_criteria(source)
        for prompt, group in load_prompts(source).prompts:
            wanted = criteria[prompt]
            if wanted.bullets is None and (wanted.sentences or 1) <= 1:
                found[(SYSTEM, *prompt), group] = wanted
    return found


# ---- responses of the first policy ----


def base_samples(world: World, part: str) -> list[SampleGroup]:
    """What the first policy writes to the prompts of a part: `train` or `judge`. Kept on disk."""
    n = world.sizes.pool if part == "train" else world.sizes.candidates
    out = world.folder / f"samples-{part}"
    policy = LocalPolicy(world.lm, world.sampling)
    settings = world.sampling.model_copy(update={"n": n, "seed": 1 if part == "train" else 2})
    write_samples(policy, getattr(world, part), out=out, settings=settings, prompts_at_once=4)
    return list(iter_groups(out / SAMPLES_NAME))


def rated(world: World, groups: Sequence[SampleGroup]) -> np.ndarray:
    """`[prompt, response]`: gold of each."""
    return np.stack([world.gold.rate(group.conversations()) for group in groups])


# ---- pairs ----


def judged_rows(groups: Sequence[SampleGroup], gold: np.ndarray, *, seed: int) -> list[dict[str, object]]:
    """Each response against the next one of its prompt, in a ring, judged with noise.

    P(a before b) = σ((gold_a − gold_b) / 0.5 points), as an ordinary rater of the starter set's panel. Of two equal
    texts nothing is asked, nor of a pair that has been judged already (two responses make a ring of one pair).
    """
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for group, points in zip(groups, gold, strict=True):
        seen: set[frozenset[str]] = set()
        for one in range(len(group)):
            other = (one + 1) % len(group)
            texts = group.samples[one].text, group.samples[other].text
            prefers_one = rng.random() < 1 / (1 + np.exp(-(points[one] - points[other]) / LABEL_NOISE_POINTS))
            if not all(text.strip() for text in texts) or len(set(texts)) < 2 or frozenset(texts) in seen:
                continue
            seen.add(frozenset(texts))
            chosen, rejected = texts if prefers_one else texts[::-1]
            prompt = [message._asdict() for message in group.prompt]
            rows.append({"prompt": prompt, "chosen": chosen, "rejected": rejected, "prompt_id": group.group})
    return rows


def pair_data(world: World) -> Path:
    """The preferences artefact of the judged pairs of training prompts."""
    out = world.folder / "pairs"
    if not (out / "manifest.json").is_file():
        groups = base_samples(world, "train")
        rows = judged_rows(groups, rated(world, groups), seed=3)
        file = world.folder / "pairs.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        prepare_for(_recipe(world, seed=0), out)
    return out


def training_pairs(world: World) -> list[DpoPair]:
    """The very pairs that the reward models learn from."""
    pairs, _ = preference_pairs(load_judged(pair_data(world)))
    return pairs


# ---- reward models ----


def reward_model(world: World, *, seed: int) -> Path:
    """A reward model that learnt from the pairs; models of several seeds differ by head and order."""
    out = world.folder / f"reward-{seed}"
    train(_recipe(world, seed=seed), pair_data(world), out)
    return out


def biased_ensemble(world: World, biases: Sequence[float]) -> EnsembleScorer:
    """Reward models of several seeds, each with a length prior of its own on top, on one scale.

    r_i = f_i + bias_i · sd_i · characters / 50, with sd_i the standard deviation of f_i within a prompt of the training
    pool: under a bias of 1 a text that is ten tokens longer is worth one standard deviation of what was learnt. Nobody
    would do that on purpose; it stands for what a length-loving rater does to the labels, and its size is known.
    """
    groups = base_samples(world, "train")
    texts = [text for group in groups for text in group.conversations()]
    names = [group.group for group in groups for _ in group.samples]
    members = []
    for seed, bias in enumerate(biases):
        base = load_single(reward_model(world, seed=seed), ScoringOptions(overlength="truncate"))
        scale = float(standard_of(base.score(texts).rewards[None], names).scales[0])
        prior = Prior("length", bias * scale, partial(length_prior, shape="linear", scale=PRIOR_CHARS))
        members.append(ResidualScorer(base, [prior], digest=digest_json([bias, scale])))
    standard = standard_of(np.stack([member.score(texts).rewards for member in members]), names)
    return EnsembleScorer(members, standard)


def _recipe(world: World, *, seed: int) -> Recipe:
    data = DataSettings(
        sources=(SourceSettings(path=str(world.folder / "pairs.jsonl")),), max_tokens=256, heldout_share=0.15
    )
    return Recipe(
        name=f"reward-{seed}",
        data=data,
        model=ModelSettings(base=world.encoder),
        training=TrainingSettings(epochs=3, learning_rate=1e-4, batch_size=16, seed=seed),
    )


def conversations_of(groups: Sequence[SampleGroup]) -> list[Conversation]:
    """All of them, in order."""
    return [text for group in groups for text in group.conversations()]
