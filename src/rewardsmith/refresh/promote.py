"""Does the new model take the incumbent's place?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rewardsmith.audit.evaluation import to_json
from rewardsmith.core.finding import Estimate
from rewardsmith.gate.comparison import FEWEST_GROUPS, Comparison
from rewardsmith.refresh.settings import PromoteSettings


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, and why.

    Attributes:
        promoted: The candidate is the model in use from now on.
        why: In a sentence.
        difference: Paired difference of accuracy over all held-out pairs, candidate minus incumbent.
        regressions: Where the candidate is shown to be worse.
    """

    promoted: bool
    why: str
    difference: Estimate
    regressions: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; NaN becomes null."""
        return to_json(self)


def decide(comparison: Comparison, settings: PromoteSettings) -> Decision:
    """The decision that the rule of `settings` makes of a comparison. Missing evidence keeps the incumbent."""
    difference = comparison.differences[0].difference
    regressions = tuple(f"{one.measure}, {one.slice}" for one in comparison.regressions)
    promoted, why = _judged(difference, regressions, settings)
    return Decision(promoted, why, difference, regressions)


def _judged(difference: Estimate, regressions: tuple[str, ...], settings: PromoteSettings) -> tuple[bool, str]:
    told = f"accuracy {difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}] on {difference.n} pairs"
    if regressions:
        return False, f"kept: the candidate is worse in {'; '.join(regressions)} ({told})"
    if difference.groups < FEWEST_GROUPS:
        return (
            False,
            f"kept: {difference.groups} held-out prompt groups are too few to tell, {FEWEST_GROUPS} are needed",
        )
    if settings.rule == "better":
        if difference.low > 0:
            return True, f"promoted: the candidate is better ({told})"
        return False, f"kept: the candidate is not shown to be better ({told})"
    if difference.value < 0:
        return False, f"kept: the candidate has no more pairs right ({told})"
    if difference.low < -settings.most_loss:
        return False, f"kept: the candidate may lose more than {settings.most_loss:g} ({told})"
    return True, f"promoted: no worse anywhere, and at most {settings.most_loss:g} can be lost ({told})"
