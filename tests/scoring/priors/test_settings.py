"""Which keys go together."""

from __future__ import annotations

import pytest

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.settings import parse_settings
from rewardsmith.scoring.priors.settings import PriorSettings


def parsed(**term: object) -> PriorSettings:
    return parse_settings(PriorSettings, {"terms": [term]}, where="recipe")


@pytest.mark.parametrize(
    "term",
    [
        {"kind": "length", "weight": -1, "shape": "log", "unit": "tokens", "scale": 30},
        {"kind": "length", "shape": "distance", "target": 200},
        {"kind": "log_probability", "model": "builtin:smollm2-135m-instruct", "overlength": "truncate"},
        {"kind": "rubric", "checks": ["brief"]},
        {"kind": "reward_model", "model": "runs/other", "carry": False},
        {"kind": "callable", "function": "own.priors:vowels"},
    ],
)
def test_what_is_meant_is_accepted(term: dict[str, object]) -> None:
    settings = parsed(**term)
    again = PriorSettings.model_validate(settings.model_dump(mode="json"))
    assert again == settings


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ({"kind": "length", "function": "a:b"}, "function is set, which is for callable"),
        ({"kind": "rubric", "shape": "log"}, "shape is set, which is for length"),
        ({"kind": "length", "shape": "distance"}, "needs it"),
        ({"kind": "length", "target": 3}, "target belongs to the shape distance"),
        ({"kind": "log_probability"}, "log_probability needs model"),
        ({"kind": "callable"}, "callable needs function"),
        ({"kind": "callable", "function": "own.vowels"}, "package.module:function"),
        ({"kind": "callable", "function": "own.py:f;g"}, "package.module:function"),
        ({"kind": "rubric", "checks": []}, "at least one check"),
        ({"kind": "rubric", "checks": ["truth"]}, "finished"),
        ({"kind": "length", "weight": float("nan")}, "finite"),
        ({"kind": "length", "scale": 0}, "greater than 0"),
        ({"kind": "vibes"}, "log_probability"),
        ({"kind": "length", "weigth": 2}, "did you mean 'weight'"),
    ],
)
def test_what_cannot_be_meant_is_refused(term: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parsed(**term)


def test_a_prior_has_terms() -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        parse_settings(PriorSettings, {"terms": []}, where="recipe")
