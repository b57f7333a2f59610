"""What a step model is asked to say about each step: 1 right, 0 wrong, NaN where it is not asked."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float32

from rewardsmith.preferences.steps.trace import BAD, GOOD, NEUTRAL, StepTrace

Target = Literal["steps", "outcome"]
"""`steps`: each labelled step is right or wrong (a process reward model). `outcome`: the last step's place says whether
the final answer is right (an outcome reward model)."""

NeutralRule = Literal["good", "skip"]
"""What a neutral step (label 0) is: as good as a good one (Lightman 2023, arXiv:2305.20050, appendix), or left out."""


def trace_targets(trace: StepTrace, *, target: Target, neutral: NeutralRule) -> Float32[np.ndarray, " step"]:
    """`[step]`. Unlabelled steps are NaN: never a number that a sum, a cast to bool or a comparison could count."""
    if target == "outcome":
        values = np.full(len(trace.steps), np.nan, np.float32)
        if trace.final_correct is not None:
            values[-1] = float(trace.final_correct)
        return values
    worth = {GOOD: 1.0, BAD: 0.0, NEUTRAL: 1.0 if neutral == "good" else np.nan, None: np.nan}
    return np.array([worth[label] for label in trace.labels], np.float32)
