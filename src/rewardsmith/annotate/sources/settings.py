"""How tasks are made of a source."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rewardsmith.core.settings import Settings
from rewardsmith.text.steps import Splitting


class AddSettings(Settings):
    """Settings of `rewardsmith annotate add`."""

    origin: Literal["auto", "preferences", "samples", "traffic"] = "auto"
    """What the file holds; `auto` looks at it. `preferences` are files of any layout that training reads."""

    reading: dict[str, Any] = Field(default_factory=dict)
    """Further keys of a source of preferences (`layout`, `rating`, `split`, `subset`, `name`)."""

    gold: bool = False
    """The labels of the source are right: its tasks test raters. Rows without a clear label are left out."""

    pairs_a_prompt: int = Field(default=1, ge=1)
    """Pairs that are made of a prompt with more than two responses, drawn by lot."""

    most_responses: int = Field(default=5, ge=2)
    """Most responses that a rater has to rank at once; drawn by the digest of their texts."""

    splitting: Splitting = "lines"
    """Where a solution without steps is cut into them: at each line break (`lines`) or at blank lines
    (`paragraphs`)."""

    limit: int | None = Field(default=None, ge=1)
    """Most tasks; drawn by the digest of what they ask, so that the choice is stable."""
