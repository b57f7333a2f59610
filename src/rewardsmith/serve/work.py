"""What goes to a model and comes back: one request's texts, their scores, and what the model says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.scores import Provenance, Scores, joined

Ability = Literal["texts", "ids", "steps", "attributes", "spread", "rationales"]
"""What a model takes beside conversations (`texts`, `ids`), and gives beside rewards."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The texts of one request; exactly one of `conversations`, `texts` and `ids` has any.

    Attributes:
        conversations: Rendered with the model's chat template.
        texts: Tokenised as they are, without a template: whoever sends them has rendered them.
        ids: Token ids as they are.
        truncate: Cut what is too long (the beginning of the prompt goes first), in the place of an error.
        max_tokens: Limit for this request; the model's own where absent.
        adds_bos: A text that does not begin as the model's template does gets the BOS that it lacks. Clients of other
            servers take it off, since those put one there.
    """

    conversations: tuple[Conversation, ...] = ()
    texts: tuple[str, ...] = ()
    ids: tuple[tuple[int, ...], ...] = ()
    truncate: bool = False
    max_tokens: int | None = None
    adds_bos: bool = False

    def __len__(self) -> int:
        return len(self.conversations) + len(self.texts) + len(self.ids)

    def take(self, places: Sequence[int]) -> Ask:
        """The texts at `places`, in that order, under the same options."""
        if len(places) == len(self) and list(places) == list(range(len(self))):
            return self
        return replace(
            self,
            conversations=tuple(self.conversations[place] for place in places) if self.conversations else (),
            texts=tuple(self.texts[place] for place in places) if self.texts else (),
            ids=tuple(self.ids[place] for place in places) if self.ids else (),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """The scores of one request, in its order.

    Attributes:
        scores: Rewards and what the family gives beside them.
        n_tokens: Tokens of each text that were read, after any cut; empty where the family does not tell.
        n_truncated: Texts that were cut to fit.
        cut: Which ones; empty where the family only counts them.
        n_cached: Texts whose scores were known before.
        queue_s: Seconds in the queue.
        score_s: Seconds in the model's process, with the company of the batch.
    """

    scores: Scores
    n_tokens: tuple[int, ...] = ()
    n_truncated: int = 0
    cut: tuple[bool, ...] = ()
    n_cached: int = 0
    queue_s: float = 0.0
    score_s: float = 0.0


def joined_answers(parts: Sequence[Answer]) -> Answer:
    """The answer to a request that was asked in parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return Answer(
        scores=joined([part.scores for part in parts]),
        n_tokens=tuple(number for part in parts for number in part.n_tokens),
        n_truncated=sum(part.n_truncated for part in parts),
        cut=tuple(is_cut for part in parts for is_cut in part.cut),
        n_cached=sum(part.n_cached for part in parts),
        queue_s=sum(part.queue_s for part in parts),
        score_s=sum(part.score_s for part in parts),
    )


@dataclass(frozen=True, slots=True)
class Card:
    """What a model's process says when it has loaded the model.

    Attributes:
        family: `single`, or what `scorer.json` says.
        provenance: Digests of weights and template, as in every `Scores` of the model.
        max_tokens: Longest text; absent where the family does not tell.
        can: What it takes and gives.
        is_relative: Its rewards compare the answers of one request, so requests are never scored together.
        shares_prompts: What texts have in common at their beginning is computed once.
        precision: Of the network's arithmetic.
        temperature: Of the evaluation of these weights; absent where there is none.
    """

    family: str
    provenance: Provenance
    max_tokens: int | None
    can: frozenset[Ability]
    is_relative: bool = False
    shares_prompts: bool = False
    precision: Literal["float32", "bf16"] = "float32"
    temperature: float | None = None
