"""Settings of the loss."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rewardsmith.core.settings import Settings


class LossSettings(Settings):
    """Which loss the rewards are fitted with. The default is plain Bradley–Terry."""

    kind: Literal["bradley_terry", "hinge", "rao_kupper", "davidson", "plackett_luce"] = "bradley_terry"
    """`rao_kupper` and `davidson` give ties a probability; `plackett_luce` needs a full ranking of each prompt."""

    margin: float = Field(default=0.5, ge=0)
    """`hinge`: the difference of rewards that is enough, above 0. `bradley_terry`: where `margin_final` is given, what
    is taken off each difference of rewards at the start (Llama 2's −log σ(Δ − m)); without it the plain loss."""

    margin_final: float | None = Field(default=None, ge=0)
    """The margin moves from `margin` to this in a straight line over training. Where absent, `hinge` has a constant
    margin and `bradley_terry` none. Held-out figures are those of the final margin throughout."""

    use_pair_margin: bool = False
    """Ask more of pairs that the data call clearer: the pair's margin, times the scale, is added to the distance.
    Not with `plackett_luce`, which has no pairs."""

    pair_margin_scale: float = Field(default=1.0, gt=0)
    """Rewards for one unit of the data's margin."""

    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of labels that is believed to be swapped. At 0.5 labels would say nothing. Not with `plackett_luce`."""

    centring: float = Field(default=0.0, ge=0)
    """Coefficient of (r⁺ + r⁻)², which keeps rewards around 0; 0.01 is usual. Off by default: it is no likelihood."""

    readout_l2: float = Field(default=0.0, ge=0)
    """Coefficient of the squared norm of the readout's weight."""

    length_decorrelation: float = Field(default=0.0, ge=0)
    """Coefficient, in nats, of the squared correlation of Δreward with Δlength (tokens) given the label, over all pairs
    of an optimiser step. Off by default: it costs a second pass forward, and some length is worth its reward. 0.1 to 1
    is a range to try, with a `training.batch_size` of 16 or more: few pairs correlate by chance."""

    tie_theta: float = Field(default=2.0, gt=1)
    """`rao_kupper` only: θ; rewards nearer than log θ are hard to tell apart. At 2, equal rewards tie in a third."""

    tie_nu: float = Field(default=1.0, gt=0)
    """`davidson` only: ν; at 1, equal rewards tie in a third of the judgements."""

    @model_validator(mode="after")
    def _rankings_have_no_pairs(self) -> LossSettings:
        if self.kind == "plackett_luce" and (self.use_pair_margin or self.label_smoothing):
            raise ValueError("plackett_luce takes neither use_pair_margin nor label_smoothing")
        return self

    @model_validator(mode="after")
    def _margins_have_an_effect(self) -> LossSettings:
        if self.margin_final is not None and self.kind not in ("hinge", "bradley_terry"):
            raise ValueError(f"{self.kind} takes no margin_final; hinge and bradley_terry do")
        if self.kind == "hinge" and (self.margin == 0 or self.margin_final == 0):
            raise ValueError("hinge with a margin of 0 asks for nothing once all rewards are equal")
        return self
