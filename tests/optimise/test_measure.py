"""Figures of fresh samples, against samples that are written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rewardsmith.core.conversation import Conversation, response_text, user
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.optimise.measure import draw_fresh, figures_of, gold_figures
from rewardsmith.optimise.policy.policy import Prompt
from rewardsmith.optimise.samples import Sample, SampleGroup

PROMPTS: list[Prompt] = [((user("p"),), "p"), ((user("q"),), "q")]


class Written:
    """Writes a, bb and ccc to every prompt, each 0.5 nats likelier than under the reference, and 2 tokens long."""

    identity: Mapping[str, Any] = {}

    def sample(self, prompts: Sequence[Prompt], *, n: int, seed: int) -> Iterator[SampleGroup]:
        del seed
        for prompt, group in prompts:
            texts = ("a", "bb", "ccc")[:n]
            samples = tuple(Sample(text, 2, text != "a", -1.0, -1.5) for text in texts)
            yield SampleGroup(prompt, group, samples)


class Lengths:
    def score(self, conversations: Sequence[Conversation]) -> Scores:
        return Scores(np.array([len(response_text(each)) for each in conversations], np.float32), Provenance("m", "t"))


class ByLetter:
    """a: 2, bb: 1, ccc: 3."""

    identity: Mapping[str, Any] = {}

    def rate(self, conversations: Sequence[Conversation]) -> np.ndarray:
        return np.array([{"a": 2.0, "bb": 1.0, "ccc": 3.0}[response_text(each)] for each in conversations])


def test_figures_by_hand():
    line = figures_of(draw_fresh(Written(), PROMPTS, n=3, seed=0, scorer=Lengths(), gold=ByLetter()))
    assert (line["kl_nats"], line["kl_low"], line["kl_high"]) == pytest.approx((0.5, 0.5, 0.5))
    # e^−0.5 − 1 + 0.5 and 0.5 / 2.
    assert line["kl_k3"] == pytest.approx(0.106531, abs=1e-6)
    assert line["nats_a_token"] == pytest.approx(0.25)
    assert line["fresh_proxy"] == pytest.approx(2.0)
    assert line["gold"] == pytest.approx(2.0)
    assert (line["fresh_length"], line["fresh_finished"]) == pytest.approx((2.0, 2 / 3))
    # a < bb is wrong by gold; a < ccc and bb < ccc are right.
    assert line["fresh_accuracy"] == pytest.approx(2 / 3)


def test_without_gold_or_reward_there_is_none():
    line = figures_of(draw_fresh(Written(), PROMPTS, n=2, seed=0))
    assert not {"gold", "fresh_proxy", "fresh_accuracy"} & line.keys()


def test_changes_are_prompt_by_prompt():
    first = draw_fresh(Written(), PROMPTS, n=2, seed=0, scorer=Lengths(), gold=ByLetter())
    # On p ratings go from 2, 1 to 1, 1 and on q from 2, 1 to 2, nothing: −0.5 and +0.5 a prompt.
    ratings = np.array([[1.0, 1.0], [2.0, np.nan]])
    longer = tuple(
        replace(group, samples=tuple(replace(each, n_tokens=5) for each in group.samples)) for group in first.groups
    )
    assert first.rewards is not None
    now = replace(first, groups=longer, ratings=ratings, rewards=first.rewards + 0.25)
    line = figures_of(now, first=first)
    assert line["gold_change"] == pytest.approx(0.0)
    assert (line["gold_change_low"], line["gold_change_high"]) == pytest.approx((-0.5, 0.5))
    assert (line["length_change"], line["length_change_low"], line["length_change_high"]) == pytest.approx((3, 3, 3))
    assert line["proxy_change"] == pytest.approx(0.25)
    assert not {"gold_change", "length_change", "proxy_change"} & figures_of(now).keys()


def test_responses_without_a_rating_are_left_out():
    class Half(ByLetter):
        def rate(self, conversations: Sequence[Conversation]) -> np.ndarray:
            return np.array([1.0, np.nan])[: len(conversations)]

    class Nothing(ByLetter):
        def rate(self, conversations: Sequence[Conversation]) -> np.ndarray:
            return np.full(len(conversations), np.nan)

    conversations = [(user("p"),), (user("q"),)]
    assert gold_figures(Half(), conversations, ["p", "q"])["gold"] == 1.0
    assert gold_figures(Nothing(), conversations, ["p", "q"]) == {}
