"""Settings of ensembles."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rewardsmith.core.settings import Settings
from rewardsmith.numerics.combination import Rule


class EnsembleSettings(Settings):
    """Several models in the place of one: their rewards are combined by a rule, or their weights averaged."""

    members: int = Field(default=5, ge=2)
    """How many. Five is what the literature settles on (2310.02743); training and scoring cost that many times more."""

    by: Literal["seed", "bootstrap", "adapters"] = "seed"
    """What members differ by: the seed of head and order; `bootstrap`: that and a bootstrap of the prompt groups;
    `adapters`: the seed again, but each trains LoRA adapters in the last quarter of the blocks alone (or in
    `model.lora_blocks`), so that all are scored at less than twice the cost of one."""

    rule: Rule = "mean"
    """How rewards are combined, standardised before: `mean`; `worst`, the smallest; `penalised`, mean − weight ·
    variance over members (2310.02743)."""

    weight: float = Field(default=0.5, ge=0)
    """λ of `penalised`, in standard deviations of the reward within a prompt."""

    reference: int = Field(default=512, ge=2)
    """Preferences of the training side on which members are standardised, drawn from it where it has more."""

    average: Literal["none", "weights"] = "none"
    """`weights` averages the members into one ordinary model at one model's cost (WARM, 2401.12187). They then start
    from the same head (`training.seed`) and differ by the order of the data, and by the bootstrap where that is
    chosen; `rule`, `weight` and `reference` are not used."""
