"""Settings of multi-attribute heads."""

from __future__ import annotations

from pydantic import Field, model_validator

from rewardsmith.core.settings import Settings


class AttributeSettings(Settings):
    """A linear head an attribute, by ridge regression on the features of a model that stays as it is."""

    names: tuple[str, ...] = ()
    """Attributes to learn, `-` before those of which lower is better; every attribute of the data where empty."""

    features_from: str | None = None
    """Folder of a trained reward model that the heads read; where absent, the untrained base of `model`."""

    weights: dict[str, float] = Field(default={})
    """Attribute → its weight in the default reward; 1 for each where empty. They can be changed at score time."""

    l2: float | None = Field(default=None, gt=0)
    """λ of Σ (y − w·x − b)² + λ‖w‖², features with variance 1; chosen from `l2_grid` where absent."""

    l2_grid: tuple[float, ...] = Field(default=(10.0, 100.0, 1000.0, 10000.0, 100000.0), min_length=1)
    """Values of λ among which cross-validation chooses, for each attribute by itself."""

    folds: int = Field(default=5, ge=2)
    """Parts of that cross-validation; a prompt group is never divided."""

    @model_validator(mode="after")
    def _positive(self) -> AttributeSettings:
        if any(value <= 0 for value in self.l2_grid):
            raise ValueError("l2_grid holds a value that is not above 0")
        return self
