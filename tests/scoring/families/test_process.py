"""Process scorers: probabilities of steps, and one reward from them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ModelError, OverlengthError, SettingsError
from rewardsmith.core.scores import Scorer, Truncating
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.steps.checkpoint import save_step_model
from rewardsmith.models.steps.load import build_step_model, load_step_checkpoint
from rewardsmith.scoring.families.process import FAMILY, ProcessScorer, ProcessSpec
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.load import load_scorer
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer

PROBLEM = (user("Tom has 3 pens and buys 4 more. How many?"),)
ANSWERS = ["3 + 4 = 7\nSo 7", "3 + 4 = 8\n\nSo 8", "So 7", "3 + 4 = 7\nSo 7", ""]
CONVERSATIONS = [(*PROBLEM, assistant(answer)) for answer in ANSWERS]


@pytest.fixture(scope="module", params=["decoder", "encoder"])
def folder(request, tiny, tmp_path_factory):
    base = tiny.save_base(tmp_path_factory.mktemp("base"), request.param)
    out = tmp_path_factory.mktemp("steps") / request.param
    save_step_model(build_step_model(ModelSettings(base=base), seed=2), load_tokenizer(base), out)
    write_spec(out, FAMILY, ProcessSpec().model_dump(mode="json"))
    return out


def scorer(folder, *, max_tokens=None, overlength="raise", packs=True, **spec) -> ProcessScorer:
    loaded = load_step_checkpoint(folder)
    encoder = ConversationEncoder(loaded.tokenizer, max_tokens=max_tokens)
    said = ProcessSpec.model_validate(spec)
    return ProcessScorer(loaded.model, encoder, said, overlength=overlength, packs=packs, model_digest=loaded.digest)


def test_steps_and_their_product(folder):
    scores = scorer(folder).score(CONVERSATIONS)
    assert scores.steps is not None
    assert [len(each) for each in scores.steps] == [2, 2, 1, 2, 1]
    for reward, steps in zip(scores.rewards, scores.steps, strict=True):
        assert reward == pytest.approx(math.log(np.prod(steps.astype(float))), abs=1e-4)
    assert scores.rewards[0] == scores.rewards[3]
    assert scores.rewards.dtype == np.float32


def test_other_aggregations(folder):
    steps = scorer(folder).score(CONVERSATIONS[:2]).steps
    assert steps is not None
    for how, pick in (("minimum", min), ("last", lambda each: each[-1])):
        rewards = scorer(folder, aggregation=how).score(CONVERSATIONS[:2]).rewards
        expected = [math.log(pick(each) / (1 - pick(each))) for each in steps]
        np.testing.assert_allclose(rewards, expected, atol=1e-4)


def test_fast_equals_the_reference_in_any_order(folder):
    fast, reference = load_scorer(folder), load_scorer(folder, engine="reference")
    assert isinstance(fast, ProcessScorer)
    wanted = reference.score(CONVERSATIONS)
    found = fast.score(CONVERSATIONS[::-1])
    np.testing.assert_allclose(found.rewards[::-1], wanted.rewards, atol=1e-5)
    assert wanted.provenance == found.provenance
    small = load_scorer(folder, token_budget=40).score(CONVERSATIONS)
    np.testing.assert_allclose(small.rewards, wanted.rewards, atol=1e-5)


def test_steps_that_are_given(folder):
    own = scorer(folder)
    wanted = own.score(CONVERSATIONS[:1])
    given = own.score_steps([(PROBLEM, [" 3 + 4 = 7", "So 7 "])])
    np.testing.assert_array_equal(given.rewards, wanted.rewards)
    one = own.score_steps([(PROBLEM, ["3 + 4 = 7\nSo 7"])]).steps
    assert one is not None
    assert len(one[0]) == 1
    assert len(scorer(folder, splitting="paragraphs").score(CONVERSATIONS[:2]).steps or ()) == 2
    steps = scorer(folder, splitting="paragraphs").score(CONVERSATIONS[:2]).steps
    assert [len(each) for each in steps or ()] == [1, 2]


def test_the_first_error_is_the_first_step_below_the_threshold(folder):
    steps = scorer(folder).score(CONVERSATIONS[:1]).steps
    assert steps is not None
    low, high = sorted(float(each) for each in steps[0])
    between = (low + high) / 2
    for threshold, expected in ((low - 1e-3, -1), (between, int(np.argmin(steps[0]))), (high + 1e-3, 0)):
        own = scorer(folder, error_threshold=threshold)
        assert own.first_errors(own.score(CONVERSATIONS[:1])) == [expected]


def test_a_long_problem_is_cut_and_a_lost_step_has_no_part(folder):
    long = [(user("x" * 60), assistant("3 + 4 = 7\nSo 7"))]
    limit = 40
    with pytest.raises(OverlengthError, match="conversation 0"):
        scorer(folder, max_tokens=limit).score(long)
    cut = scorer(folder, max_tokens=limit, overlength="truncate")
    steps = cut.score(long).steps
    assert cut.n_truncated == 1
    assert steps is not None
    assert not np.isnan(steps[0]).any()
    scores = cut.score_steps([(PROBLEM, ["3 + 4 = 7", "y" * limit, "So 7"])])
    assert scores.steps is not None
    lost, *kept = scores.steps[0]
    assert math.isnan(lost)
    assert scores.rewards[0] == pytest.approx(math.log(np.prod(kept)), abs=1e-5)
    assert cut.n_truncated == 2


def test_it_is_a_scorer(folder):
    own = load_scorer(folder)
    assert isinstance(own, Scorer)
    assert isinstance(own, Truncating)
    assert len(own.score([])) == 0
    with pytest.raises(ModelError, match="without an answer"):
        own.score([PROBLEM])


def test_aggregation_is_part_of_what_a_reward_depends_on(folder):
    assert scorer(folder).provenance != scorer(folder, aggregation="last").provenance


def test_what_cannot_be_loaded(folder, tmp_path):
    with pytest.raises(SettingsError, match="keeps no cache"):
        load_scorer(folder, cache=tmp_path)
    with pytest.raises(SettingsError, match="more than the model takes"):
        load_scorer(folder, max_tokens=10_000)
    with pytest.raises(SettingsError, match="unknown engine"):
        load_scorer(folder, engine="magic")  # pyright: ignore[reportArgumentType]
    spec = folder / "scorer.json"
    before = spec.read_text()
    try:
        spec.write_text(json.dumps(json.loads(before) | {"template_digest": "other"}))
        with pytest.raises(ModelError, match="chat template differs"):
            load_scorer(folder)
        spec.write_text(json.dumps(json.loads(before) | {"aggregation": "mean"}))
        with pytest.raises(ModelError, match="unreadable scorer"):
            load_scorer(folder)
    finally:
        spec.write_text(before)
