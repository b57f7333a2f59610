"""bfloat16 copies of weights: what they give, and that the model is itself again afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rewardsmith.models.bfloat16_weights import Bfloat16Weights


class Projection(nn.Linear):
    """A layer of a class that may do more than multiply, as those of some architectures."""


@pytest.fixture(params=[nn.Linear, Projection], ids=["plain", "another class"])
def layer(request) -> nn.Linear:
    torch.manual_seed(0)
    return request.param(40, 24)


@torch.inference_mode()
@torch.autocast("cpu", torch.bfloat16)
def run(module: nn.Module, inputs: Tensor) -> Tensor:
    return module(inputs)


@pytest.mark.parametrize("rows", [(5,), (2, 7), (130,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_layer_gives_what_it_gives_under_autocast(layer, rows, dtype):
    inputs = torch.randn(*rows, 40, dtype=dtype)
    weights = Bfloat16Weights([nn.Sequential(layer, layer), layer])
    with weights.in_place():
        found = run(layer, inputs)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, run(layer, inputs), rtol=2**-8, atol=1e-3)


def test_a_layer_without_bias_does_too():
    layer, inputs = nn.Linear(40, 24, bias=False), torch.randn(5, 40)
    with Bfloat16Weights([layer]).in_place():
        found = run(layer, inputs)
    torch.testing.assert_close(found, run(layer, inputs), rtol=2**-8, atol=1e-3)


def test_a_matrix_that_two_layers_have_is_copied_once():
    one, other = nn.Linear(40, 24), nn.Linear(40, 24)
    other.weight = one.weight
    inputs = torch.randn(5, 40)
    weights = Bfloat16Weights([nn.Sequential(one, other)])
    with weights.in_place():
        found = [run(each, inputs) for each in (one, other)]
    for each, output in zip((one, other), found, strict=True):
        torch.testing.assert_close(output, run(each, inputs), rtol=2**-8, atol=1e-3)
    # One matrix, two biases.
    assert len(weights._copies) == 3


def test_what_another_library_put_in_the_place_of_forward_stays():
    layer, inputs = nn.Linear(40, 24), torch.randn(5, 40)
    layer.forward = lambda inputs: nn.Linear.forward(layer, inputs) + 1.0
    wanted = run(layer, inputs)
    with Bfloat16Weights([layer]).in_place():
        found = run(layer, inputs)
    torch.testing.assert_close(found, wanted, rtol=2**-8, atol=1e-2)
    assert torch.equal(run(layer, inputs), wanted)


def test_copies_are_made_once(layer):
    weights, inputs = Bfloat16Weights([layer]), torch.randn(5, 40)
    with weights.in_place():
        before = run(layer, inputs)
    with torch.no_grad():
        layer.weight.fill_(2.0)
    with weights.in_place():
        assert torch.equal(run(layer, inputs), before)
    weights.forget()
    with weights.in_place():
        found = run(layer, inputs)
    torch.testing.assert_close(found, run(layer, inputs), rtol=2**-8, atol=1e-3)


def test_a_layer_is_itself_again_after_an_error(layer):
    weight, forward, inputs = layer.weight, layer.forward, torch.randn(5, 40)
    before = layer(inputs)
    with pytest.raises(RuntimeError), Bfloat16Weights([layer]).in_place():
        raise RuntimeError
    assert layer.weight is weight
    assert layer.forward == forward
    assert torch.equal(layer(inputs), before)
