"""A reward on top of a prior: r = scale·p + f."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json
from rewardsmith.core.scores import Provenance, Scorer, Scores
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.priors.load import PriorResources, load_prior
from rewardsmith.scoring.priors.prior import Prior, term_values, weighted_sum
from rewardsmith.scoring.priors.store import read_residual
from rewardsmith.scoring.reference import ReferenceScorer
from rewardsmith.scoring.single import load_single


class ResidualScorer:
    """Scores with a learnt residual f on top of a prior p = Σ weight·term (arXiv 2507.00611).

    `Scores.attributes` has what each part adds, `prior` (scale·p) and `residual` (f), so that their sum is the reward.

    Args:
        base: Gives f.
        priors: The terms of p.
        scale: s.
        digest: Digest of what decides the prior.
    """

    def __init__(
        self, base: FastScorer | ReferenceScorer, priors: Sequence[Prior], *, scale: float = 1.0, digest: str = ""
    ) -> None:
        self.base = base
        self.priors = tuple(priors)
        self.scale = scale
        self._digest = digest

    @property
    def n_truncated(self) -> int:
        """Conversations that were cut for the part that had to cut most of them."""
        return max(self.base.n_truncated, *(prior.n_truncated() for prior in self.priors))

    @property
    def provenance(self) -> Provenance:
        """Of the residual and the prior together."""
        return self._together(self.base.provenance)

    def prior(self, conversations: Sequence[Conversation]) -> Float32[np.ndarray, " conversation"]:
        """scale·p of each conversation.

        Raises:
            ModelError: A term is not finite.
        """
        values = term_values(self.priors, conversations)
        return weighted_sum(values, [self.scale * prior.weight for prior in self.priors])

    def features(self, conversations: Sequence[Conversation]) -> Float32[np.ndarray, "conversation hidden"]:
        """What the last layer of f reads."""
        return self.base.features(conversations)

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """One reward a conversation, in order.

        Raises:
            OverlengthError: A conversation is too long for f or for the prior, and truncation was not asked for.
            ModelError: A term is not finite.
        """
        residual = self.base.score(conversations)
        prior = self.prior(conversations)
        return Scores(
            rewards=residual.rewards + prior,
            provenance=self._together(residual.provenance),
            attributes={"prior": prior, "residual": residual.rewards},
        )

    def _together(self, residual: Provenance) -> Provenance:
        weights = [prior.weight for prior in self.priors]
        parts = [residual.model_digest, self._digest, weights, self.scale]
        return Provenance(digest_json(parts), residual.template_digest)


def load(
    folder: Path,
    spec: Mapping[str, Any],
    options: ScoringOptions,
    load_member: Callable[[str, ScoringOptions], Scorer],
) -> ResidualScorer:
    """The scorer of a folder that training with a `prior` wrote.

    A model of the prior has its own limit of tokens and its own rule for longer conversations, those of training.

    Args:
        load_member: Loads a reward model that is a prior.

    Raises:
        ModelError: The prior cannot be read, or is not the one of training.
    """
    base = load_single(folder, options)
    terms, scale = read_residual(folder, spec)

    def load_scorer(path: str, overlength: Overlength) -> Scorer:
        return load_member(path, dataclasses.replace(options, max_tokens=None, overlength=overlength))

    resources = PriorResources(
        base.encoder.tokenizer,
        load_scorer,
        device=options.device,
        cache=None if options.cache is None else Path(options.cache),
    )
    priors = [load_prior(term, resources) for term in terms]
    return ResidualScorer(base, priors, scale=scale, digest=digest_json([spec["terms"], spec["digests"]]))
