"""Settings of the prior of a residual reward."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from rewardsmith.core.settings import Settings
from rewardsmith.numerics.length_shape import LengthShape
from rewardsmith.scoring.limits import Overlength

RubricCheck = Literal["finished", "fresh", "direct", "brief", "subject"]

_BELONGS_TO = {
    "shape": ("length",),
    "unit": ("length",),
    "scale": ("length",),
    "target": ("length",),
    "checks": ("rubric",),
    "function": ("callable",),
    "model": ("log_probability", "reward_model"),
    "carry": ("log_probability", "reward_model"),
    "max_tokens": ("log_probability",),
    "overlength": ("log_probability", "reward_model"),
}
_NEEDS = {"log_probability": "model", "reward_model": "model", "callable": "function"}


class PriorTerm(Settings):
    """One function of a response, and how much it counts."""

    kind: Literal["length", "log_probability", "rubric", "reward_model", "callable"]
    """`length` of the response; `log_probability` per token of the response under a language model; `rubric`, a mean of
    simple checks; another `reward_model`'s reward; a `callable` of your own."""

    weight: float = Field(default=1.0, allow_inf_nan=False)
    """The term's value times this is added to the reward. A negative weight makes a penalty of it."""

    shape: LengthShape = "linear"
    """`length`: `linear` n/scale, `log` log(1 + n/scale), `saturating` 1 − exp(−n/scale), or `distance`
    −|n − target|/scale."""

    unit: Literal["characters", "tokens"] = "characters"
    """`length`: what n counts in the last assistant turn. Tokens are those of the reward model, without the
    template's."""

    scale: float = Field(default=100.0, gt=0, allow_inf_nan=False)
    """`length`: the length, in the unit, that counts as one."""

    target: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """`length` with the shape `distance`: the best length, in the unit."""

    model: str | None = None
    """`log_probability`: a causal language model (folder, built-in model, hub id); `reward_model`: any scorer."""

    carry: bool = True
    """Copy the folder of `model` into the checkpoint, so that it can be moved. Where false, and for folders that are
    no single model, the checkpoint names the folder by its path."""

    max_tokens: int | None = Field(default=None, ge=2)
    """`log_probability`: longest conversation, in tokens; what the model takes where absent."""

    overlength: Overlength = "raise"
    """Conversations that the prior's model has no room for: `truncate` cuts the prompt from the left, and says how
    often. The same in training and in scoring."""

    checks: tuple[RubricCheck, ...] = ("finished", "fresh", "direct")
    """`rubric`: what is checked, each in [0, 1]; the value is their mean. `finished`: the last sentence ends. `fresh`:
    no repeated phrases. `direct`: no empty politeness. `brief`: at most 40 words, down to 0 at 80. `subject`: the
    prompt's words return."""

    function: str | None = None
    """`callable`: `package.module:function`. It takes a list of conversations, each a list of `{"role", "content"}`,
    and returns one finite number each. It is imported, so it must be installed where the model is trained and used."""

    @field_validator("function")
    @classmethod
    def _names_a_function(cls, value: str | None) -> str | None:
        parts = [] if value is None else value.split(":")
        if value is not None and not (len(parts) == 2 and all(part.isidentifier() for part in _names(parts))):
            raise ValueError("write package.module:function")
        return value

    @model_validator(mode="after")
    def _keys_suit_the_kind(self) -> PriorTerm:
        for key, kinds in _BELONGS_TO.items():
            if self.kind not in kinds and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} is set, which is for {' or '.join(kinds)} and not for {self.kind}")
        needed = _NEEDS.get(self.kind)
        if needed is not None and getattr(self, needed) is None:
            raise ValueError(f"{self.kind} needs {needed}")
        if (self.target is not None) != (self.kind == "length" and self.shape == "distance"):
            raise ValueError("target belongs to the shape distance, which needs it")
        if self.kind == "rubric" and not self.checks:
            raise ValueError("a rubric needs at least one check")
        return self


class PriorSettings(Settings):
    """The prior p of a residual reward r = scale·p + f (arXiv 2507.00611): only f, and the scale where it is learned,
    see the labels."""

    terms: tuple[PriorTerm, ...] = Field(min_length=1)
    """What p is the weighted sum of."""

    scale: Literal["fixed", "learned"] = "fixed"
    """`fixed` takes p as it is. `learned` multiplies it by one number that starts at 1 and is trained along with f; it
    may reach 0, or turn the prior around."""

    scale_learning_rate: float = Field(default=0.01, gt=0)
    """`learned`: peak step size of the scale, on the schedule of the others. AdamW moves a number by about this much a
    step; a network's rate would leave it where it starts."""


def _names(parts: list[str]) -> list[str]:
    return [*parts[0].split("."), parts[1]]
