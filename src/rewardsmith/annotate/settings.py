"""What a labelling project asks, and of how many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from rewardsmith.annotate.answers import TaskKind
from rewardsmith.core.settings import Settings

Question = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_ -]{0,39}$")]
"""Name of an axis or an attribute."""


class ProjectSettings(Settings):
    """One labelling project. All but the guidelines stay as they were when it was made."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    """Short name that stands in addresses: small letters, digits, `-`."""

    title: str = ""
    """What pages call it; the name where empty."""

    kind: TaskKind
    """What every task asks: the better of a `pair`, a `ranking` of several, `attributes` of one, or the `first_error`
    among the steps of a solution."""

    axes: tuple[Question, ...] = ()
    """For pairs: one vote on each of these, for example helpful, truthful, harmless."""

    overall: bool = True
    """For pairs: one vote on the whole, beside the axes."""

    attributes: Mapping[Question, tuple[int, int]] = Field(default_factory=dict)
    """For attributes: name and scale, lowest and highest value."""

    overlap: int = Field(default=1, ge=1)
    """How many people vote on a task. Judges' votes, repeats and gold tasks are not counted into it."""

    gold_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of the offers that are tasks with a known answer, as a test of the rater; every rater gets them, whatever
    the overlap. With 0 a task with a known answer is one like any other."""

    repeat_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of the offers that repeat, unsaid, an earlier task of the same rater."""

    lease_seconds: int = Field(default=1800, ge=1)
    """How long an offered task is kept for its rater; then others may get it."""

    rationale: Literal["off", "optional", "required"] = "optional"
    """Whether a vote may or must say why."""

    guidelines: str = ""
    """What raters are told, Markdown; the first version."""

    seed: int = 0
    """Seed of sides, gold and repeats."""

    @model_validator(mode="after")
    def _require_consistency(self) -> Self:
        if self.kind != "pair" and (self.axes or not self.overall):
            raise ValueError("axes and overall are for projects of kind pair")
        if not self.overall and not self.axes:
            raise ValueError("axes, where there is no overall vote")
        if len(set(self.axes)) != len(self.axes) or "overall" in self.axes:
            raise ValueError("axes that differ from each other, none of them named overall")
        if (self.kind == "attributes") != bool(self.attributes):
            raise ValueError("attributes for projects of kind attributes, and for no others")
        for name, (low, high) in self.attributes.items():
            if low >= high:
                raise ValueError(f"a scale for {name} whose lowest value is below its highest")
        if self.gold_share + self.repeat_share >= 1:
            raise ValueError("gold_share and repeat_share that leave room for other tasks")
        return self
