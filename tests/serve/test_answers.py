"""A text is remembered under all that decides its scores, and under nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.serve.answers import AnswerCache
from rewardsmith.serve.work import Answer, Ask

MODEL = Provenance("model", "template")


def scored(ask: Ask, *, n_truncated: int = 0) -> Answer:
    """What a model with everything says: it all follows from the text."""
    lengths = [len(text) for text in ask.texts]
    rewards = np.array(lengths, np.float32)
    scores = Scores(
        rewards,
        MODEL,
        spread=rewards / 2,
        members=np.stack([rewards, -rewards]),
        steps=tuple(np.arange(length, dtype=np.float32) for length in lengths),
        attributes={"length": rewards},
        rationales=ask.texts,
    )
    return Answer(scores, n_tokens=tuple(2 * length for length in lengths), n_truncated=n_truncated)


def through(cache: AnswerCache, ask: Ask) -> Answer:
    found = cache.find(ask)
    if not found.missing:
        return found.answer(None)
    answer = scored(ask.take(found.missing))
    cache.add(found, answer)
    return found.answer(answer)


@settings(max_examples=60, deadline=None)
@given(
    requests=st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=5), min_size=1, max_size=6),
    size=st.integers(0, 4),
)
def test_with_or_without_it_the_answers_are_the_same(requests: list[list[str]], size: int) -> None:
    cache = AnswerCache(MODEL, max_entries=size)
    for texts in requests:
        ask = Ask(texts=tuple(texts))
        answer, wanted = through(cache, ask), scored(ask)
        assert answer.n_tokens == wanted.n_tokens
        assert answer.scores.rationales == wanted.scores.rationales
        np.testing.assert_array_equal(answer.scores.rewards, wanted.scores.rewards)
        np.testing.assert_array_equal(answer.scores.spread, wanted.scores.spread)
        np.testing.assert_array_equal(answer.scores.members, wanted.scores.members)
        np.testing.assert_array_equal(answer.scores.attributes["length"], wanted.scores.attributes["length"])
        assert [each.tolist() for each in answer.scores.steps or ()] == [
            each.tolist() for each in wanted.scores.steps or ()
        ]
        assert len(cache) <= size


def test_what_is_known_is_counted_and_not_asked_again() -> None:
    cache = AnswerCache(MODEL, max_entries=9)
    assert through(cache, Ask(texts=("a", "bb"))).n_cached == 0
    assert cache.find(Ask(texts=("bb", "ccc", "a"))).missing == [1]
    assert through(cache, Ask(texts=("bb", "ccc", "a"))).n_cached == 2
    assert through(cache, Ask(texts=("ccc",))).n_cached == 1


@pytest.mark.parametrize(
    "other",
    [
        Ask(texts=("A",)),
        Ask(texts=("a",), truncate=True),
        Ask(texts=("a",), max_tokens=5),
        Ask(texts=("a",), adds_bos=True),
        Ask(conversations=((assistant("a"),),)),
        Ask(ids=((97,),)),
    ],
)
def test_another_text_kind_or_option_is_another_thing(other: Ask) -> None:
    cache = AnswerCache(MODEL, max_entries=9)
    through(cache, Ask(texts=("a",)))
    assert cache.find(other).missing == [0]
    assert cache.find(Ask(texts=("a",))).missing == []


def test_another_model_or_template_is_another_thing() -> None:
    ask = Ask(texts=("a",))
    keys = {
        AnswerCache(provenance, max_entries=9).find(ask).keys
        for provenance in (MODEL, replace(MODEL, model_digest="x"), replace(MODEL, template_digest="x"))
    }
    assert len(keys) == 3


def test_where_one_turn_ends_is_part_of_a_conversation() -> None:
    asks = [
        Ask(conversations=((user("ab"), assistant("c")),)),
        Ask(conversations=((user("a"), assistant("bc")),)),
        Ask(conversations=((user("c"), assistant("ab")),)),
        Ask(conversations=((assistant("ab"), assistant("c")),)),
    ]
    cache = AnswerCache(MODEL, max_entries=9)
    assert len({cache.find(ask).keys for ask in asks}) == len(asks)


def test_half_a_surrogate_pair_has_a_key_too() -> None:
    assert AnswerCache(MODEL, max_entries=9).find(Ask(texts=("\ud800",))).missing == [0]


def test_the_least_recently_used_is_forgotten_first() -> None:
    cache = AnswerCache(MODEL, max_entries=2)
    for text in ("a", "b", "a", "c"):
        through(cache, Ask(texts=(text,)))
    assert [cache.find(Ask(texts=(text,))).missing for text in ("a", "b", "c")] == [[], [0], []]


def test_a_cut_text_stays_a_cut_one() -> None:
    cache, ask = AnswerCache(MODEL, max_entries=9), Ask(texts=("a",), truncate=True)
    found = cache.find(ask)
    cache.add(found, scored(ask, n_truncated=1))
    assert cache.find(ask).answer(None).n_truncated == 1


def test_of_several_of_which_some_were_cut_none_is_remembered() -> None:
    cache, ask = AnswerCache(MODEL, max_entries=9), Ask(texts=("a", "b"), truncate=True)
    found = cache.find(ask)
    cache.add(found, scored(ask, n_truncated=1))
    assert cache.find(ask).missing == [0, 1]


def test_without_entries_there_is_no_work() -> None:
    cache = AnswerCache(MODEL, max_entries=0)
    assert through(cache, Ask(texts=("a",))).n_cached == 0
    assert len(cache) == 0
