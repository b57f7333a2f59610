from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.scoring.families.judge.endpoint import Endpoint, Messages, endpoint, fair, first_always, shown
from tests.scoring.families.judge.readers import RuledReader

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import DataError, JudgeError, OverlengthError
from rewardsmith.core.scores import Relative, Scorer
from rewardsmith.scoring.families.judge.ask import Opinion
from rewardsmith.scoring.families.judge.client import ChatClient
from rewardsmith.scoring.families.judge.pairwise import Comparison, PairwiseJudge
from rewardsmith.scoring.families.judge.questioner import Questioner
from rewardsmith.scoring.families.judge.reply import Chat
from rewardsmith.scoring.families.judge.settings import RemoteBackend, parse_judge
from rewardsmith.scoring.limits import Overlength


def _judge(chat: Chat, *, overlength: Overlength = "raise", **values: Any) -> PairwiseJudge:
    backend = {"url": "http://localhost:1/v1", "model": "m"} if isinstance(chat, ChatClient) else {"local": "ruled"}
    settings = parse_judge({"kind": "pairwise", "backend": backend, **values}, where="test")
    return PairwiseJudge(Questioner(settings, chat, overlength=overlength))


def _remote(running: Endpoint, **values: Any) -> PairwiseJudge:
    backend = RemoteBackend(url=running.url, model="m", backoff_s=0.01, retries=1)
    return _judge(ChatClient(backend, max_reply_tokens=64), **values)


def _answer(text: str, prompt: str = "q") -> Conversation:
    return (user(prompt), assistant(text))


BEST, GOOD, BAD = _answer("good good"), _answer("good"), _answer("bad")


def _opinions(forward: float | None, backward: float | None) -> Comparison:
    return Comparison(Opinion(forward), Opinion(backward))


@pytest.mark.parametrize(
    ("forward", "backward", "choice", "consistent", "first_place"),
    [
        (1.0, -1.0, 1, True, 0.5),
        (-1.0, 1.0, -1, True, 0.5),
        (1.0, 1.0, 0, False, 1.0),
        (-1.0, -1.0, 0, False, 0.0),
        (0.0, 0.0, 0, True, 0.5),
        (1.0, 0.0, 0, False, 0.75),
        (0.0, 1.0, 0, False, 0.75),
    ],
)
def test_a_verdict_counts_where_both_orders_agree(
    forward: float, backward: float, choice: int, consistent: bool, first_place: float
):
    comparison = _opinions(forward, backward)
    assert comparison.choice == choice
    assert comparison.is_consistent is consistent
    assert comparison.first_place_share == first_place


def test_a_missing_verdict_is_no_choice():
    for comparison in (_opinions(None, -1.0), _opinions(1.0, None), _opinions(None, None)):
        assert comparison.choice is None
        assert comparison.log_odds is None
        assert comparison.first_place_share is None
        assert not comparison.is_consistent


def test_a_leaning_to_a_place_cancels_out_of_the_log_odds():
    # The first answer is better by 2 nats, the judge leans to place A by 5: it says 7 and −2 + 5 = 3.
    comparison = _opinions(7.0, 3.0)
    assert comparison.log_odds == 2.0
    assert comparison.choice == 0


def test_a_fair_judge_gives_win_shares():
    with endpoint(fair) as running:
        judge = _remote(running)
        scores = judge.score([GOOD, BEST, BAD, GOOD])
        # BEST wins 2 of 2, GOOD 1 of 2, BAD none; the repeated answer is asked for once.
        np.testing.assert_array_equal(scores.rewards, np.array([0.5, 1.0, 0.0, 0.5], dtype=np.float32))
        assert len(running.bodies) == 6
    assert scores.rationales is not None
    assert "against 2: I counted." in scores.rationales[0]
    assert scores.provenance == judge.provenance


def test_a_judge_that_goes_by_the_place_calls_everything_a_tie():
    with endpoint(first_always) as running:
        np.testing.assert_array_equal(_remote(running).score([BEST, BAD]).rewards, [0.5, 0.5])


@pytest.mark.parametrize("lean", [0.0, 3.0, -50.0])
def test_log_odds_give_scores_whose_differences_are_the_log_odds(lean: float):
    scores = _judge(RuledReader(lean=lean)).score([BAD, GOOD, BEST])
    # Goodness 0, 1, 2 with mean 0, whatever the judge's leaning to a place.
    np.testing.assert_allclose(scores.rewards, [-1.0, 0.0, 1.0], atol=1e-5)
    assert scores.rationales is None


def test_prompts_have_their_own_rivals():
    other = [_answer("bad", "r"), _answer("good good good", "r")]
    together = _judge(RuledReader()).score([BAD, *other, GOOD]).rewards
    np.testing.assert_allclose(together, [-0.5, -1.5, 1.5, 0.5], atol=1e-5)


def test_an_answer_without_a_rival_has_no_reward_and_is_counted():
    judge = _judge(RuledReader())
    rewards = judge.score([BAD, _answer("alone", "r"), GOOD]).rewards
    assert np.isnan(rewards).tolist() == [False, True, False]
    assert judge.n_unscored == 1
    assert np.isnan(judge.score([BAD, BAD]).rewards).all()
    assert judge.n_unscored == 2
    assert len(judge.score([])) == 0


def _silent_on_bad(messages: Messages) -> str:
    return "I cannot say." if "bad" in shown(messages) else fair(messages)


def test_a_missing_verdict_stops_or_is_left_out_and_never_is_a_reward():
    with endpoint(_silent_on_bad) as running:
        with pytest.raises(JudgeError, match="no verdict in 2 replies"):
            _remote(running, parse_retries=1).score([BEST, GOOD, BAD])
        judge = _remote(running, parse_retries=1, no_verdict="nan")
        rewards = judge.score([BEST, GOOD, BAD]).rewards
    np.testing.assert_array_equal(rewards, np.array([1.0, 0.0, np.nan], dtype=np.float32))
    assert judge.n_unscored == 1


def test_two_questions_a_comparison_in_both_orders():
    chat = RuledReader()
    ((comparison,),) = _judge(chat).compare([(BAD, BEST)])
    assert (comparison.forward.value, comparison.backward.value) == (-2.0, 2.0)
    assert [each[0].content.index("good good") > each[0].content.index("bad") for each in chat.asked] == [True, False]


def test_answers_to_different_prompts_are_not_compared():
    with pytest.raises(DataError, match="different prompts"):
        _judge(RuledReader()).compare([(BAD, _answer("good", "r"))])


def test_what_is_no_answer_is_refused():
    with pytest.raises(DataError, match="nothing to judge"):
        _judge(RuledReader()).compare([((user("q"),), (user("q"),))])


def test_a_long_conversation_loses_its_beginning_and_no_answer():
    prompt = "early " * 400 + "late"
    pair = (_answer("good", prompt), _answer("bad", prompt))
    with pytest.raises(OverlengthError, match="room for replies"):
        _judge(RuledReader(max_prompt_tokens=200)).score(pair)
    chat = RuledReader(max_prompt_tokens=200)
    judge = _judge(chat, overlength="truncate")
    np.testing.assert_allclose(judge.score(pair).rewards, [0.5, -0.5], atol=1e-6)
    assert judge.n_truncated == 2
    sizes = [chat.count_tokens(each) for each in chat.asked]
    assert all(195 <= size <= 200 for size in sizes)
    assert all("late\n</conversation>" in each[0].content for each in chat.asked)
    with pytest.raises(OverlengthError, match="answers alone"):
        _judge(RuledReader(max_prompt_tokens=30), overlength="truncate").score(pair)


def test_it_is_a_scorer_of_answers_among_each_other():
    judge = _judge(RuledReader())
    assert isinstance(judge, Scorer)
    assert isinstance(judge, Relative)


def test_a_stream_keeps_the_answers_of_a_prompt_together():
    judge = _judge(RuledReader())
    prompts = [f"p{number}" for number in range(50)]
    asked = [_answer(text, prompt) for prompt in prompts for text in ("bad", "good", "good good")]
    pieces = list(judge.score_by_prompt(iter(asked)))
    assert len(pieces) > 1
    np.testing.assert_allclose(np.concatenate([each.rewards for each in pieces]), [-1, 0, 1] * 50, atol=1e-5)


def test_a_stream_gives_what_comes_before_the_refused_one():
    judge = _judge(RuledReader())
    found = []
    with pytest.raises(DataError, match="two different answers"):
        for scores in judge.score_by_prompt([BAD, GOOD, _answer("alone", "r"), _answer("bad", "s"), _answer("x", "s")]):
            found += scores.rewards.tolist()
    assert found == pytest.approx([-0.5, 0.5])


def test_the_provenance_is_of_the_model_and_of_the_words():
    known = [
        _judge(RuledReader()).provenance,
        _judge(RuledReader(lean=1.0)).provenance,
        _judge(RuledReader(), rubric="Shorter is better.").provenance,
        _judge(RuledReader(), rounds=1).provenance,
    ]
    assert len(set(known)) == 4
    assert known[0].template_digest == known[1].template_digest != known[2].template_digest
