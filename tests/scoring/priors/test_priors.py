"""Each prior as a plain function, by hand."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ModelError, OverlengthError, SettingsError
from rewardsmith.models.causal_lm import load_causal_lm
from rewardsmith.scoring.cache import RewardCache
from rewardsmith.scoring.priors.function import find_function, function_digest, function_prior
from rewardsmith.scoring.priors.length import length_prior
from rewardsmith.scoring.priors.log_probability import LogProbabilityPrior
from rewardsmith.scoring.priors.prior import Prior, term_values, weighted_sum
from rewardsmith.scoring.priors.remembered import RememberedPrior
from rewardsmith.scoring.priors.rubric import rubric_prior
from rewardsmith.text.encoder import ConversationEncoder

OWN = "tests.scoring.priors.own_prior"
TALK = [
    (user("first"), assistant("a long answer, long ago"), user("Name a bird."), assistant("owl")),
    (user("Name a bird."), assistant("A robin is a bird.")),
    (user("Name a bird."), assistant("")),
]


def test_length_counts_the_last_turn_in_characters_or_tokens(tiny: Any) -> None:
    np.testing.assert_array_equal(length_prior(TALK, shape="linear", scale=1.0), [3, 18, 0])
    # One token a byte, and no token of the template.
    tokenizer = tiny.decoder_tokenizer()
    tokens = length_prior([(user("q"), assistant("é!"))], shape="linear", scale=1.0, tokenizer=tokenizer)
    np.testing.assert_array_equal(tokens, [3])
    found = length_prior(TALK, shape="distance", scale=2.0, target=4.0, tokenizer=tokenizer)
    np.testing.assert_array_equal(found, [-0.5, -7, -2])
    assert found.dtype == np.float32
    assert length_prior([], shape="linear", scale=1.0, tokenizer=tokenizer).shape == (0,)


def test_a_text_longer_than_the_tokenizers_model_is_counted_whole_and_without_a_warning(
    tiny: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        tokens = length_prior(
            [(user("q"), assistant("x" * 400))], shape="linear", scale=1.0, tokenizer=tiny.decoder_tokenizer()
        )
    assert tokens.tolist() == [400]
    assert not caplog.records


def test_rubric_is_the_mean_of_its_checks() -> None:
    unfinished = (user("Name a bird."), assistant("Of course! Robins live in every town, and"))
    # Not finished: 0. No phrase twice: 1. One empty phrase: ½.
    assert rubric_prior([unfinished], checks=("finished", "fresh", "direct")).tolist() == [0.5]
    assert rubric_prior([unfinished], checks=("finished",)).tolist() == [0.0]
    assert rubric_prior(TALK, checks=("finished", "brief")).tolist() == [0.5, 1.0, 0.0]
    # The only content word of the last question is `bird`.
    assert rubric_prior(TALK, checks=("subject",)).tolist() == [0.0, 1.0, 0.0]


def test_a_callable_is_found_and_asked_with_plain_messages() -> None:
    function = find_function(f"{OWN}:vowels")
    assert function_prior(TALK, function=function, name="v").tolist() == [1, 5, 0]
    assert function_prior([], function=find_function(f"{OWN}:broken"), name="v").shape == (0,)
    assert function_digest(function) != function_digest(find_function(f"{OWN}:words"))
    assert len(function_digest(len)) == 64


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("too_few", "another number of values; wanted 3 finite numbers.* got values of shape .2"),
        ("infinite", "not finite.*inf for conversation 1"),
        ("words", "returned no numbers"),
        ("broken", "failed.*KeyError: 'length'"),
    ],
)
def test_a_callable_that_returns_something_else_is_named(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        function_prior(TALK, function=find_function(f"{OWN}:{name}"), name=f"{OWN}:{name}")
    assert caught.value.where == f"{OWN}:{name}"


@pytest.mark.parametrize("name", ["no.such.module:f", f"{OWN}:nothing", f"{OWN}:NOT_A_FUNCTION"])
def test_a_callable_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        find_function(name)


@pytest.fixture(scope="module")
def lm(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_causal_lm(tiny.save_base(tmp_path_factory.mktemp("lm"), "decoder"))


def test_log_probability_is_the_mean_over_the_responses_tokens_and_its_end(lm: Any) -> None:
    encoder = ConversationEncoder(lm.tokenizer)
    conversation = (user("hi"), assistant("owl"))
    ids = torch.as_tensor(encoder.encode([conversation])[0].astype(np.int64))
    # Bytes: …, o, w, l, the end token, and a newline that the template prints after it.
    assert lm.tokenizer.convert_ids_to_tokens(ids[-5:].tolist()) == ["o", "w", "l", "</s>", "Ċ"]
    with torch.inference_mode():
        logits = lm.network(ids[None]).logits[0].log_softmax(-1)
    wanted = np.mean([logits[len(ids) - k - 1, ids[len(ids) - k]].item() for k in (5, 4, 3, 2)])

    prior = LogProbabilityPrior(lm.network, encoder)
    np.testing.assert_allclose(prior([TALK[1], conversation])[1], wanted, rtol=1e-5)
    assert prior([conversation]).dtype == np.float32
    assert wanted < 0


def test_a_long_conversation_is_refused_or_cut_from_the_left_and_counted(lm: Any) -> None:
    conversation = (user("x" * 60), assistant("owl"))
    whole = ConversationEncoder(lm.tokenizer).encode([conversation])[0]
    encoder = ConversationEncoder(lm.tokenizer, max_tokens=40)
    with pytest.raises(OverlengthError, match="at most 40 tokens"):
        LogProbabilityPrior(lm.network, encoder)([conversation])
    prior = LogProbabilityPrior(lm.network, encoder, overlength="truncate")
    found = prior([conversation, (user("q"), assistant("owl"))])

    ids = torch.as_tensor(whole[-40:].astype(np.int64))
    with torch.inference_mode():
        logits = lm.network(ids[None]).logits[0].log_softmax(-1)
    wanted = np.mean([logits[40 - k - 1, ids[40 - k]].item() for k in (5, 4, 3, 2)])
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5)
    assert prior.n_truncated == 1
    with pytest.raises(OverlengthError, match="a response is too long"):
        prior([(user("q"), assistant("y" * 60))])


def test_a_remembered_prior_is_asked_once_for_each_text(tmp_path: Any) -> None:
    asked: list[int] = []

    def count(conversations: Any) -> Any:
        asked.append(len(conversations))
        return np.array([len(each[-1].content) for each in conversations], np.float32)

    prior = RememberedPrior(count, RewardCache("one", folder=tmp_path))
    assert prior([*TALK, TALK[0]]).tolist() == [3, 18, 0, 3]
    assert prior(TALK[:1]).tolist() == [3]
    assert RememberedPrior(count, RewardCache("one", folder=tmp_path))(TALK).tolist() == [3, 18, 0]
    assert asked == [3]
    RememberedPrior(count, RewardCache("another", folder=tmp_path))(TALK)
    assert asked == [3, 3]
    assert prior([]).shape == (0,)


def test_terms_are_weighted_and_added() -> None:
    def letters(conversations: Any) -> Any:
        return np.array([len(each[-1].content) for each in conversations], np.float32)

    def one(conversations: Any) -> Any:
        return np.ones(len(conversations), np.float32)

    priors = [Prior("length", -0.5, letters), Prior("callable", 2.0, one)]
    values = term_values(priors, TALK)
    assert values.tolist() == [[3, 1], [18, 1], [0, 1]]
    # −½·3 + 2, −½·18 + 2, 2.
    assert weighted_sum(values, [-0.5, 2.0]).tolist() == [0.5, -7.0, 2.0]
    broken = Prior("reward_model", 1.0, lambda some: np.full(len(some), np.nan, np.float32))
    with pytest.raises(ModelError, match=r"prior.terms.2 \(reward_model\): a prior is not finite; got nan"):
        term_values([*priors, broken], TALK)
