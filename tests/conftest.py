"""Fixtures that every test package shares."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jaxtyping import install_import_hook
from tests.browser import launched

# Shapes and dtypes of formulas and losses are checked at run time. An int is a float, as for pyright.
install_import_hook(
    ["rewardsmith.losses", "rewardsmith.numerics"],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)

# Two torch threads a worker, beside another worker, are far slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test may reach a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real preference data beside the project, where there is one."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real preference data are not beside this checkout (../shared/data)")
    return folder


# The synchronous Playwright runs an event loop in the tests' own thread: it must not outlive the module.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def tiny() -> Any:
    """`tests/models/tiny.py`: small real models and tokenizers."""
    return importlib.import_module("tests.models.tiny")


@pytest.fixture(scope="session")
def tiny_reward_model(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved two-layer decoder with a reward head."""
    from rewardsmith.models import checkpoint
    from rewardsmith.models.reward_model import RewardModel
    from rewardsmith.text.load import prepared

    folder = tmp_path_factory.mktemp("tiny") / "reward-model"
    checkpoint.save(RewardModel(tiny.llama()), prepared(tiny.decoder_tokenizer()), folder, max_tokens=200)
    return folder
