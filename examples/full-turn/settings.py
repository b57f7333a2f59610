"""Everything that a user can tune in the turn: `turn.yaml` and `quick.yaml` hold it, `--set` changes it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rewardsmith.core.settings import Settings
from rewardsmith.optimise.policy.policy import SamplingSettings
from rewardsmith.optimise.settings import OptimiseSettings
from rewardsmith.refresh.settings import RefreshSettings
from rewardsmith.training.recipe import Recipe


class LabelSettings(Settings):
    """The simulated person who compares two responses."""

    pairs_per_prompt: int = Field(default=3, ge=1)
    """Pairs of the first round, drawn by lot from the responses to each prompt. They cost what labels cost."""

    noise: float = Field(default=0.7, gt=0)
    """Scale of the logistic noise, in points of the rubric, which has 10."""

    indifference: float = Field(default=0.35, ge=0)
    """Perceived differences below about this are ties, in points."""

    seed: int = 0
    """Of the lot and of the noise."""


class TurnSettings(Settings):
    """One full turn of the loop."""

    prompts: str = "builtin:starter"
    """What responses are sampled for, labelled, and trained on; with the rubric's criteria."""

    unseen: str = "unseen.jsonl"
    """What the two policies are compared on, and nothing else; beside this file, where the path is relative."""

    most_prompts: int | None = Field(default=None, ge=4)
    """Take the first so many of each; all where absent."""

    sampling: SamplingSettings = SamplingSettings(n=8, max_new_tokens=32, seed=1)
    """Responses that are labelled: of the base model first, of the first policy later."""

    labels: LabelSettings = LabelSettings()
    """Who labels them."""

    reward: Recipe = Recipe()
    """The reward model. Its sources are the labels, whatever stands there."""

    gate: str = "gate.yaml"
    """What it must pass before a policy is trained against it: a name of a policy, or a file."""

    must_pass: bool = True
    """The turn ends where the gate says no."""

    policy: OptimiseSettings = OptimiseSettings()
    """Both policies. Reward model, prompts and gold are filled in."""

    second_starts_from: Literal["base", "first"] = "first"
    """`first`: the loop goes on, and the second policy has had both trainings. `base`: both policies are trained alike,
    and only the reward model differs."""

    control: bool = False
    """Train the first policy on with the reward model of the first labels, too: what of the gain is the refresh's?"""

    refresh: RefreshSettings = RefreshSettings()
    """What is asked about the first policy's responses, and when the new reward model takes over."""

    comparison: SamplingSettings = SamplingSettings(n=8, max_new_tokens=32, seed=2)
    """Responses to the unseen prompts, of the base model and of both policies."""
