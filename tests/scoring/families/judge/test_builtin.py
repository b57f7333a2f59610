"""The built-in language model as a judge, in this process and behind an endpoint."""

from __future__ import annotations

import numpy as np
import pytest
from tests.scoring.families.judge.endpoint import endpoint

from rewardsmith.core.conversation import assistant, from_dicts, user
from rewardsmith.models.causal_lm import load_causal_lm
from rewardsmith.scoring.families.judge.cache import ReplyCache
from rewardsmith.scoring.families.judge.client import ChatClient
from rewardsmith.scoring.families.judge.local import LocalChat
from rewardsmith.scoring.families.judge.pairwise import PairwiseJudge
from rewardsmith.scoring.families.judge.questioner import Questioner
from rewardsmith.scoring.families.judge.settings import RemoteBackend, parse_judge

BASE = "builtin:smollm2-135m-instruct"
ANSWERS = [(user("What is 2 + 2?"), assistant(text)) for text in ("It is 4.", "zxq zxq zxq", "I do not know.")]


@pytest.mark.slow
def test_the_builtin_model_judges_and_is_served():
    settings = parse_judge({"kind": "pairwise", "backend": {"local": BASE}}, where="test")
    chat = LocalChat(load_causal_lm(BASE), max_reply_tokens=16)
    rewards = PairwiseJudge(Questioner(settings, chat)).score(ANSWERS).rewards
    assert np.isfinite(rewards).all()
    assert len(set(rewards.tolist())) == 3
    assert rewards.sum() == pytest.approx(0.0, abs=1e-4)
    with endpoint(lambda messages: chat.complete(from_dicts(messages)).text) as running:
        client = ChatClient(RemoteBackend(url=running.url, model=BASE), max_reply_tokens=16, cache=ReplyCache())
        assert client.complete(ANSWERS[0][:1]).text == chat.complete(ANSWERS[0][:1]).text
