"""An exported model behind the server: what its process makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.scores import TokenScorer
from rewardsmith.models.load import load_checkpoint
from rewardsmith.pipeline.export_write import write_exported
from rewardsmith.scoring.load import load_scorer
from rewardsmith.serve.answering import Answering
from rewardsmith.serve.work import Answer, Ask
from rewardsmith.serve.worker import LoadOptions, load


def test_an_exported_model_is_served_with_its_sources_rewards(tiny_reward_model: Path, tmp_path: Path):
    write_exported(load_checkpoint(tiny_reward_model), tmp_path, "torchscript")
    source = load_scorer(tiny_reward_model)
    assert isinstance(source, TokenScorer)
    conversation, long = (user("Which?"), assistant("This.")), (user("x" * 300), assistant("yes"))

    scorer, card = load(str(tmp_path), LoadOptions())

    assert card.family == "exported"
    assert card.can == {"texts", "ids"}
    assert (card.max_tokens, card.precision, card.is_relative, card.shares_prompts) == (200, "float32", False, False)
    found, text, refused, cut = Answering(scorer).answers(
        [
            Ask(conversations=(conversation,)),
            Ask(texts=(source.encoder.render(conversation),)),
            Ask(conversations=(long,)),
            Ask(conversations=(long,), truncate=True),
        ]
    )
    assert isinstance(found, Answer)
    assert isinstance(text, Answer)
    assert isinstance(cut, Answer)
    wanted = source.score([conversation]).rewards
    np.testing.assert_allclose(found.scores.rewards, wanted, atol=1e-5)
    np.testing.assert_allclose(text.scores.rewards, wanted, atol=1e-5)
    assert not isinstance(refused, Answer)
    assert refused.http_status == 413
    assert (cut.n_truncated, cut.n_tokens) == (1, (200,))
