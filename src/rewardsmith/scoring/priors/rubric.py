"""A prior of simple programmatic checks, the same that judge the built-in data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float32

from rewardsmith.core.conversation import Conversation, response_text
from rewardsmith.preferences import rubric
from rewardsmith.scoring.priors.settings import RubricCheck

CHECKS: Mapping[RubricCheck, Callable[[str, str], float]] = {
    "finished": lambda _, response: rubric.finished(response, rubric.Criteria()),
    "fresh": lambda _, response: rubric.fresh(response),
    "direct": lambda _, response: rubric.direct(response),
    "brief": lambda _, response: rubric.brief(response),
    "subject": rubric.subject,
}
"""From prompt and response to a number in [0, 1], 1 the best; see the functions of `preferences.rubric`."""


def rubric_prior(
    conversations: Sequence[Conversation], *, checks: Sequence[RubricCheck]
) -> Float32[np.ndarray, " conversation"]:
    """The mean of the checks of each last assistant turn, in [0, 1]; 0 for an empty one."""
    return np.array([_mean(each, checks) for each in conversations], np.float32)


def _mean(conversation: Conversation, checks: Sequence[RubricCheck]) -> float:
    response = response_text(conversation)
    if not response.strip():
        return 0.0
    prompt = next((content for role, content in reversed(conversation) if role == "user"), "")
    return sum(CHECKS[name](prompt, response) for name in checks) / len(checks)
