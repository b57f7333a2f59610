"""TRL's GRPO, rewarded over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.models import tiny
from tests.serve.serving import serving

from rewardsmith.core.conversation import from_dicts
from rewardsmith.scoring.client import RemoteScorer
from rewardsmith.scoring.load import load_scorer


@pytest.mark.slow
def test_two_steps_of_grpo(tmp_path: Path, tiny_reward_model: Path) -> None:
    """Every reward that the trainer gets is that of the model in this process."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    policy = tiny.save_base(tmp_path / "policy", "decoder")
    tokenizer = tiny.decoder_tokenizer()
    prompts = [[{"role": "user", "content": f"{n}+{n}?"}] for n in range(8)]
    arguments = GRPOConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=2,
        per_device_train_batch_size=4,
        num_generations=4,
        max_completion_length=8,
        learning_rate=1e-3,
        use_cpu=True,
        bf16=False,
        report_to=[],
        save_strategy="no",
        logging_steps=1,
        seed=0,
    )
    seen: list[tuple[Any, list[float]]] = []
    with serving({"reward": tiny_reward_model}) as server, RemoteScorer(server.url, overlength="truncate") as scorer:

        def reward(prompts: list[Any], completions: list[Any], **_: Any) -> list[float]:
            asked = [from_dicts([*prompt, *answer]) for prompt, answer in zip(prompts, completions, strict=True)]
            rewards = scorer.score(asked).rewards.tolist()
            seen.append((asked, rewards))
            return rewards

        trainer = GRPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(policy),
            reward_funcs=reward,
            args=arguments,
            train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
            processing_class=tokenizer,
        )
        trainer.train()
    assert trainer.state.global_step == 2
    assert sum(len(rewards) for _, rewards in seen) == 8
    here = load_scorer(tiny_reward_model, device="cpu", overlength="truncate")
    for asked, rewards in seen:
        np.testing.assert_allclose(rewards, here.score(asked).rewards, atol=1e-5)
    logged = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    assert logged == pytest.approx([np.mean(rewards) for _, rewards in seen], abs=1e-4)
