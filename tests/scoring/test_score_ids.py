"""Token ids as they are: the scores of the conversations that they are the ids of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serve.families import CONVERSATIONS, build_families

from rewardsmith.core.errors import DataError, OverlengthError
from rewardsmith.core.scores import TokenScorer
from rewardsmith.scoring.load import load_scorer

OF_TOKENS = ("encoder", "decoder", "adapters", "attributes")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_families(tmp_path_factory.mktemp("families"), (*OF_TOKENS, "ensemble"))


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("family", OF_TOKENS)
def test_ids_have_the_scores_of_their_conversations(folders: dict[str, Path], family: str, engine: Any) -> None:
    scorer: Any = load_scorer(folders[family], device="cpu", engine=engine)
    encoder = load_scorer(folders[family], device="cpu").encoder  # type: ignore[attr-defined]
    if (family, engine) == ("adapters", "reference"):
        # Its reference scorer is an ensemble, which has no ids in common.
        assert not isinstance(scorer, TokenScorer)
        return
    assert isinstance(scorer, TokenScorer)
    wanted = scorer.score(CONVERSATIONS)

    found = scorer.score_ids(encoder.encode(CONVERSATIONS))

    np.testing.assert_allclose(found.rewards, wanted.rewards, atol=1e-6, rtol=0)
    assert found.provenance == wanted.provenance
    assert found.attributes.keys() == wanted.attributes.keys()
    assert len(scorer.score_ids([])) == 0


def test_ids_and_conversations_are_remembered_together(folders: dict[str, Path]) -> None:
    scorer: Any = load_scorer(folders["decoder"], device="cpu")
    scorer.score(CONVERSATIONS)
    computed = scorer.statistics.computed
    scorer.score_ids(scorer.encoder.encode(CONVERSATIONS))
    assert scorer.statistics.computed == computed


@pytest.mark.parametrize("family", OF_TOKENS)
def test_ids_that_the_model_has_not_are_refused(folders: dict[str, Path], family: str) -> None:
    scorer: Any = load_scorer(folders[family], device="cpu")
    for ids in ([], [5, -1], [5, 261]):
        with pytest.raises(DataError):
            scorer.score_ids([np.array([5], np.int32), np.array(ids, np.int32)])
    assert np.isfinite(scorer.score_ids([np.array([5, 260], np.int32)]).rewards).all()


def test_the_limit_holds_for_ids(folders: dict[str, Path]) -> None:
    ids = np.full(300, 7, np.int32)
    with pytest.raises(OverlengthError, match="300 tokens"):
        load_scorer(folders["decoder"]).score_ids([ids])  # type: ignore[attr-defined]
    cutting: Any = load_scorer(folders["decoder"], overlength="truncate")
    np.testing.assert_allclose(cutting.score_ids([ids]).rewards, cutting.score_ids([ids[:200]]).rewards, atol=1e-6)
    assert cutting.n_truncated == 1


def test_ensembles_take_no_ids(folders: dict[str, Path]) -> None:
    assert not isinstance(load_scorer(folders["ensemble"], device="cpu"), TokenScorer)


def test_texts_are_tokenised_as_they_are(folders: dict[str, Path]) -> None:
    encoder = load_scorer(folders["decoder"], device="cpu").encoder  # type: ignore[attr-defined]
    rendered = [encoder.render(each) for each in CONVERSATIONS]
    for one, other in zip(encoder.tokenise(rendered), encoder.encode(CONVERSATIONS), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [len(ids) for ids in encoder.tokenise(["abc", "<s>abc", ""])] == [3, 4, 0]
