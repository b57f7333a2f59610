"""bfloat16 copies of weights: what they give, and that the model is itself again afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rewardsmith.models.bfloat16_weights import Bfloat16Weights


def test_a_layer_runs_on_its_rounded_weights_and_is_itself_again():
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    shared = nn.Sequential(layer, layer)
    before, inputs = layer.weight, torch.randn(5, 3)
    weights = Bfloat16Weights([shared, layer])
    with weights.in_place(), torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        copy = layer.weight
        found = layer(inputs)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        wanted = layer(inputs)
    assert copy.dtype == torch.bfloat16
    assert torch.equal(found, wanted)
    assert layer.weight is before
    with weights.in_place():
        assert layer.weight is copy


def test_it_is_itself_again_after_an_error():
    layer = nn.Linear(3, 2)
    before = layer.weight
    with pytest.raises(RuntimeError), Bfloat16Weights([layer]).in_place():
        raise RuntimeError
    assert layer.weight is before


def test_changed_weights_are_copied_again_after_forgetting():
    layer = nn.Linear(3, 2)
    weights = Bfloat16Weights([layer])
    with weights.in_place():
        pass
    with torch.no_grad():
        layer.weight.fill_(2.0)
    weights.forget()
    with weights.in_place():
        assert layer.weight.unique().tolist() == [2.0]
