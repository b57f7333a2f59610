"""Model settings."""

from __future__ import annotations

import pytest

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.settings import parse_settings
from rewardsmith.models.settings import ModelSettings


@pytest.mark.parametrize(
    "values",
    [
        {"pooling": "max"},
        {"mlp_width": 8},
        {"lora_rank": 0},
        {"dropout": 1.0},
        {"trainable": "none"},
        {"blocks": 0},
        {"lora_blocks": 1},
        {"lora_blocks": 0, "trainable": "lora"},
        {"lora_blocks": "half", "trainable": "lora"},
    ],
)
def test_bad_values_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        parse_settings(ModelSettings, values, where="test")


def test_targets_from_yaml_lists() -> None:
    assert ModelSettings.model_validate({"lora_targets": ["q_proj"]}).lora_targets == ("q_proj",)
