"""Settings of process and outcome reward models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rewardsmith.core.settings import Settings
from rewardsmith.numerics.steps import Aggregation
from rewardsmith.preferences.steps.targets import NeutralRule, Target
from rewardsmith.text.steps import SEPARATOR, Splitting


class ProcessSettings(Settings):
    """A model of steps, from step traces. Of `loss` only `label_smoothing` and `readout_l2` mean something for it."""

    target: Target = "steps"
    """`steps` learns from the label of each step (a process reward model); `outcome` from whether the final answer is
    right, read at the last step (an outcome reward model)."""

    aggregation: Literal["auto"] | Aggregation = "auto"
    """How the steps' probabilities become one reward: their `product`, the `minimum`, or the `last` one. `auto` is the
    product for `steps` (2305.20050) and the last for `outcome`, which knows no other."""

    neutral: NeutralRule = "good"
    """What a neutral step (label 0) is: `good` as in Lightman 2023 (2305.20050), or left out with `skip`."""

    separator: str = SEPARATOR
    """Stands after each step in the text that the model reads; a line break, as in TRL, where absent."""

    splitting: Splitting = "lines"
    """Where an answer is cut into steps when it is scored: at each line break, or at blank lines (`paragraphs`)."""

    threshold_traces: int = Field(default=1000, ge=1)
    """Training traces, at most, on which the threshold is fitted below which a step counts as wrong."""

    @model_validator(mode="after")
    def _an_outcome_is_read_at_the_end(self) -> ProcessSettings:
        if self.target == "outcome" and self.aggregation not in ("auto", "last"):
            raise ValueError("an outcome is read at the last step: aggregation must be auto or last")
        return self

    @property
    def resolved_aggregation(self) -> Aggregation:
        """`aggregation`, with `auto` resolved."""
        if self.aggregation != "auto":
            return self.aggregation
        return "last" if self.target == "outcome" else "product"
