"""Settings of a reward model that writes a rationale before it scores."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rewardsmith.core.settings import Settings
from rewardsmith.models.rationales import CLOSING, REQUEST, VERDICTS


class GenerativeSettings(Settings):
    """A rationale after the response, and the reward after the rationale: L = L_BT + alpha · L_gen."""

    alpha: float = Field(default=1.0, ge=0)
    """Weight of the next-token cross-entropy of the rationales. 0 trains on preferences alone."""

    max_tokens: int = Field(default=48, ge=0)
    """Longest rationale, in training and in scoring; a longer one is cut. 0: none, the reward is read at once."""

    score_from: Literal["head", "verdict"] = "head"
    """Where the reward is read after the rationale: a linear head, or the log-odds of the good verdict's token
    against the bad one's in the LM head."""

    rationales: Literal["rubric", "meta", "self"] = "rubric"
    """Whose rationales are trained on: `rubric`, sentences that the built-in rubric makes of each text (with the
    criteria in `meta.criteria`, where a row has them); `meta`, texts of the row; `self`, what the model that training
    starts from writes. Held-out figures always go by what the trained model writes itself."""

    field: str = "rationales"
    """`meta` only: the field of the row, a list with one text a response, in the row's order of responses."""

    request: str = Field(default=REQUEST, min_length=1)
    """What the user says after the response, so that the model judges it."""

    closing: str = CLOSING
    """What stands between rationale and verdict; begins with a newline, since a rationale is one line."""

    verdicts: tuple[str, str] = VERDICTS
    """The good and the bad verdict; their first tokens must differ."""
