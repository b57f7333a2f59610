"""Settings of the loss: bounds and combinations."""

from __future__ import annotations

import pytest

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.settings import parse_settings
from rewardsmith.losses.settings import LossSettings


def test_the_default_is_plain_bradley_terry():
    settings = LossSettings()
    assert settings.kind == "bradley_terry"
    assert not settings.use_pair_margin
    assert settings.label_smoothing == settings.centring == settings.readout_l2 == settings.length_decorrelation == 0
    assert settings.margin_final is None


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "bradly_terry"},
        {"kind": "hinge", "margin": 0},
        {"kind": "hinge", "margin_final": 0},
        {"margin": -0.1},
        {"margin_final": -1},
        {"kind": "davidson", "margin_final": 1.0},
        {"kind": "plackett_luce", "margin_final": 1.0},
        {"length_decorrelation": -0.1},
        {"label_smoothing": 0.5},
        {"centring": -0.01},
        {"tie_theta": 1.0},
        {"tie_nu": 0.0},
        {"kind": "plackett_luce", "label_smoothing": 0.1},
        {"kind": "plackett_luce", "use_pair_margin": True},
    ],
)
def test_bad_values_are_refused(values: dict[str, object]):
    with pytest.raises(SettingsError):
        parse_settings(LossSettings, values, where="recipe.yaml")


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(SettingsError, match="centring"):
        parse_settings(LossSettings, {"centering": 0.01}, where="recipe.yaml")


def test_every_field_is_described():
    assert all(field.description for field in LossSettings.model_fields.values())
