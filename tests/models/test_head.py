"""Heads: found in each architecture, started from a seed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from transformers import RobertaConfig, RobertaForSequenceClassification

from rewardsmith.core.errors import ModelError
from rewardsmith.models.head import MlpHead, initialise, is_decoder, last_mlp_only_at, output_layer


def test_where_the_head_is(tiny: Any) -> None:
    llama, bert = tiny.llama(), tiny.bert()
    assert output_layer(llama) is llama.score
    assert output_layer(bert) is bert.classifier
    assert is_decoder(llama)
    assert not is_decoder(bert)


def test_the_last_layer_of_a_deeper_head(tiny: Any) -> None:
    config = RobertaConfig(**{**tiny.bert_config().to_dict(), "model_type": "roberta", "max_position_embeddings": 99})
    roberta = RobertaForSequenceClassification(config)
    assert output_layer(roberta) is roberta.classifier.out_proj


def test_two_outputs_are_refused(tiny: Any) -> None:
    with pytest.raises(ModelError, match="more than one output"):
        output_layer(tiny.llama(num_labels=2))


def test_a_model_without_a_head_is_refused(tiny: Any) -> None:
    with pytest.raises(ModelError, match="no reward head"):
        output_layer(tiny.llama().model)


def test_initialise_depends_on_the_seed_alone() -> None:
    layers = [nn.Linear(400, 1) for _ in range(3)]
    for layer, seed in zip(layers, (5, 5, 6), strict=True):
        torch.rand(1)
        initialise(layer, seed=seed)
    assert torch.equal(layers[0].weight, layers[1].weight)
    assert not torch.equal(layers[0].weight, layers[2].weight)
    # N(0, 1/401): the standard deviation is .0499, known from 400 draws to ± 4%.
    assert layers[0].weight.std().item() == pytest.approx(401**-0.5, rel=0.15)
    assert layers[0].bias.item() == 0


def test_mlp_head_by_hand() -> None:
    head = MlpHead(2, width=1)
    with torch.no_grad():
        head.hidden.weight.copy_(torch.tensor([[2.0, -1.0]]))
        head.hidden.bias.fill_(1.0)
    # 2·1 − 1·1 + 1 = 2; SiLU(2) = 2 / (1 + e⁻²) = 1.76159…
    assert head.features(torch.ones(1, 2)).item() == pytest.approx(1.761594, abs=1e-6)


@pytest.mark.parametrize("grad", [False, True])
def test_the_last_mlp_runs_only_where_it_is_read_unless_gradients_need_it(tiny: Any, grad: bool) -> None:
    network = tiny.llama()
    ids, places = torch.arange(5, 25).unsqueeze(0), torch.tensor([19, 3, 7])
    whole = network.model(input_ids=ids).last_hidden_state[0]
    seen: list[int] = []
    for layer in network.model.layers:
        layer.mlp.gate_proj.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].shape[1]))
    with torch.set_grad_enabled(grad), last_mlp_only_at(network, places):
        states = network.model(input_ids=ids).last_hidden_state[0]
    torch.testing.assert_close(states[places], whole[places])
    assert seen == [20, 20 if grad else 3]
    assert grad or not torch.allclose(states[0], whole[0])
    seen.clear()
    torch.testing.assert_close(network.model(input_ids=ids).last_hidden_state[0], whole)
    assert seen == [20, 20]
