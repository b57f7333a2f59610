from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.export_tools import KINDS, VOCABULARY, batch, expected, reward_model

from rewardsmith.models import head
from rewardsmith.models.export.graph import RewardGraph


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_gives_the_models_rewards(kind: str):
    model = reward_model(kind)
    padded = batch([23, 7, 1, 40, 40])
    wanted = expected(model, padded)

    with torch.inference_mode():
        found = RewardGraph(model)(torch.from_numpy(padded.input_ids), torch.from_numpy(padded.attention_mask))

    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)
    assert np.ptp(wanted) > 0.01


@given(under=st.integers(0, VOCABULARY - 1), further=st.integers(0, 9))
@settings(max_examples=12, deadline=None)
def test_what_stands_under_the_padding_is_not_read(under: int, further: int):
    graph = RewardGraph(reward_model("llama"))
    padded = batch([11, 5])
    ids, mask = torch.from_numpy(padded.input_ids), torch.from_numpy(padded.attention_mask)

    with torch.inference_mode():
        plain = graph(ids, mask)
        filled = torch.where(mask.bool(), ids, under)
        wider = torch.nn.functional.pad(filled, (0, further), value=under)
        found = graph(wider, torch.nn.functional.pad(mask, (0, further)))

    torch.testing.assert_close(found, plain, atol=1e-5, rtol=0)


def test_the_model_is_left_as_it_was():
    model = reward_model("bert")
    padded = batch([9, 3])
    before = expected(model, padded)

    RewardGraph(model).head.weight.data.zero_()

    np.testing.assert_array_equal(expected(model, padded), before)
    assert isinstance(head.output_layer(model.network), torch.nn.Linear)
