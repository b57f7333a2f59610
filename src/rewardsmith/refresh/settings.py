"""Settings of one round of the refresh loop."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rewardsmith.core.settings import Settings

Choice = Literal["random", "margin", "disagreement", "distance", "diversity", "mixed"]
PARTS = ("margin", "disagreement", "distance")
"""What `mixed` is mixed from."""


class ChooseSettings(Settings):
    """Which pairs people are asked about."""

    pairs: int = Field(default=200, ge=1)
    """Pairs to label in this round."""

    by: Choice = "mixed"
    """`margin`: the model can hardly tell. `disagreement`: the members of an ensemble contradict each other.
    `distance`: far from what was labelled. `diversity`: together they cover the rest. `mixed`: the mean of the ranks of
    the first three, as far as the model has them. `random`: by lot."""

    weights: dict[Literal["margin", "disagreement", "distance"], float] | None = None
    """Of `mixed`; equal ones of what the model has, if absent."""

    lot_share: float = Field(default=0.1, ge=0, le=1)
    """Share of the pairs that are drawn by lot, whatever `by` says: only on these does accuracy mean what it says."""

    closeness: float = Field(default=0.95, gt=0, le=1)
    """Pairs whose features have a larger cosine with a chosen one are passed over while there are others."""

    pairs_per_prompt: int = Field(default=3, ge=1)
    """Pairs of one prompt that are considered, drawn by lot."""

    most_considered: int = Field(default=4000, ge=2)
    """Pairs that are considered at all, drawn by lot from what was served or sampled."""

    @model_validator(mode="after")
    def _weights_are_of_a_mixture(self) -> ChooseSettings:
        if self.weights is not None and self.by != "mixed":
            raise ValueError("weights are set but by is not mixed")
        return self


class SampleSettings(Settings):
    """Responses that are written for this round, where a policy is named."""

    n: int = Field(default=2, ge=1)
    """Responses a prompt; of served prompts, how many they have at least."""

    max_new_tokens: int = Field(default=64, ge=1)
    """Longest response."""

    temperature: float = Field(default=1.0, ge=0)
    """1 samples the policy itself."""


class PromoteSettings(Settings):
    """When the new model takes the incumbent's place."""

    rule: Literal["not_worse", "better"] = "not_worse"
    """Of the paired difference of accuracy over all held-out pairs, candidate minus incumbent: `not_worse` wants it at
    nought or above, with the lower end of its interval above minus `most_loss`; `better` wants the lower end above
    nought. Either is refused by a regression that is shown anywhere."""

    most_loss: float = Field(default=0.02, ge=0)
    """Share of the pairs that may be lost, as far as the interval can tell, by `not_worse`."""


class RefreshSettings(Settings):
    """One round: from drift to a new model, or not."""

    choose: ChooseSettings = ChooseSettings()
    """Which pairs people are asked about."""

    sample: SampleSettings = SampleSettings()
    """Responses that are written for this round."""

    replay_share: float | Literal["all"] = 0.5
    """Share of the training preferences that are old ones, drawn by lot; `all` takes every old one. Trained on new
    labels alone, a model forgets."""

    start: Literal["auto", "incumbent", "base"] = "auto"
    """Where training starts: from the incumbent's weights and head, or anew from its base. `auto` is the incumbent
    where it is a single model from pairs; ensembles and residual models start from their base, and then want more
    replay."""

    promote: PromoteSettings = PromoteSettings()
    """When the new model takes the incumbent's place."""

    seed: int = Field(default=0, ge=0)
    """Of all lots."""

    @model_validator(mode="after")
    def _some_is_new(self) -> RefreshSettings:
        if self.replay_share != "all" and not 0 <= self.replay_share < 1:
            raise ValueError("replay_share is a share from 0 to below 1, or all")
        return self
