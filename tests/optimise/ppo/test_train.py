"""PPO on a tiny policy: it learns, it is held, it is killed and goes on; nothing but its settings decides a number."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from rewardsmith.core.conversation import user
from rewardsmith.core.errors import JudgeError, SettingsError
from rewardsmith.core.store import verify_artefact
from rewardsmith.models.causal_lm import load_causal_lm, log_probabilities
from rewardsmith.optimise.anchor import FixedAnchor
from rewardsmith.optimise.ppo.actor_critic import ActorCritic, token_log_probs
from rewardsmith.optimise.ppo.rollout import Rollout, roll_out
from rewardsmith.optimise.ppo.settings import PpoSettings
from rewardsmith.optimise.ppo.store import LOG_NAME, read_log
from rewardsmith.optimise.ppo.train import train_ppo
from rewardsmith.optimise.ppo.update import update
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import prepared
from rewardsmith.training.resume import work_folder

PROMPTS = [(user(text),) for text in ("a", "bb", "ccc", "dd")]
SMALL = PpoSettings(
    steps=4, prompts_per_step=4, max_new_tokens=6, epochs=2, minibatches=2, learning_rate=3e-3, save_every_steps=1
)


def many_e(**columns: Any) -> list[float]:
    """The share of the letters that are vowels."""
    texts = [completion[0]["content"] for completion in columns["completions"]]
    return [sum(letter in "aeiou" for letter in text) / 6 for text in texts]


@pytest.fixture(scope="module")
def policy(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    torch.manual_seed(0)
    tokenizer = prepared(tiny.decoder_tokenizer())
    LlamaForCausalLM(tiny.llama_config()).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def train(policy: Path, out: Path, settings: PpoSettings = SMALL, *, beta: float = 0.01, **options: Any) -> list[dict]:
    options = {"reward": many_e, "reward_config": {}, "anchor_config": {"beta": beta}} | options
    train_ppo(settings, policy=policy, prompts=PROMPTS, anchor=FixedAnchor(beta), out=out, **options)
    return read_log(out / LOG_NAME)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return AutoModelForCausalLM.from_pretrained(folder).state_dict()


def rolled(policy: Path, **changes: Any) -> tuple[ActorCritic, Rollout, ConversationEncoder]:
    lm = load_causal_lm(policy)
    encoder = ConversationEncoder(lm.tokenizer)
    settings = {"reward": many_e, "max_new_tokens": 6, "token_budget": 2048, "seeds": [1, 2, 3, 4]} | changes
    model = ActorCritic(lm.network)
    return model, roll_out(model, load_causal_lm(policy).network, encoder, PROMPTS, **settings), encoder


def test_it_learns_a_simple_reward(policy: Path, tmp_path: Path):
    settings = SMALL.model_copy(
        update={"steps": 25, "prompts_per_step": 16, "learning_rate": 1e-2, "save_every_steps": 25}
    )
    lines = train(policy, tmp_path / "out", settings, beta=0.0)
    rewards = [line["reward"] for line in lines]
    assert np.mean(rewards[-5:]) > np.mean(rewards[:5]) + 0.2
    assert lines[0]["kl_nats"] == pytest.approx(0.0, abs=1e-4)
    assert lines[-1]["kl_nats"] > 0.5


def test_a_dear_anchor_holds_the_policy(policy: Path, tmp_path: Path):
    settings = SMALL.model_copy(
        update={"steps": 12, "prompts_per_step": 16, "learning_rate": 3e-3, "save_every_steps": 12}
    )
    free = train(policy, tmp_path / "free", settings, beta=0.0)
    held = train(policy, tmp_path / "held", settings, beta=10.0)
    assert abs(held[-1]["kl_nats"]) < free[-1]["kl_nats"] / 3


def test_what_is_read_of_a_batch_is_what_the_models_say(policy: Path):
    _, rollout, encoder = rolled(policy)
    lm = load_causal_lm(policy)
    wanted, counts = log_probabilities(lm.network, rollout.responses, pad_id=encoder.pad_id)
    np.testing.assert_allclose(rollout.log_probs.double().sum(dim=1).numpy(), wanted, atol=1e-4)
    assert rollout.mask.sum(dim=1).tolist() == counts.tolist()
    np.testing.assert_allclose(rollout.sequence_nats, 0, atol=1e-5)
    assert float(rollout.values.abs().max()) == 0.0
    for budget in (1, 30):
        other = rolled(policy, token_budget=budget)[1]
        torch.testing.assert_close(other.log_probs, rollout.log_probs, atol=1e-5, rtol=0)


def test_the_token_budget_changes_no_step(policy: Path):
    trained = []
    for budget in (2048, 1):
        model, rollout, encoder = rolled(policy)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        settings = SMALL.model_copy(update={"token_budget": budget, "most_nats_a_batch": None})
        update(model, optimiser, rollout, settings, beta=0.1, pad_id=encoder.pad_id, seed=0)
        trained.append(torch.cat([each.detach().flatten() for each in model.parameters()]))
    torch.testing.assert_close(trained[0], trained[1], atol=1e-6, rtol=0)


def test_a_step_makes_good_responses_likelier_and_bad_ones_less(policy: Path):
    model, rollout, encoder = rolled(policy, reward=lambda **_: [1.0, -1.0, 1.0, -1.0])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    settings = SMALL.model_copy(update={"epochs": 1, "minibatches": 1, "whiten": False, "max_grad_norm": 100.0})
    report = update(model, optimiser, rollout, settings, beta=0.0, pad_id=encoder.pad_id, seed=0)
    assert report.epochs == 1
    width = rollout.mask.shape[1]
    after = token_log_probs(model.network, rollout.responses, pad_id=encoder.pad_id, width=width).sum(dim=1)
    moved = (after.detach() - rollout.log_probs.sum(dim=1)).numpy()
    assert np.dot(moved, [1, -1, 1, -1]) > 0
    assert model.value_head.weight.detach().abs().max() > 0


def test_passes_end_early_when_the_policy_has_moved_far(policy: Path):
    model, rollout, encoder = rolled(policy)
    optimiser = torch.optim.SGD(model.parameters(), lr=5.0)
    settings = SMALL.model_copy(update={"epochs": 10, "most_nats_a_batch": 1e-6})
    assert update(model, optimiser, rollout, settings, beta=0.0, pad_id=encoder.pad_id, seed=0).epochs < 10


def test_an_interrupted_run_ends_with_the_same_weights(policy: Path, tmp_path: Path):
    whole = train(policy, tmp_path / "whole")

    class Interrupted(Exception):
        pass

    def interrupt(line: dict[str, float], _: Rollout) -> None:
        if line["step"] == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(policy, tmp_path / "cut", on_step=interrupt)
    assert not (tmp_path / "cut").exists()
    resumed = train(policy, tmp_path / "cut")
    assert resumed == whole
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not (tmp_path / "cut.work").exists()


def test_a_current_policy_is_kept_and_other_settings_train_again(policy: Path, tmp_path: Path):
    out = tmp_path / "out"
    train(policy, out)
    before = verify_artefact(out, "policy").digest
    train(policy, out, on_step=lambda *_: pytest.fail("it trained again"))
    assert verify_artefact(out, "policy").digest == before
    train(policy, out, SMALL.model_copy(update={"seed": 1}))
    assert verify_artefact(out, "policy").digest != before


def test_a_stop_rule_ends_the_run_and_says_why(policy: Path, tmp_path: Path):
    lines = train(policy, tmp_path / "out", stop=lambda lines: "far enough" if len(lines) == 2 else None)
    assert len(lines) == 2
    assert verify_artefact(tmp_path / "out", "policy").counts["stopped"] == "far enough"


@pytest.mark.parametrize("bad", [[1.0], [1.0, None, 1.0, 1.0], [1.0, math.nan, 1.0, 1.0]])
def test_what_is_no_reward_is_refused(bad: list[Any], policy: Path, tmp_path: Path):
    with pytest.raises(JudgeError):
        train(policy, tmp_path / "out", reward=lambda **_: bad)
    assert not (tmp_path / "out").exists()


def test_the_last_blocks_alone_are_trained(policy: Path, tmp_path: Path):
    train(policy, tmp_path / "out", SMALL.model_copy(update={"last_blocks": 1}))
    before, after = weights(policy), weights(tmp_path / "out")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    last = max(int(name.split(".")[2]) for name in before if ".layers." in name)
    assert changed
    assert all(f"layers.{last}." in name or name == "model.norm.weight" for name in changed)
    with pytest.raises(SettingsError, match="more blocks"):
        train(policy, tmp_path / "none", SMALL.model_copy(update={"last_blocks": 99}))


KILLED = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from tests.optimise.ppo.test_train import SMALL, train
train(Path(sys.argv[1]), Path(sys.argv[2]), SMALL.model_copy(update={"steps": 6}))
"""


def test_a_killed_run_goes_on(policy: Path, tmp_path: Path):
    settings = SMALL.model_copy(update={"steps": 6})
    whole = train(policy, tmp_path / "whole", settings)
    root = str(Path(__file__).parents[3])
    out = tmp_path / "killed"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(policy), str(out), root], env=dict(os.environ))
    parent = work_folder(out, "x").parent
    deadline = time.monotonic() + 120
    while not list(parent.glob("*/checkpoint-*")) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    resumed = train(policy, out, settings)
    assert [json.dumps(line) for line in resumed] == [json.dumps(line) for line in whole]
