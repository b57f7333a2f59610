"""Fixtures of the judge's tests: endpoints, and a tiny language model that takes whole questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.scoring.families.judge.endpoint import Endpoint, endpoint, fair
from transformers import LlamaForCausalLM

from rewardsmith.models.causal_lm import CausalLm, load_causal_lm


@pytest.fixture
def served() -> Iterator[Endpoint]:
    """An endpoint whose judge is fair."""
    with endpoint(fair) as running:
        yield running


@pytest.fixture(scope="session")
def tiny_lm_folder(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved two-layer language model of 4,096 positions, one token a byte."""
    folder = tmp_path_factory.mktemp("judge") / "lm"
    torch.manual_seed(0)
    LlamaForCausalLM(tiny.llama_config(max_position_embeddings=4096)).save_pretrained(folder)
    tokenizer = tiny.decoder_tokenizer()
    tokenizer.model_max_length = 4096
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_lm(tiny_lm_folder: Path) -> CausalLm:
    """The same, loaded."""
    return load_causal_lm(tiny_lm_folder)
