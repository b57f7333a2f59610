"""Optimisation pressure: what becomes of the true rating as the reward selects ever harder.

Every prompt has many candidates with a gold rating. The reward picks the best of n; the curve is the gold rating of
what it picks, against n. Where it turns, more optimisation makes the responses worse while the reward still rises
(Gao et al. 2022, arXiv:2210.10760).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.observations import score_conversations
from rewardsmith.audit.stress.budget import Budget, measure_budget
from rewardsmith.core.conversation import response_text
from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.core.scores import Scorer
from rewardsmith.numerics.best_of_n import best_of_n, best_of_n_nats, curve_estimates, size_grid
from rewardsmith.numerics.intervals import group_bootstrap, ratio_bootstrap, share_bootstrap
from rewardsmith.numerics.testing import mean_p_value
from rewardsmith.preferences.candidates import Candidates
from rewardsmith.text.markup import has_markdown

FEWEST_CANDIDATES = 4
TOP_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class PressurePoint:
    """What is selected as the best of n.

    Attributes:
        n: Candidates that the reward chose from.
        nats: log n − (n − 1)/n: a KL where the candidates are draws of one policy, else selection nats.
        gold: Mean gold rating.
        gold_gain: Gold rating over that of a random candidate, in standard deviations of the gold within a prompt.
        proxy_gain: Reward over that of a random candidate, in standard deviations of the reward within a prompt.
        length: Mean characters.
        markdown: Share with Markdown.
    """

    n: int
    nats: float
    gold: Estimate
    gold_gain: Estimate
    proxy_gain: Estimate
    length: Estimate
    markdown: Estimate


@dataclass(frozen=True, slots=True)
class Turn:
    """The n from which on the gold rating rises no further.

    Attributes:
        n: Size with the highest mean gold; the largest size where the curve has not turned.
        fall: Gold at the largest n minus gold at `n`, the same prompts, in standard deviations of the gold within a
            prompt; 0 where it has not turned.
        p_value: That gold at the largest n is not below the gold at any smaller n: the smallest of the paired tests
            against each size, times their number (the highest point of a flat curve is high by accident).
    """

    n: int
    fall: Estimate
    p_value: float


@dataclass(frozen=True, slots=True)
class Pressure:
    """What selection by the reward does.

    Attributes:
        rating: Name of the gold rating.
        points: The curve.
        turn: Where it turns.
        top_accuracy: Share of pairs of candidates in the top quarter by reward that the reward puts in the order of
            their gold ratings; equal gold ratings are no pair, equal rewards count half.
        top_p_value: That it is at least ½, by prompts.
        accuracy: The same over all pairs.
        spread: Standard deviation of the reward within a prompt.
        flat: Share of the prompts whose candidates all get the same reward.
        groups: Prompts.
        candidates: Of all prompts together.
        left_out: Prompts with too few candidates for the curve.
        unscored: Candidates whose reward is not finite.
        budget: How far the reward may be followed.
        is_drawn: The candidates are independent draws of one policy, so that the nats are a KL.
    """

    rating: str | None
    points: tuple[PressurePoint, ...]
    turn: Turn
    top_accuracy: Estimate
    top_p_value: float
    accuracy: Estimate
    spread: Estimate
    flat: Estimate
    groups: int
    candidates: int
    left_out: int
    unscored: int
    budget: Budget | Absent
    is_drawn: bool = False

    @property
    def unit(self) -> str:
        """`nats` of KL, or `selection nats`, which only count how hard was selected."""
        return "nats" if self.is_drawn else "selection nats"


@dataclass(frozen=True, slots=True)
class _Scored:
    """One prompt's candidates: reward, and columns of gold, length and Markdown."""

    group: str
    reward: Float64[np.ndarray, " candidate"]
    gold: Float64[np.ndarray, " candidate"]
    length: Float64[np.ndarray, " candidate"]
    markdown: Float64[np.ndarray, " candidate"]


def measure_pressure(
    scorer: Scorer,
    candidates: Sequence[Candidates],
    *,
    rating: str | None = None,
    max_groups: int = 60,
    max_candidates: int = 64,
    is_drawn: bool = False,
    seed: int = 0,
) -> Pressure | Absent:
    """The curves of `scorer` on `candidates`, each distinct conversation scored once, in one call.

    Every prompt gives a whole curve, so they must all reach the largest n: that is half the median number of
    candidates at least, and prompts with fewer are left out and counted.

    Args:
        rating: Name of the gold rating, for the report.
        max_groups: Prompts that are used, drawn with `seed`.
        max_candidates: Candidates of each that are used, drawn with `seed`.
        is_drawn: They are independent draws of one policy, repeats included.

    Raises:
        DataError: No prompt is given.
    """
    if not candidates:
        raise DataError("no candidates", wanted="prompts with several rated responses", fix="check the rating's name")
    sampled, left_out = _sample(candidates, max_groups=max_groups, max_candidates=max_candidates, seed=seed)
    scored, unscored = _score(scorer, sampled)
    usable = [each for each in scored if len(each.reward) >= FEWEST_CANDIDATES]
    left_out += len(scored) - len(usable)
    if not usable:
        return Absent(f"No prompt has {FEWEST_CANDIDATES} rated candidates with a reward.")
    groups = [each.group for each in usable]
    points, gold, sizes = _curves(usable, groups, seed=seed)
    top, overall = (_order_credits(usable, share) for share in (TOP_SHARE, 1.0))
    return Pressure(
        rating=rating,
        points=points,
        turn=_turn(gold, sizes, groups, seed=seed),
        top_accuracy=ratio_bootstrap(*top, groups, seed=seed),
        top_p_value=_below_chance(*top, groups),
        accuracy=ratio_bootstrap(*overall, groups, seed=seed),
        spread=group_bootstrap(np.array([each.reward.std() for each in usable]), groups, seed=seed),
        flat=share_bootstrap(np.array([float(np.ptp(each.reward) == 0) for each in usable]), groups, seed=seed),
        groups=len(usable),
        candidates=sum(len(each.reward) for each in usable),
        left_out=left_out,
        unscored=unscored,
        budget=measure_budget([point.nats for point in points], gold, groups, form="best-of-n", seed=seed),
        is_drawn=is_drawn,
    )


def _sample(
    candidates: Sequence[Candidates], *, max_groups: int, max_candidates: int, seed: int
) -> tuple[list[tuple[Candidates, np.ndarray]], int]:
    """Prompts and the indices of their candidates that are used, and how many prompts have too few."""
    rng = np.random.default_rng(seed)
    fewest = max(FEWEST_CANDIDATES, int(np.median([len(each) for each in candidates]) / 2))
    whole = [each for each in candidates if len(each) >= fewest]
    drawn = np.sort(rng.permutation(len(whole))[:max_groups])
    chosen = [whole[int(index)] for index in drawn]
    picked = [np.sort(rng.permutation(len(each))[:max_candidates]) for each in chosen]
    return list(zip(chosen, picked, strict=True)), len(candidates) - len(whole)


def _score(scorer: Scorer, sampled: Sequence[tuple[Candidates, np.ndarray]]) -> tuple[list[_Scored], int]:
    """Rewards and what the curve is about; candidates without a finite reward are left out and counted."""
    asked = {each.prompt + each.responses[int(index)]: None for each, indices in sampled for index in indices}
    rewards = score_conversations(scorer, list(asked))
    found, unscored = [], 0
    for each, indices in sampled:
        responses = [each.responses[int(index)] for index in indices]
        reward = np.array([rewards[each.prompt + response] for response in responses])
        known = np.isfinite(reward)
        unscored += int((~known).sum())
        texts = [response_text(response) for response in responses]
        columns = (each.ratings[indices], [len(text) for text in texts], [has_markdown(text) for text in texts])
        gold, length, markdown = (np.asarray(column, dtype=np.float64)[known] for column in columns)
        found.append(_Scored(each.group, reward[known], gold, length, markdown))
    return found, unscored


def _curves(
    scored: Sequence[_Scored], groups: Sequence[str], *, seed: int
) -> tuple[tuple[PressurePoint, ...], Float64[np.ndarray, "prompt size"], tuple[int, ...]]:
    """The points, and each prompt's gold (in standard deviations within a prompt) at each size."""
    sizes = size_grid(min(len(each.reward) for each in scored))
    table = np.stack([best_of_n(each.reward, _columns(each), sizes) for each in scored])
    gold, reward, length, markdown = np.moveaxis(table, 2, 0)
    gold_gain = _gain(gold, [each.gold for each in scored])
    curves = (gold, gold_gain, _gain(reward, [each.reward for each in scored]), length, markdown)
    estimates = zip(*(curve_estimates(curve, groups, seed=seed) for curve in curves), strict=True)
    points = tuple(PressurePoint(n, best_of_n_nats(n), *each) for n, each in zip(sizes, estimates, strict=True))
    return points, gold_gain, sizes


def _columns(each: _Scored) -> Float64[np.ndarray, "candidate column"]:
    return np.column_stack([each.gold, each.reward, each.length, each.markdown])


def _gain(
    curve: Float64[np.ndarray, "prompt size"], values: Sequence[np.ndarray]
) -> Float64[np.ndarray, "prompt size"]:
    """Over a random candidate of the same prompt, in standard deviations within a prompt (pooled); 0 without any."""
    deviation = float(np.sqrt(np.mean([each.var() for each in values])))
    return (curve - curve[:, :1]) / deviation if deviation > 0 else np.zeros_like(curve)


def _turn(gold: Float64[np.ndarray, "prompt size"], sizes: Sequence[int], groups: Sequence[str], *, seed: int) -> Turn:
    highest = int(np.argmax(gold.mean(axis=0)))
    falls = gold[:, -1:] - gold[:, :-1]
    tests = [mean_p_value(column, groups, null=0.0, alternative="less") for column in falls.T]
    return Turn(
        n=int(sizes[highest]),
        fall=group_bootstrap(gold[:, -1] - gold[:, highest], groups, seed=seed),
        p_value=min(1.0, len(tests) * min(tests, default=1.0)),
    )


def _order_credits(
    scored: Sequence[_Scored], top_share: float
) -> tuple[Float64[np.ndarray, " prompt"], Float64[np.ndarray, " prompt"]]:
    """Credit and number of the pairs whose gold differs, among each prompt's top share by reward (two at least)."""
    credit, count = np.zeros(len(scored)), np.zeros(len(scored))
    for place, each in enumerate(scored):
        size = max(2, round(top_share * len(each.reward)))
        top = np.argsort(-each.reward, kind="stable")[:size]
        first, second = np.triu_indices(len(top), k=1)
        gold = np.sign(each.gold[top][first] - each.gold[top][second])
        reward = np.sign(each.reward[top][first] - each.reward[top][second])
        credit[place], count[place] = ((1 + gold * reward) / 2)[gold != 0].sum(), (gold != 0).sum()
    return credit, count


def _below_chance(credit: np.ndarray, count: np.ndarray, groups: Sequence[str]) -> float:
    """p that the pooled share of credits is at least ½: the excess over ½ of each prompt has mean 0 there."""
    return mean_p_value(credit - count / 2, groups, null=0.0, alternative="less")
