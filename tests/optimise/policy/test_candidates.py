"""Responses of a file as a policy."""

from __future__ import annotations

import pytest

from rewardsmith.core.conversation import user
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.optimise.policy.candidates import CandidatePolicy
from rewardsmith.optimise.samples import Sample, SampleGroup

ONE, TWO = (user("one"),), (user("two"),)


def _group(prompt: tuple, *texts: str) -> SampleGroup:
    return SampleGroup(prompt, prompt[0].content, tuple(map(Sample, texts)))


def _texts(group: SampleGroup) -> list[str]:
    return [sample.text for sample in group.samples]


def test_a_prompt_that_comes_twice_has_all_its_candidates():
    policy = CandidatePolicy([_group(ONE, "a", "b"), _group(TWO, "c"), _group(ONE, "d")])
    assert policy.prompts == ((ONE, "one"), (TWO, "two"))
    assert [_texts(group) for group in policy.sample(policy.prompts[::-1], n=9, seed=0)] == [["c"], ["a", "b", "d"]]


def test_some_are_drawn_without_replacement_evenly_and_the_same_ones_again():
    texts = [str(number) for number in range(10)]
    policy = CandidatePolicy([_group(ONE, *texts)])
    counts = dict.fromkeys(texts, 0)
    draws = [_texts(next(policy.sample([(ONE, "g")], n=4, seed=seed))) for seed in range(600)]
    for drawn in draws:
        assert drawn == sorted(set(drawn))
        assert len(drawn) == 4
        for text in drawn:
            counts[text] += 1
    # 240 each, with a standard deviation of 12.
    assert all(180 < count < 300 for count in counts.values())
    assert draws[599] == _texts(next(policy.sample([(ONE, "g")], n=4, seed=599)))


def test_a_prompt_without_candidates_is_refused():
    with pytest.raises(DataError, match="two"):
        next(CandidatePolicy([_group(ONE, "a")]).sample([(TWO, "g")], n=1, seed=0))
    with pytest.raises(SettingsError):
        CandidatePolicy([])


def test_its_identity_is_its_texts():
    same = CandidatePolicy([_group(ONE, "a", "b")]).identity
    assert same == CandidatePolicy([_group(ONE, "a"), _group(ONE, "b")]).identity
    assert same != CandidatePolicy([_group(ONE, "b", "a")]).identity
