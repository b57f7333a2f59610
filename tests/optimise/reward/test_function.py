"""The reward function that TRL calls, on a real tiny reward model and on ones that misbehave."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rewardsmith.core.conversation import Conversation, assistant, response_text, to_dicts, user
from rewardsmith.core.errors import DataError, JudgeError, ModelError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.optimise.reward.columns import RewardWithColumns, needed_columns
from rewardsmith.optimise.reward.function import reward_function
from rewardsmith.optimise.reward.settings import RewardSettings
from rewardsmith.optimise.reward.verifiable import same_number
from rewardsmith.scoring.load import load_scorer


class Lengths:
    """The reward is the number of letters; a response `nan` has none. Members lie 2 apart."""

    def __init__(self, *, members: bool = False) -> None:
        self.asked: list[Conversation] = []
        self._members = members

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        self.asked += conversations
        texts = [response_text(each) for each in conversations]
        rewards = np.array([np.nan if text == "nan" else len(text) for text in texts], dtype=np.float32)
        provenance = Provenance("m", "t")
        if not self._members:
            return Scores(rewards, provenance)
        spread = np.ones_like(rewards)
        return Scores(rewards, provenance, spread=spread, members=np.stack([rewards - 1, rewards + 1]))


def test_it_is_what_the_scorer_says_of_messages_and_of_texts(tiny_reward_model: Path):
    scorer = load_scorer(tiny_reward_model)
    reward = reward_function(scorer)
    wanted = scorer.score([(user("hi"), assistant("yo")), (user("a"), assistant("b"))]).rewards
    texts = reward(prompts=["hi", "a"], completions=["yo", "b"], completion_ids=[[1], [2]])
    assert texts == pytest.approx(wanted.tolist())
    prompts = [to_dicts((user(text),)) for text in ("hi", "a")]
    completions = [to_dicts((assistant(text),)) for text in ("yo", "b")]
    assert reward(prompts, completions) == texts
    assert reward.__name__ == "rewardsmith"


def test_rewards_are_centred_within_their_prompt():
    reward = reward_function(Lengths(), RewardSettings(centre=True))
    # Lengths 1, 3 of one prompt and 2, 6 of the other.
    found = reward(prompts=["p", "q", "p", "q"], completions=["a", "bb", "aaa", "bbbbbb"])
    assert found == [-1.0, -2.0, 1.0, 2.0]


def test_each_reference_answer_is_scored_once():
    scorer = Lengths()
    reward = reward_function(scorer, RewardSettings(reference="ref"))
    found = reward(prompts=["p", "p"], completions=["aa", "aaaa"], ref=["bb", "bb"])
    # log σ(0) and log σ(2).
    assert found == pytest.approx([-0.693147, -0.126928], abs=1e-6)
    assert len(scorer.asked) == 3


def test_a_checker_adds_its_part():
    reward = reward_function(Lengths(), RewardSettings(verifiable_weight=10), checker=same_number)
    assert reward(prompts=["p", "p"], completions=["7", "it is 8"], answer=["7", "7"]) == [11.0, 7.0]


def test_only_the_tasks_that_are_named_are_for_it():
    scorer = Lengths()
    reward = reward_function(scorer, RewardSettings(task="task", tasks=("chat",)))
    assert reward(prompts=["p", "p"], completions=["a", "bb"], task=["math", "chat"]) == [None, 2.0]
    assert reward(prompts=["p"], completions=["a"], task=["math"]) == [None]
    assert len(scorer.asked) == 1


def test_a_reward_that_is_no_number_is_an_error_that_names_the_row():
    reward = reward_function(Lengths())
    with pytest.raises(JudgeError, match="row 1"):
        reward(prompts=["p", "p"], completions=["a", "nan"])
    skipping = reward_function(Lengths(), RewardSettings(task="task", tasks=("chat",)))
    with pytest.raises(JudgeError, match="row 2"):
        skipping(prompts=["p"] * 3, completions=["a", "b", "nan"], task=["x", "chat", "chat"])


def test_what_cannot_be_read_is_named():
    reward = reward_function(Lengths(), RewardSettings(reference="ref"))
    with pytest.raises(DataError, match="ref"):
        reward(prompts=["p"], completions=["a"])
    with pytest.raises(DataError, match="prompt of row 0"):
        reward(prompts=[[{"role": "user"}]], completions=["a"], ref=["b"])
    with pytest.raises(DataError, match="row 0"):
        reward(prompts=["p"], completions=[[{"role": "user", "content": "x"}]], ref=["b"])
    with pytest.raises(DataError, match="differ in number"):
        reward(prompts=["p"], completions=[], ref=["b"])


def test_the_penalty_of_an_ensemble():
    # Members r − 1 and r + 1: variance 1, worst r − 1.
    calls = {"prompts": ["p"], "completions": ["aaaa"]}
    members = Lengths(members=True)
    assert reward_function(members, RewardSettings(select="penalised", weight=0.5))(**calls) == [3.5]
    assert reward_function(members, RewardSettings(select="worst"))(**calls) == [3.0]
    with pytest.raises(ModelError, match="single model"):
        reward_function(Lengths(), RewardSettings(select="worst"))(**calls)


def test_the_figures_of_a_call_are_logged():
    logged: dict[str, float] = {}
    reward = reward_function(Lengths(members=True), RewardSettings(centre=True))
    reward(prompts=["p", "p"], completions=["- one\n- two", "a"], log_metric=logged.__setitem__, trainer_state=None)
    assert logged == reward.figures == {"proxy": 6.0, "format": 0.5, "spread": 1.0}


def test_columns_are_found_by_the_prompt():
    reward = reward_function(Lengths(), RewardSettings(answer="gold"), checker=same_number)
    assert needed_columns(reward) == ["gold"]
    beside = RewardWithColumns(reward, {(user("p"),): {"gold": "7"}, (user("q"),): {"gold": "8"}})
    prompts = [to_dicts((user("q"),)), to_dicts((user("p"),))]
    assert beside(prompts=prompts, completions=["7", "7"], completion_ids=[[1], [1]]) == [1.0, 2.0]
    with pytest.raises(DataError, match="without its columns"):
        beside(prompts=["r"], completions=["7"])
