"""The implicit reward of a policy, as a scorer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import ModelError, OverlengthError, SettingsError
from rewardsmith.core.scores import Scorer, Truncating
from rewardsmith.models.causal_lm import load_causal_lm, response_log_probabilities
from rewardsmith.pipeline.implicit import make_implicit
from rewardsmith.scoring.families.implicit import ImplicitScorer, require_same_tokens
from rewardsmith.scoring.load import load_scorer

TALKS: list[Conversation] = [(user("hi"), assistant(text)) for text in ("yes", "no, never", "x" * 40, "yes")]


@pytest.fixture(scope="module")
def folders(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`reference`, and `policy`: the same after its LM head was moved."""
    root = tmp_path_factory.mktemp("implicit")
    tiny.save_base(root / "reference", "decoder")
    network = LlamaForCausalLM.from_pretrained(root / "reference")
    torch.manual_seed(1)
    with torch.no_grad():
        network.lm_head.weight += 0.05 * torch.randn_like(network.lm_head.weight)
    network.save_pretrained(root / "policy")
    tiny.decoder_tokenizer().save_pretrained(root / "policy")
    return root


def test_it_is_beta_times_the_difference_of_the_log_probabilities(folders: Path) -> None:
    policy, reference = (load_causal_lm(folders / name) for name in ("policy", "reference"))
    scorer = ImplicitScorer(policy, reference, beta=0.5)
    sums = [response_log_probabilities(each.network, scorer.encoder, TALKS)[0] for each in (policy, reference)]
    scores = scorer.score(TALKS)
    np.testing.assert_allclose(scores.rewards, 0.5 * (sums[0] - sums[1]), rtol=1e-5)
    assert scores.rewards.dtype == np.float32
    assert scores.rewards[0] == scores.rewards[3] != 0
    assert isinstance(scorer, Scorer)
    assert isinstance(scorer, Truncating)
    # "yes" and its end are four tokens.
    per_token = ImplicitScorer(policy, reference, beta=0.5, normalise="per_token").score(TALKS).rewards
    np.testing.assert_allclose(per_token[0], scores.rewards[0] / 4, rtol=1e-6)


def test_what_the_policy_was_pushed_to_has_the_higher_reward(folders: Path) -> None:
    policy, reference = (load_causal_lm(folders / "reference") for _ in range(2))
    optimiser = torch.optim.SGD(policy.network.parameters(), lr=0.05)
    ids = torch.tensor(policy.tokenizer("yes")["input_ids"])[None]
    for _ in range(5):
        loss: Any = policy.network(input_ids=ids, labels=ids).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    rewards = ImplicitScorer(policy, reference).score(TALKS).rewards
    assert rewards[0] > rewards[1]


def test_a_policy_that_is_its_reference_has_reward_0(folders: Path) -> None:
    model = load_causal_lm(folders / "policy")
    assert not ImplicitScorer(model, model).score(TALKS).rewards.any()


def test_the_folder_scores_the_same_wherever_the_three_lie(folders: Path, tmp_path: Path) -> None:
    policy, reference = folders / "policy", folders / "reference"
    manifest = make_implicit(str(policy), str(reference), out=folders / "made", beta=0.5)
    wanted = ImplicitScorer(load_causal_lm(policy), load_causal_lm(reference), beta=0.5).score(TALKS)
    folders.rename(tmp_path / "moved")
    try:
        for engine in ("fast", "reference"):
            scores = load_scorer(tmp_path / "moved" / "made", engine=engine, device="cpu").score(TALKS)  # type: ignore[arg-type]
            np.testing.assert_allclose(scores.rewards, wanted.rewards, rtol=1e-4)
            assert scores.provenance == wanted.provenance
    finally:
        (tmp_path / "moved").rename(folders)
    assert manifest.config["implicit"]["policy"] == "../policy"
    assert set(manifest.parents) == {"policy", "reference"}


def test_rewards_are_kept_for_later_processes_and_not_for_another_beta(folders: Path, tmp_path: Path) -> None:
    models = load_causal_lm(folders / "policy"), load_causal_lm(folders / "reference")
    first = ImplicitScorer(*models, cache=tmp_path).score(TALKS).rewards
    again = ImplicitScorer(*models, cache=tmp_path)
    again._rewards = None  # type: ignore[method-assign,assignment] -- nothing may be computed
    np.testing.assert_array_equal(again.score(TALKS).rewards, first)
    other = ImplicitScorer(*models, beta=0.2, cache=tmp_path).score(TALKS).rewards
    np.testing.assert_allclose(other, 2 * first, rtol=1e-6)


def test_a_long_prompt_is_cut_and_counted_and_a_response_never(folders: Path) -> None:
    models = load_causal_lm(folders / "policy"), load_causal_lm(folders / "reference")
    long: list[Conversation] = [(user("p" * 90), assistant("yes"))]
    with pytest.raises(OverlengthError):
        ImplicitScorer(*models, max_tokens=50).score(long)
    scorer = ImplicitScorer(*models, max_tokens=50, overlength="truncate")
    assert np.isfinite(scorer.score(long).rewards).all()
    assert scorer.n_truncated == 1
    with pytest.raises(OverlengthError, match="response is too long"):
        scorer.score([(user("p"), assistant("y" * 60))])


def test_different_tokenizers_are_refused_and_an_added_pad_is_not(folders: Path, tiny: Any) -> None:
    model = load_causal_lm(folders / "reference")
    with pytest.raises(ModelError, match="different tokenizers"):
        require_same_tokens(model.tokenizer, tiny.sentencepiece_tokenizer())
    padded = tiny.decoder_tokenizer()
    padded.add_special_tokens({"pad_token": "<my-pad>"})
    require_same_tokens(padded, model.tokenizer)


def test_a_token_that_the_reference_lacks_is_refused(folders: Path, tiny: Any, tmp_path: Path) -> None:
    LlamaForCausalLM(tiny.llama_config(vocab_size=300)).save_pretrained(tmp_path)
    tokenizer = tiny.decoder_tokenizer(template=tiny.CHAT_TEMPLATE.replace("<|start|>", "<|begin|>"))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|begin|>"]})
    tokenizer.save_pretrained(tmp_path)
    scorer = ImplicitScorer(load_causal_lm(tmp_path), load_causal_lm(folders / "reference"))
    with pytest.raises(ModelError, match=r"the reference has no such token.*<\|begin\|>"):
        scorer.score(TALKS)


def test_bad_settings_are_refused(folders: Path, tmp_path: Path) -> None:
    model = load_causal_lm(folders / "reference")
    with pytest.raises(SettingsError, match="KL price"):
        ImplicitScorer(model, model, beta=0)
    make_implicit(str(folders / "policy"), str(folders / "reference"), out=tmp_path / "made")
    with pytest.raises(SettingsError, match="bfloat16"):
        load_scorer(tmp_path / "made", precision="bf16")
    with pytest.raises(SettingsError, match="at most 256"):
        load_scorer(tmp_path / "made", max_tokens=300)
    (tmp_path / "made" / "scorer.json").write_text('{"family": "implicit", "policy": "../gone", "reference": "../x"}')
    with pytest.raises(ModelError, match="is gone"):
        load_scorer(tmp_path / "made")
    (tmp_path / "made" / "scorer.json").write_text('{"family": "implicit", "beta": 1}')
    with pytest.raises(ModelError, match="not an implicit reward"):
        load_scorer(tmp_path / "made")
