"""Gold: what responses are really worth, or the nearest thing to it that is at hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from jaxtyping import Float64

from rewardsmith.core.conversation import Conversation, response_text, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer
from rewardsmith.numerics.tournament import win_shares
from rewardsmith.preferences.rubric import Criteria, Weights, judge, points


class Gold(Protocol):
    """Rates whole conversations by their last response. Like rewards, ratings compare within one prompt."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What it is, as JSON, for manifests."""
        ...

    def rate(self, conversations: Sequence[Conversation]) -> Float64[np.ndarray, " conversation"]:
        """One rating a conversation, in order, higher is better; NaN where it has none and says so."""
        ...


class RubricGold:
    """The points of a stated rubric (`preferences.rubric`): 0 to 10 with its default weights.

    Args:
        criteria: What each prompt asks for.
        weights: Points of each part.
        default: What a prompt asks for that is not in `criteria`; where absent such a prompt is refused.
    """

    def __init__(
        self,
        criteria: Mapping[Conversation, Criteria],
        weights: Weights | None = None,
        *,
        default: Criteria | None = None,
    ) -> None:
        self._criteria = dict(criteria)
        self._weights = weights or Weights()
        self._default = default

    @property
    def identity(self) -> Mapping[str, Any]:
        """Weights, and a digest of the criteria."""
        known = [[to_dicts(prompt), each.to_dict()] for prompt, each in self._criteria.items()]
        default = None if self._default is None else self._default.to_dict()
        return {"gold": "rubric", "weights": self._weights.model_dump(), "criteria": digest_json([known, default])}

    def rate(self, conversations: Sequence[Conversation]) -> Float64[np.ndarray, " conversation"]:
        """The points of each response.

        Raises:
            DataError: Nobody says what a prompt asks for.
        """
        return np.array([self._points(each) for each in conversations], dtype=np.float64)

    def _points(self, conversation: Conversation) -> float:
        criteria = self._criteria.get(conversation[:-1], self._default)
        if criteria is None:
            raise _unknown("nobody says what a prompt asks for", conversation, fix="give criteria for it, or a default")
        asked = next((turn.content for turn in reversed(conversation[:-1]) if turn.role == "user"), "")
        return points(judge(asked, response_text(conversation), criteria), self._weights)


class RewardModelGold:
    """Another reward model, larger or better than the one that is optimised; its rewards are its own logits.

    Args:
        scorer: Any scorer.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    @property
    def identity(self) -> Mapping[str, Any]:
        """Digests of the model and of its template."""
        provenance = self._scorer.score([]).provenance
        return {"gold": "reward-model", "model": provenance.model_digest, "template": provenance.template_digest}

    def rate(self, conversations: Sequence[Conversation]) -> Float64[np.ndarray, " conversation"]:
        """Its rewards.

        Raises:
            OverlengthError: A conversation is too long for it.
        """
        return self._scorer.score(conversations).rewards.astype(np.float64)


class RatingsGold:
    """Ratings that are written down, of people or of anything else.

    Args:
        ratings: By whole conversation.
        missing: `raise` refuses a conversation without a rating; `nan` is for labels on a sample of them.
    """

    def __init__(self, ratings: Mapping[Conversation, float], *, missing: Literal["raise", "nan"] = "raise") -> None:
        self._ratings = dict(ratings)
        self._missing = missing

    @property
    def identity(self) -> Mapping[str, Any]:
        """Digest of the ratings."""
        known = [[to_dicts(conversation), rating] for conversation, rating in self._ratings.items()]
        return {"gold": "ratings", "n": len(known), "ratings": digest_json(known)}

    def rate(self, conversations: Sequence[Conversation]) -> Float64[np.ndarray, " conversation"]:
        """The rating of each.

        Raises:
            DataError: One has none, and `missing` is `raise`.
        """
        if self._missing == "raise":
            for conversation in conversations:
                if conversation not in self._ratings:
                    raise _unknown("a response without a rating", conversation, fix="rate it, or leave it out")
        return np.array([self._ratings.get(each, np.nan) for each in conversations], dtype=np.float64)


def label_ratings(preferences: Sequence[Preference]) -> dict[Conversation, float]:
    """Human comparisons as ratings: the share of a response's comparisons, by all raters of its prompt, that it won.

    A soft label counts as its share of the votes, a tie as a half. Responses that were compared with others than each
    other are compared by it all the same, so it is exact only where all pairs of a prompt were judged.
    """
    by_prompt: dict[Conversation, list[tuple[Conversation, Conversation, float]]] = defaultdict(list)
    for preference in preferences:
        for pair in preference.pairs:
            sides = preference.conversation(pair.chosen), preference.conversation(pair.rejected)
            by_prompt[preference.prompt].append((*sides, 0.5 if pair.tie else pair.prob_chosen))
    found: dict[Conversation, float] = {}
    for comparisons in by_prompt.values():
        items = list(dict.fromkeys(side for one, other, _ in comparisons for side in (one, other)))
        place = {item: number for number, item in enumerate(items)}
        pairs = [(place[one], place[other]) for one, other, _ in comparisons]
        shares = win_shares(pairs, np.array([credit for *_, credit in comparisons]), items=len(items))
        found.update(zip(items, shares.tolist(), strict=True))
    return found


def _unknown(problem: str, conversation: Conversation, *, fix: str) -> DataError:
    prompt = conversation[:-1]
    return DataError(problem, got=prompt[-1].content if prompt else "an empty prompt", where="gold", fix=fix)
