"""The mean of weights as one ordinary model."""

from __future__ import annotations

import pytest
import torch

from rewardsmith.core.errors import ModelError
from rewardsmith.models import checkpoint
from rewardsmith.models.averaging import average, average_states
from rewardsmith.models.load import load_checkpoint
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.text.load import prepared


@pytest.fixture
def saved(tiny, tmp_path):
    """`saved(seed, **options)` → folder of a tiny decoder with a head."""

    def save(seed: int, *, base: str = "one", **changes: int):
        torch.manual_seed(seed)
        folder = tmp_path / f"{seed}-{base}-{'-'.join(changes)}"
        model = RewardModel(tiny.llama(**changes))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        checkpoint.save(model, prepared(tiny.decoder_tokenizer()), folder, base=base)
        return folder

    return save


def test_the_mean_by_hand():
    states = [
        {"w": torch.tensor([1.0, 4.0]), "n": torch.tensor([3])},
        {"w": torch.tensor([2.0, -4.0]), "n": torch.tensor([3])},
    ]
    mean = average_states(states)
    assert torch.equal(mean["w"], torch.tensor([1.5, 0.0]))
    assert torch.equal(mean["n"], torch.tensor([3]))
    assert torch.equal(states[0]["w"], torch.tensor([1.0, 4.0]))


def test_many_small_numbers_are_not_lost_beside_a_large_one():
    # In bfloat16 256 + 1 is 256; the sum is kept in float64.
    states = [{"w": torch.tensor([256.0], dtype=torch.bfloat16)}, *({"w": torch.ones(1, dtype=torch.bfloat16)},) * 255]
    mean = average_states(states)["w"]
    assert mean.dtype == torch.bfloat16
    assert mean.item() == pytest.approx(511 / 256, rel=1e-2)


def test_the_average_is_a_checkpoint_with_the_mean_of_each_weight(saved, tmp_path):
    folders = [saved(1), saved(2), saved(3)]
    members = [load_checkpoint(folder) for folder in folders]

    model = average(iter(members))

    states = [member.model.state_dict() for member in members]
    for name, value in model.state_dict().items():
        assert torch.allclose(value, torch.stack([state[name] for state in states]).mean(dim=0), atol=1e-6), name
    checkpoint.save(model, members[0].tokenizer, tmp_path / "average", base="one")
    loaded = load_checkpoint(tmp_path / "average")
    assert loaded.card.portable
    ids = torch.tensor([[1, 30, 40, 50, 2]])
    assert torch.allclose(loaded.model(ids, torch.ones_like(ids)), model(ids, torch.ones_like(ids)), atol=1e-6)


def test_equal_models_average_to_themselves(saved):
    members = [load_checkpoint(saved(1))] * 4
    mean = average(members).state_dict()
    assert all(torch.allclose(mean[name], value, atol=1e-7) for name, value in members[0].model.state_dict().items())


def test_models_of_other_bases_or_shapes_are_refused(saved):
    with pytest.raises(ModelError, match=r"did not start from one.*wanted base one; got two.*combine their rewards"):
        average([load_checkpoint(saved(1)), load_checkpoint(saved(1, base="two"))])
    with pytest.raises(ModelError, match=r"different shapes"):
        average([load_checkpoint(saved(1)), load_checkpoint(saved(1, intermediate_size=56))])
    with pytest.raises(ModelError, match="no models to average"):
        average_states([])
    with pytest.raises(ModelError, match="different weights"):
        average_states([{"a": torch.ones(1)}, {"b": torch.ones(1)}])
    with pytest.raises(ModelError, match="different tables"):
        average_states([{"a": torch.tensor([1])}, {"a": torch.tensor([2])}])
