"""A preference: one prompt, K ≥ 2 responses, and which of them was preferred to which.

A pair is the case K = 2; a ranking of six responses is the case K = 6 with fifteen pairs. Keeping the
responses of a prompt together lets each be computed once, however many pairs it takes part in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rewardsmith.core.conversation import Conversation


class Pair(NamedTuple):
    """One comparison inside a preference; `chosen` and `rejected` index its responses.

    Attributes:
        prob_chosen: Soft label in [0, 1]: the share of the votes for `chosen` (1 for a plain label).
        margin: How much better, in the data's own scale; `None` where nobody said.
        weight: Weight of the pair in the loss.
        tie: Raters called the two equal; `prob_chosen` is .5 and the order carries no meaning.
    """

    chosen: int
    rejected: int
    prob_chosen: float = 1.0
    margin: float | None = None
    weight: float = 1.0
    tie: bool = False


@dataclass(frozen=True, slots=True)
class Preference:
    """One prompt, its responses, and the comparisons between them.

    Attributes:
        prompt: Turns up to the response; may be empty.
        responses: K ≥ 2 continuations, each one or more turns.
        pairs: Comparisons; all of them belong to this prompt.
        id: Unique within a data set.
        group: Prompt group. Preferences of one group never stand on both sides of a split.
        source: Name of the data set, for per-source figures.
        votes: One of `chosen`, `rejected`, `tie`, `abstain` a rater, where K = 2 and votes are known.
        raters: Names of the raters, parallel to `votes`; may be empty.
        meta: Whatever else the row said.
    """

    prompt: Conversation
    responses: tuple[Conversation, ...]
    pairs: tuple[Pair, ...]
    id: str
    group: str
    source: str
    votes: tuple[str, ...] = ()
    raters: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def conversation(self, response: int) -> Conversation:
        """The whole conversation that ends with response number `response`."""
        return self.prompt + self.responses[response]
