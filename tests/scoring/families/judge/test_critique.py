from __future__ import annotations

from typing import Any

from tests.scoring.families.judge.endpoint import Endpoint, Messages, endpoint, fair
from tests.scoring.families.judge.readers import RuledReader

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.scoring.families.judge.client import ChatClient
from rewardsmith.scoring.families.judge.pairwise import PairwiseJudge
from rewardsmith.scoring.families.judge.questioner import Questioner
from rewardsmith.scoring.families.judge.settings import RemoteBackend, parse_judge

PAIR: tuple[Conversation, Conversation] = ((user("q"), assistant("good")), (user("q"), assistant("bad")))


def _judge(running: Endpoint, **values: Any) -> PairwiseJudge:
    backend = RemoteBackend(url=running.url, model="m", retries=0)
    settings = parse_judge({"kind": "pairwise", "backend": backend.model_dump(), **values}, where="test")
    return PairwiseJudge(Questioner(settings, ChatClient(backend, max_reply_tokens=64)))


def _wavering(messages: Messages) -> str:
    """Right at first, wrong after one critique, right again after two."""
    last = messages[-1]["content"]
    if last.startswith("Now criticise"):
        return f"Critique {len(messages) // 4 + 1}."
    right = fair(messages[:1])
    if len(messages) != 5:
        return right
    return right.translate(str.maketrans("AB", "BA"))


def test_the_verdict_of_every_round_is_kept():
    with endpoint(_wavering) as running:
        (rounds,) = _judge(running, rounds=2).compare([PAIR])
        assert [each.choice for each in rounds] == [1, -1, 1]
        assert [each.forward.critique for each in rounds] == ["", "Critique 1.", "Critique 2."]
        longest = max(running.bodies, key=lambda body: len(body["messages"]))["messages"]
    assert [each["role"] for each in longest] == ["user", "assistant"] * 4 + ["user"]
    assert longest[1]["content"] == "I counted.\nVerdict: A" or longest[1]["content"] == "I counted.\nVerdict: B"
    assert longest[3]["content"] == "Critique 1."
    assert "judge again" in longest[4]["content"]


def test_the_last_round_is_the_reward():
    with endpoint(_wavering) as running:
        assert _judge(running, rounds=1).score(PAIR).rewards.tolist() == [0.0, 1.0]
        assert _judge(running, rounds=2).score(PAIR).rewards.tolist() == [1.0, 0.0]


def test_rounds_begin_with_what_no_rounds_would_say():
    with endpoint(_wavering) as running:
        (none,) = _judge(running).compare([PAIR])
        (some,) = _judge(running, rounds=2).compare([PAIR])
    assert none[0] == some[0]


def test_after_a_round_without_a_verdict_there_is_none():
    def lost(messages: Messages) -> str:
        return fair(messages[:1]) if len(messages) == 1 else "I do not know."

    with endpoint(lost) as running:
        (rounds,) = _judge(running, rounds=3, parse_retries=1).compare([PAIR])
    assert [each.choice for each in rounds] == [1, None, None, None]


def test_a_judge_whose_odds_are_read_writes_its_critiques_only():
    chat = RuledReader(lean=0.5)
    settings = parse_judge({"kind": "pairwise", "backend": {"local": "ruled"}, "rounds": 1}, where="test")
    (rounds,) = PairwiseJudge(Questioner(settings, chat)).compare([PAIR])
    assert [each.forward.value for each in rounds] == [1.5, 1.5]
    assert rounds[1].forward.critique == "I have read 3 messages."
    assert chat.asked[1][1] == assistant("Verdict: A")
