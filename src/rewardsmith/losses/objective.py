"""From rewards and settings to one loss a pair."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from rewardsmith.core.errors import DataError, ModelError
from rewardsmith.losses.decorrelation import length_moments, length_slope
from rewardsmith.losses.listwise import plackett_luce
from rewardsmith.losses.pair_batch import PairBatch, PairLosses
from rewardsmith.losses.pairwise import hinge, smooth, soft_label
from rewardsmith.losses.precision import precise
from rewardsmith.losses.regularisers import centring, readout_penalty
from rewardsmith.losses.settings import LossSettings
from rewardsmith.losses.ties import davidson, rao_kupper

UNRANKED = "plackett_luce needs a full ranking of each prompt"
RANKED = "every pair of a prompt's responses once, without ties or cycles"
RANKED_FIX = "use another loss (bradley_terry takes any pairs), or leave such prompts out"


class Objective:
    """The loss that the settings ask for, without any reduction."""

    def __init__(self, settings: LossSettings) -> None:
        self.settings = settings

    def __call__(self, rewards: Float[Tensor, " sequence"], batch: PairBatch, *, progress: float = 0.0) -> PairLosses:
        """The losses of the batch's pairs.

        Args:
            rewards: Of all responses of the batch.
            progress: Share of training that is done, 0 to 1; anneals the margin.

        Raises:
            DataError: `plackett_luce` met a prompt whose pairs are not a full ranking.
        """
        rewards = precise(rewards)
        delta = rewards[batch.chosen] - rewards[batch.rejected]
        if self.settings.kind == "plackett_luce":
            loss = rank_losses(rewards, batch)[batch.preference]
        else:
            loss = self._pair_losses(delta, batch, progress)
        regulariser = self.settings.centring * centring(rewards[batch.chosen], rewards[batch.rejected])
        return PairLosses(loss=loss, regulariser=regulariser, weight=prompt_weights(batch), delta=delta)

    def readout_penalty(self, weight: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
        """λ‖w‖², to be added once to the reduced objective of a step."""
        return self.settings.readout_l2 * readout_penalty(weight)

    def length_moments(self, losses: PairLosses, batch: PairBatch) -> Float64[Tensor, " 7"]:
        """What of these pairs the length penalty of their step needs; see `decorrelation.length_moments`.

        Raises:
            ModelError: The batch has no lengths.
        """
        if batch.length_gap is None:
            raise ModelError("no lengths to take out of the rewards", wanted="PairBatch.length_gap", got=None)
        label = torch.sign(precise(batch.prob_chosen) - 0.5)
        return length_moments(losses.delta, batch.length_gap, torch.where(batch.tie, 0.0, label), losses.weight)

    def length_slope(self, moments: Float64[Tensor, " 7"]) -> Float64[Tensor, " 7"]:
        """λ·∂ρ²/∂moments of a step: Σ slope·`length_moments`, to be added to the reduced objective of a step, once a
        piece of it, has the penalty's gradient. (Its value adds up to 0 over the step.)"""
        return self.settings.length_decorrelation * length_slope(moments)

    def margin(self, progress: float) -> float:
        """The margin that `hinge` or `bradley_terry` asks for when this share of training is done."""
        first, last = self.settings.margin, self.settings.margin_final
        if last is None:
            return first if self.settings.kind == "hinge" else 0.0
        done = min(max(progress, 0.0), 1.0)
        return first + done * (last - first)

    def _pair_losses(self, delta: Float[Tensor, " pair"], batch: PairBatch, progress: float) -> Float[Tensor, " pair"]:
        settings = self.settings
        prob = smooth(precise(batch.prob_chosen), settings.label_smoothing)
        extra = self._pair_margins(batch)
        match settings.kind:
            case "hinge":
                return hinge(delta, self.margin(progress) + extra, prob)
            case "rao_kupper":
                return rao_kupper(delta, batch.tie, theta=settings.tie_theta, prob_chosen=prob, margin=extra)
            case "davidson":
                return davidson(delta, batch.tie, nu=settings.tie_nu, prob_chosen=prob, margin=extra)
            case _:
                # Nothing is asked of a tie.
                return soft_label(delta, prob, torch.where(batch.tie, extra, self.margin(progress) + extra))

    def _pair_margins(self, batch: PairBatch) -> Float[Tensor, " pair"]:
        """What the data's margins add to the distance that is asked for; nothing for a tie."""
        margin = precise(batch.margin)
        if not self.settings.use_pair_margin:
            return torch.zeros_like(margin)
        return torch.where(batch.tie, 0.0, self.settings.pair_margin_scale * margin)


def prompt_weights(batch: PairBatch) -> Float[Tensor, " pair"]:
    """Each pair's weight divided by the number of its prompt's pairs."""
    return precise(batch.weight) / torch.bincount(batch.preference)[batch.preference]


def rank_losses(rewards: Float[Tensor, " sequence"], batch: PairBatch) -> Float[Tensor, " prompt"]:
    """The Plackett–Luce loss of each prompt; its responses are ordered by their number of wins.

    Raises:
        DataError: A prompt's pairs are not exactly the pairs of one ranking of its responses.
    """
    place = rank_places(batch)
    prompts, ranks = int(batch.sequence_preference.max()) + 1, int(place.max()) + 1
    table = rewards.new_zeros(prompts, ranks)
    present = torch.zeros(prompts, ranks, dtype=torch.bool, device=rewards.device)
    where = (batch.sequence_preference, place)
    return plackett_luce(table.index_put(where, rewards), present.index_put(where, torch.ones_like(place).bool()))


def rank_places(batch: PairBatch) -> Int64[Tensor, " sequence"]:
    """The place of each response among its prompt's, 0 the best.

    K responses whose numbers of wins are K − 1, …, 1, 0, in K(K − 1)/2 different pairs without a tie, stand in one
    total order: the one with K − 1 wins beat all others, and so on among the rest.

    Raises:
        DataError: A prompt's pairs are something else.
    """
    place, wrong = _places(batch)
    if wrong.any():
        raise DataError(
            UNRANKED,
            wanted=RANKED,
            where=f"preference {int(wrong.nonzero()[0])} of the batch",
            fix=RANKED_FIX,
        )
    return place


def unranked(batch: PairBatch) -> Bool[Tensor, " prompt"]:
    """Which prompts' pairs are not one total order of its responses, so that Plackett–Luce cannot use them."""
    return _places(batch)[1]


def _places(batch: PairBatch) -> tuple[Int64[Tensor, " sequence"], Bool[Tensor, " prompt"]]:
    owner, size = batch.sequence_preference, torch.bincount(batch.sequence_preference)
    wins = torch.bincount(batch.chosen, minlength=len(owner))
    played = wins + torch.bincount(batch.rejected, minlength=len(owner))
    place = size[owner] - 1 - wins
    codes = torch.minimum(batch.chosen, batch.rejected) * len(owner) + torch.maximum(batch.chosen, batch.rejected)
    repeated = _stands_twice(codes)
    shared = _stands_twice(owner * len(owner) + place)
    wrong = torch.zeros(len(size), dtype=torch.bool, device=owner.device)
    wrong[owner[(played != size[owner] - 1) | shared]] = True
    wrong[batch.preference[repeated | batch.tie]] = True
    return place, wrong


def _stands_twice(values: Int64[Tensor, " item"]) -> Bool[Tensor, " item"]:
    _, place, counts = values.unique(return_inverse=True, return_counts=True)
    return counts[place] > 1
