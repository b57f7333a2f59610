"""A scorer under another rule is the scorer that would have been loaded with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serve.families import CONVERSATIONS, FAMILIES, build_families

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import OverlengthError
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.overlength import with_overlength

LONG = (user("long " * 100), assistant("yes"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_families(tmp_path_factory.mktemp("families"))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_other_rule_holds_and_the_first_one_still_does(folders: dict[str, Path], family: str) -> None:
    scorer: Any = load_scorer(folders[family], device="cpu")
    wanted = load_scorer(folders[family], device="cpu", overlength="truncate").score([*CONVERSATIONS, LONG])

    cutting = with_overlength(scorer, "truncate")

    np.testing.assert_allclose(cutting.score([*CONVERSATIONS, LONG]).rewards, wanted.rewards, atol=1e-5, rtol=0)
    assert cutting.n_truncated == 1
    assert scorer.n_truncated == 0
    with pytest.raises(OverlengthError):
        scorer.score([LONG])
    with pytest.raises(OverlengthError):
        with_overlength(cutting, "raise").score([LONG])
