from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.scoring.families.judge.endpoint import Endpoint, Misbehaviour, endpoint, fair

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import DataError, JudgeError
from rewardsmith.core.scores import Relative, Scorer
from rewardsmith.models.causal_lm import CausalLm
from rewardsmith.scoring.families.judge.client import ChatClient
from rewardsmith.scoring.families.judge.local import LocalChat
from rewardsmith.scoring.families.judge.pointwise import PointwiseJudge
from rewardsmith.scoring.families.judge.questioner import Questioner
from rewardsmith.scoring.families.judge.settings import RemoteBackend, parse_judge


def _judge(running: Endpoint, **values: Any) -> PointwiseJudge:
    backend = RemoteBackend(url=running.url, model="m", backoff_s=0.01, retries=1)
    settings = parse_judge({"kind": "pointwise", "backend": backend.model_dump(), **values}, where="test")
    return PointwiseJudge(Questioner(settings, ChatClient(backend, max_reply_tokens=64)))


def _answer(text: str) -> Conversation:
    return (user("q"), assistant(text))


ANSWERS = [_answer("good"), _answer("bad"), _answer("good good good"), _answer("good")]


def test_the_reward_is_the_score_that_was_written(served: Endpoint):
    judge = _judge(served)
    scores = judge.score(ANSWERS)
    np.testing.assert_array_equal(scores.rewards, np.array([2, 1, 4, 2], dtype=np.float32))
    assert scores.rewards.dtype == np.float32
    assert scores.rationales == tuple(f"I counted.\nScore: {score}" for score in (2, 1, 4, 2))
    assert len(served.bodies) == 3
    assert isinstance(judge, Scorer)
    assert not isinstance(judge, Relative)
    assert len(judge.score([])) == 0


def test_a_remote_reward_that_fails_is_an_error_and_never_none(served: Endpoint):
    served.script.extend([Misbehaviour(status=500)] * 4)
    with pytest.raises(JudgeError, match="status 500"):
        _judge(served).score(ANSWERS[:2])


def test_a_missing_verdict_stops_or_is_nan_and_is_counted():
    def half(messages: list[dict[str, str]]) -> str:
        return "Score: none" if "bad" in messages[0]["content"].split("<answer>")[1] else fair(messages)

    with endpoint(half) as running:
        with pytest.raises(JudgeError, match="no verdict"):
            _judge(running).score(ANSWERS)
        judge = _judge(running, no_verdict="nan")
        rewards = judge.score(ANSWERS).rewards
    np.testing.assert_array_equal(rewards, np.array([2, np.nan, 4, 2], dtype=np.float32))
    assert judge.n_unscored == 1


def test_a_second_try_may_give_the_verdict():
    def second(messages: list[dict[str, str]]) -> str:
        return fair(messages) if len(messages) == 3 else "Well."

    with endpoint(second) as running:
        np.testing.assert_array_equal(_judge(running).score(ANSWERS[:1]).rewards, [2])


def test_odds_give_the_expected_score(tiny_lm: CausalLm):
    settings = parse_judge({"kind": "pointwise", "backend": {"local": "tiny"}}, where="test")
    chat = LocalChat(tiny_lm, max_reply_tokens=16)
    judge = PointwiseJudge(Questioner(settings, chat))
    rewards = judge.score(ANSWERS).rewards
    question, _ = judge.questioner.question([ANSWERS[1]])
    log_probs = np.array(chat.option_log_probs(question, prefix="Score:", options=tuple("123456789")))
    weights = np.exp(log_probs) / np.exp(log_probs).sum()
    assert rewards[1] == pytest.approx(float(weights @ np.arange(1, 10)), abs=1e-5)
    assert rewards[0] == rewards[3] != rewards[1]


def test_a_prompt_without_an_answer_is_refused(served: Endpoint):
    with pytest.raises(DataError, match="conversation 1"):
        _judge(served).score([ANSWERS[0], (user("q"),)])
