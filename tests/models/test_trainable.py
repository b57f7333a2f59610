"""Which weights are trained, by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.adapted import save_base

from rewardsmith.core.errors import SettingsError
from rewardsmith.models.load import build
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.trainable import blocks, count_parameters


@pytest.fixture(scope="module", params=["decoder", "encoder"])
def base(request: pytest.FixtureRequest, tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.save_base(tmp_path_factory.mktemp(request.param), request.param)


def trained(model: RewardModel) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def test_all(base: str) -> None:
    model = build(ModelSettings(base=base), seed=0)
    n_trained, n_all = count_parameters(model)
    assert n_trained == n_all == sum(parameter.numel() for parameter in model.parameters())


def test_head(base: str) -> None:
    names = trained(build(ModelSettings(base=base, trainable="head"), seed=0))
    assert names in (["network.score.weight"], ["network.classifier.weight", "network.classifier.bias"])


def test_last_blocks(base: str) -> None:
    model = build(ModelSettings(base=base, trainable="last_blocks", blocks=1), seed=0)
    assert len(blocks(model)) == 2
    names = trained(model)
    assert all(".0." not in name and "embed" not in name for name in names)
    assert any(".1." in name for name in names)
    assert {"network.model.norm.weight"} <= set(names) or {"network.bert.pooler.dense.weight"} <= set(names)


def test_more_blocks_than_there_are(base: str) -> None:
    with pytest.raises(SettingsError, match="at most 2"):
        build(ModelSettings(base=base, trainable="last_blocks", blocks=3), seed=0)


@pytest.mark.parametrize(("mode", "share"), [("all", 1.0), ("head", 0.0), ("lora", 0.0)])
def test_layers_that_share_their_weights_are_trained_together(tiny: Any, tmp_path: Path, mode: Any, share: float):
    model = build(ModelSettings(base=tiny.save_base(tmp_path, "shared"), trainable=mode), seed=0)
    inner = [p for name, p in model.named_parameters() if "albert_layer" in name and "lora" not in name]
    assert len(inner) == 16
    assert sum(parameter.requires_grad for parameter in inner) == share * len(inner)


def test_the_last_of_layers_that_share_their_weights_cannot_be_trained_alone(tiny: Any, tmp_path: Path):
    base = tiny.save_base(tmp_path, "shared")
    with pytest.raises(SettingsError, match=r"share their weights.*wanted trainable: all, head or lora; got 3 layers"):
        build(ModelSettings(base=base, trainable="last_blocks", blocks=1), seed=0)


def test_lora_trains_adapters_and_head(base: str) -> None:
    model = build(ModelSettings(base=base, trainable="lora", lora_rank=2), seed=0)
    names = trained(model)
    assert all("lora_" in name or ".modules_to_save." in name for name in names)
    assert any("lora_A" in name for name in names)
    assert any("score" in name or "classifier" in name for name in names)
    assert not any("lora" in name and ("score" in name or "classifier" in name) for name in names)


def test_lora_starts_where_the_base_is(base: str) -> None:
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        plain = build(ModelSettings(base=base), seed=3)(ids, torch.ones_like(ids))
        adapted = build(ModelSettings(base=base, trainable="lora"), seed=3)(ids, torch.ones_like(ids))
    assert torch.allclose(plain, adapted, atol=1e-6)


def test_unknown_lora_targets(base: str) -> None:
    with pytest.raises(SettingsError, match="lora_targets"):
        build(ModelSettings(base=base, trainable="lora", lora_targets=("nowhere",)), seed=0)


def test_weights_without_influence_are_not_trained(tiny: Any, tmp_path: Path) -> None:
    base = tiny.save_base(tmp_path, "encoder")
    names = trained(build(ModelSettings(base=base, pooling="mean"), seed=0))
    assert not any("pooler" in name for name in names)
    assert "network.classifier.weight" in names
    names = trained(build(ModelSettings(base=base, head="mlp"), seed=0))
    assert not any("classifier" in name for name in names)
    assert "mlp.output.weight" in names


@pytest.mark.parametrize(("wanted", "first"), [("last_quarter", 3), (1, 3), (3, 1), (4, 0)])
@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_adapters_in_the_last_blocks_only(tiny: Any, tmp_path: Path, kind: str, wanted: Any, first: int) -> None:
    """Of four blocks a quarter is one. The head is trained in full as ever, the pooler has no adapter."""
    base = save_base(tiny, tmp_path, kind)
    names = trained(build(ModelSettings(base=base, trainable="lora", lora_rank=2, lora_blocks=wanted), seed=0))
    lora = [name for name in names if "lora_" in name]
    found = {int(match.group(1)) for name in lora if (match := re.search(r"\.layers?\.(\d+)\.", name))}
    assert found == set(range(first, 4))
    assert all(re.search(r"\.layers?\.\d+\.", name) for name in lora)
    # Two matrices for each linear layer of a block: seven in a Llama, six in a BERT.
    assert len(lora) == 2 * (4 - first) * (7 if kind == "decoder" else 6)
    assert any("modules_to_save" in name and name.endswith("weight") for name in names)


def test_few_blocks_have_a_last_quarter_of_one(base: str) -> None:
    names = trained(build(ModelSettings(base=base, trainable="lora", lora_blocks="last_quarter"), seed=0))
    assert {match.group(1) for name in names if (match := re.search(r"\.layers?\.(\d+)\.", name))} == {"1"}


def test_adapters_in_named_layers_of_the_last_blocks(tiny: Any, tmp_path: Path) -> None:
    base = save_base(tiny, tmp_path, "decoder")
    settings = ModelSettings(base=base, trainable="lora", lora_blocks=2, lora_targets=("q_proj",))
    lora = [name for name in trained(build(settings, seed=0)) if "lora_A" in name]
    assert [re.sub(r".*layers\.", "", name) for name in lora] == [
        f"{number}.self_attn.q_proj.lora_A.default.weight" for number in (2, 3)
    ]


def test_more_adapter_blocks_than_there_are(base: str) -> None:
    with pytest.raises(SettingsError, match=r"model.lora_blocks.*at most 2.*3"):
        build(ModelSettings(base=base, trainable="lora", lora_blocks=3), seed=0)


def test_shared_blocks_have_no_last_quarter(tiny: Any, tmp_path: Path) -> None:
    base = tiny.save_base(tmp_path, "shared")
    with pytest.raises(SettingsError, match=r"model.lora_blocks.*share their weights"):
        build(ModelSettings(base=base, trainable="lora", lora_blocks="last_quarter"), seed=0)
