"""What does not fit is refused before anything is trained."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.optimise.trl.policies import Vowels, save_policy

from rewardsmith.core.conversation import user
from rewardsmith.core.errors import MissingDependencyError, ModelError, OverlengthError
from rewardsmith.models.causal_lm import CausalLm, load_causal_lm
from rewardsmith.optimise.trl.fit import require_generation_prompt, require_pad, require_room, require_trl
from rewardsmith.scoring.load import load_scorer

PROMPTS = [(user("hi"),), (user("a longer one"),)]


@pytest.fixture(scope="module")
def lm(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> CausalLm:
    return load_causal_lm(save_policy(tiny, tmp_path_factory.mktemp("policy")))


def test_trl_is_asked_for_by_the_name_of_its_extra(monkeypatch: pytest.MonkeyPatch):
    assert require_trl().__name__ == "trl"
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(MissingDependencyError, match=r"rewardsmith\[rl\]"):
        require_trl()


def test_a_template_that_opens_no_turn_is_refused(tiny: Any, lm: CausalLm, tmp_path: Path):
    require_generation_prompt(lm, PROMPTS)
    other = load_causal_lm(save_policy(tiny, tmp_path, template=tiny.CHAT_TEMPLATE))
    with pytest.raises(ModelError, match="does not open"):
        require_generation_prompt(other, PROMPTS)


def test_a_tokenizer_that_pads_with_its_end_is_refused(tiny: Any, lm: CausalLm):
    require_pad(lm)
    tokenizer = tiny.decoder_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    with pytest.raises(ModelError, match="pad token"):
        require_pad(dataclasses.replace(lm, tokenizer=tokenizer))


def test_texts_that_are_too_long_are_refused(lm: CausalLm, tiny_reward_model: Path):
    # The policy has 256 positions; the reward model was trained on at most 200 tokens.
    scorer = load_scorer(tiny_reward_model)
    require_room(lm, scorer, PROMPTS, max_new_tokens=40)
    with pytest.raises(OverlengthError, match=r"prompt 1.*the reward model"):
        require_room(lm, scorer, PROMPTS, max_new_tokens=190)
    with pytest.raises(OverlengthError, match="the policy"):
        require_room(lm, Vowels(), PROMPTS, max_new_tokens=250)
    require_room(lm, Vowels(), PROMPTS, max_new_tokens=190)
