"""Does the reward hang on how tokens are laid out?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tests.audit.planted import PROVENANCE, FunctionScorer

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.probes.rendering import (
    MOST_TEXTS,
    RenderingChecks,
    TokenChecks,
    check_rendering,
    rendering_findings,
)
from rewardsmith.core.conversation import Conversation, assistant, response_text, user
from rewardsmith.core.finding import Finding
from rewardsmith.core.scores import Scores
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.rendering import Marks
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import prepared

TEXTS: list[Conversation] = [(user("hi"), assistant("x" * size)) for size in range(1, 61)]


class CrowdScorer:
    """Rewards lean on the longest text of the batch, as with wrong padding."""

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        lengths = np.array([len(response_text(text)) for text in conversations])
        return Scores((lengths / 10 + 0.01 * lengths.max()).astype(np.float32), PROVENANCE)


def _findings(scorer: Any, sigma: float = 1.0) -> dict[str, Finding]:
    return {one.name: one for one in rendering_findings(check_rendering(scorer, TEXTS), sigma=sigma)}


def test_a_scorer_from_outside() -> None:
    scorer = FunctionScorer(lambda text: len(response_text(text)))
    checks = check_rendering(scorer, TEXTS)
    assert isinstance(checks.tokens, Absent)
    assert len(checks.company) == MOST_TEXTS
    found = _findings(scorer)
    assert list(found) == ["rendering.batch"]
    assert (found["rendering.batch"].severity, found["rendering.batch"].estimate.value) == ("info", 0.0)


def test_company_that_counts() -> None:
    found = _findings(CrowdScorer())["rendering.batch"]
    # The shortest text has one x, the longest of the batch 60: 0.01 · (60 − 1).
    assert found.estimate.value == pytest.approx(0.59, abs=1e-4)
    assert found.severity == "critical"
    assert _findings(CrowdScorer(), sigma=10)["rendering.batch"].severity == "warning"


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_a_sound_model(tiny: Any, kind: str) -> None:
    network, tokenizer = (
        (tiny.llama(), tiny.decoder_tokenizer()) if kind == "decoder" else (tiny.bert(), tiny.encoder_tokenizer())
    )
    scorer = FastScorer(RewardModel(network), ConversationEncoder(prepared(tokenizer)))
    sigma = float(scorer.score(TEXTS).rewards.std())
    found = _findings(scorer, sigma)
    assert list(found) == ["rendering.batch", "rendering.padding_side", "rendering.bos", "rendering.eos"]
    assert {one.severity for one in found.values()} == {"info"}
    assert found["rendering.padding_side"].limit == 1e-3
    assert "A second BOS would move the reward by" in found["rendering.bos"].summary
    assert all(one.p_value is None for one in found.values())


def test_a_template_without_its_ends(tiny: Any) -> None:
    template = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}"
    tokenizer = prepared(tiny.decoder_tokenizer(template=template, adds_bos=True), keep_template=True)
    found = _findings(FastScorer(RewardModel(tiny.llama()), ConversationEncoder(tokenizer)))
    assert (found["rendering.bos"].severity, found["rendering.bos"].estimate.value) == ("warning", 1.0)
    assert (found["rendering.eos"].severity, found["rendering.eos"].estimate.value) == ("warning", 1.0)
    assert "no end token" in found["rendering.eos"].summary


def _checks(*, is_coarse: bool = False, company: float = 0.0, sides: float = 0.0, bos: int = 1) -> RenderingChecks:
    marks = Marks(bos=np.array([bos, 1]), wants_bos=True, has_end=np.array([True, True]), wants_end=True)
    tokens = TokenChecks(np.array([0.0, sides]), np.array([1.0, -3.0]), np.array([np.nan, 1.0]), marks)
    return RenderingChecks(np.array([0.0, company]), is_coarse, tokens)


def test_by_hand() -> None:
    found = {one.name: one for one in rendering_findings(_checks(sides=-0.004, bos=2), sigma=2.0)}
    assert found["rendering.padding_side"].estimate.value == pytest.approx(0.002)
    assert found["rendering.padding_side"].severity == "warning"
    assert found["rendering.bos"].estimate.value == 0.5
    # mean(1, 3) / 2 and 1 / 2.
    assert "1 of 2 texts start with two BOS tokens" in found["rendering.bos"].summary
    assert "by 1.00 SD" in found["rendering.bos"].summary
    assert "by 0.50 SD" in found["rendering.eos"].summary


def test_half_precision_has_a_limit_of_its_own() -> None:
    coarse, fine = (
        rendering_findings(_checks(is_coarse=coarse, company=0.02), sigma=1.0)[0] for coarse in (True, False)
    )
    assert (coarse.severity, fine.severity) == ("info", "warning")


def test_nothing_can_be_said_without_a_spread() -> None:
    found = rendering_findings(_checks(company=1.0), sigma=0.0)
    assert {one.severity for one in found} == {"info"}
