"""What is made of a reward before a policy is trained on it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from rewardsmith.core.settings import Settings
from rewardsmith.numerics.combination import Rule


class RewardSettings(Settings):
    """From the scorer's rewards to those that training sees, in the order of these fields."""

    select: Rule = "mean"
    """Of an ensemble: what counts as its reward. `worst` and `penalised` need one."""

    weight: float = Field(default=0.5, ge=0)
    """λ of `penalised`: mean − λ·variance of the members."""

    reference: str | None = None
    """Column with a reference answer: the reward is then log σ(r − r_ref), which has no more to give once the response
    is clearly better than the reference."""

    centre: bool = False
    """Less the mean of the prompt's responses. GRPO and RLOO do that themselves; it matters before clipping."""

    standardise: bool = False
    """Centred, and divided by the standard deviation of the prompt's responses; all equal: 0."""

    clip: float | None = Field(default=None, gt=0)
    """Cut to ± this."""

    verifiable_weight: float = Field(default=1.0, ge=0)
    """Of the checker's 0 or 1, where there is a checker: reward + weight·checked."""

    answer: str = "answer"
    """Column that the checker holds a response against."""

    task: str | None = None
    """Column with the name of a row's task. Where absent, every row is for this reward."""

    tasks: tuple[str, ...] = ()
    """Tasks that this reward is for; a row of another one gets `None`, which TRL leaves out."""

    @model_validator(mode="after")
    def _tasks_are_named(self) -> Self:
        if bool(self.tasks) != (self.task is not None):
            raise ValueError("task (a column) and tasks (its values) go together")
        return self

    @property
    def needs_group(self) -> bool:
        """Whether a reward depends on the other responses to its prompt."""
        return self.centre or self.standardise
