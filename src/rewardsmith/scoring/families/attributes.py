"""Multi-attribute rewards: one frozen model, a linear head an attribute, and weights that the user may choose.

The first stage of ArmoRM (Wang et al. 2024, arXiv:2406.12845): heads by regression on a frozen reward
model. Its second stage, a network that chooses the weights by the prompt, is left out: here the weights are the user's
and the same for every prompt.

An attribute's value is a predicted rating in standard deviations of the training ratings, 0 the mean, higher better.
A head that can predict little stays near 0, so an attribute that nothing is known about moves the reward little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.families.spec import SPEC_NAME
from rewardsmith.scoring.families.store import load_heads
from rewardsmith.scoring.limits import Ids
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.reference import ReferenceScorer
from rewardsmith.scoring.single import load_single
from rewardsmith.text.encoder import ConversationEncoder

FAMILY = "attributes"
HEADS_NAME = "attribute_heads.safetensors"


@dataclass(frozen=True, slots=True)
class AttributeHeads:
    """Linear heads over the features of one model.

    Attributes:
        names: Of the attributes.
        weight: `[attribute, hidden]`.
        bias: `[attribute]`.

    Raises:
        ModelError: They differ in number.
    """

    names: tuple[str, ...]
    weight: Float32[np.ndarray, "attribute hidden"]
    bias: Float32[np.ndarray, " attribute"]

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.weight) == len(self.bias):
            raise ModelError(
                "the heads are not those that are named", wanted=f"{len(self.names)} heads", got=len(self.weight)
            )

    def __call__(
        self, features: Float32[np.ndarray, "conversation hidden"]
    ) -> Float64[np.ndarray, "attribute conversation"]:
        """One value an attribute and conversation.

        Raises:
            ModelError: The features are of another model.
        """
        if features.shape[1] != self.weight.shape[1]:
            raise ModelError("heads of another model", wanted=f"{self.weight.shape[1]} features", got=features.shape[1])
        return self.weight.astype(np.float64) @ features.T.astype(np.float64) + self.bias.astype(np.float64)[:, None]

    def combined(self, weights: Mapping[str, float]) -> tuple[Float64[np.ndarray, " hidden"], float]:
        """The one head that gives the weighted sum: w = Σ weight·w_a, b = Σ weight·b_a."""
        row = weight_row(self.names, weights)
        return row @ self.weight.astype(np.float64), float(row @ self.bias.astype(np.float64))


class AttributeScorer:
    """Scores attributes, and as the reward their weighted sum Σ weight·attribute.

    Args:
        features: Gives what the heads read.
        heads: One an attribute.
        weights: Attribute → weight; one that is not named weighs nothing.

    Raises:
        SettingsError: A weight is for an attribute that has no head, or is not finite, or all of them are 0.
    """

    def __init__(
        self, features: FastScorer | ReferenceScorer, heads: AttributeHeads, weights: Mapping[str, float]
    ) -> None:
        self._features = features
        self._heads = heads
        self._row = weight_row(heads.names, weights)
        self.weights = dict(zip(heads.names, self._row.tolist(), strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes."""
        return self._heads.names

    @property
    def encoder(self) -> ConversationEncoder:
        """What makes token ids of conversations."""
        return self._features.encoder

    @property
    def n_truncated(self) -> int:
        """Conversations that were cut to fit, so far."""
        return self._features.n_truncated

    @property
    def provenance(self) -> Provenance:
        """Of the model, its heads and the weights together."""
        base = self._features.provenance
        heads = [list(self.names), self._heads.weight.tobytes().hex(), self._heads.bias.tobytes().hex()]
        return Provenance(digest_json([base.model_digest, heads, self.weights]), base.template_digest)

    def with_weights(self, weights: Mapping[str, float]) -> AttributeScorer:
        """The same attributes with another reward; attributes that are not named weigh nothing.

        Raises:
            SettingsError: See the class.
        """
        return AttributeScorer(self._features, self._heads, weights)

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """The weighted sum and each attribute of each conversation, in order.

        Raises:
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        return self._scores(self._features.features(conversations))

    def score_ids(self, sequences: Sequence[Ids]) -> Scores:
        """The same of token ids; see `TokenScorer`.

        Raises:
            DataError: A sequence is empty, or holds an id that the model has no embedding for.
            OverlengthError: A sequence is too long, and truncation was not asked for.
        """
        return self._scores(self._features.features_ids(sequences))

    def _scores(self, features: Float32[np.ndarray, "row hidden"]) -> Scores:
        values = self._heads(features)
        return Scores(
            rewards=(self._row @ values).astype(np.float32),
            provenance=self.provenance,
            attributes=dict(zip(self.names, values.astype(np.float32), strict=True)),
        )


def weight_row(names: Sequence[str], weights: Mapping[str, float]) -> Float64[np.ndarray, " attribute"]:
    """The weight of each of `names`, 0 for one that `weights` does not name.

    Raises:
        SettingsError: A weight is for another attribute, or is not finite, or all of them are 0.
    """
    unknown = [name for name in weights if name not in names]
    if unknown:
        raise SettingsError(
            f"no attribute {unknown[0]!r}", wanted=f"one of {', '.join(names)}", got=unknown[0], where="weights"
        )
    row = np.array([weights.get(name, 0.0) for name in names], np.float64)
    if not np.isfinite(row).all() or not row.any():
        raise SettingsError("unusable weights", wanted="finite numbers, not all 0", got=dict(weights), where="weights")
    return row


def load(folder: Path, spec: Mapping[str, Any], options: ScoringOptions) -> AttributeScorer:
    """The scorer of a folder that `training.attributes` wrote.

    Raises:
        ModelError: The heads are missing, or are not those that `scorer.json` names.
        SettingsError: `options.weights` are not usable; see `weight_row`.
    """
    try:
        names = tuple(map(str, spec["names"]))
        weights = {str(name): float(value) for name, value in spec["weights"].items()}
        file = folder / str(spec["heads"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError("unreadable scorer", got=error, where=str(folder / SPEC_NAME)) from error
    weight, bias = load_heads(file)
    chosen = weights if options.weights is None else options.weights
    return AttributeScorer(load_single(folder, options), AttributeHeads(names, weight, bias), chosen)
