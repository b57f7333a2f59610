"""A rating: one prompt, one response, and a number for each attribute that it was judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rewardsmith.core.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Rating:
    """What raters said of one response, in the scale of its source.

    Attributes:
        prompt: Turns up to the response.
        response: One or more turns, the assistant's.
        ratings: A number an attribute; an attribute that was not judged is not in it.
        id: Unique within a source.
        group: Prompt group. Ratings of one group never stand on both sides of a split.
        source: Name of the data set; scales differ by it.
    """

    prompt: Conversation
    response: Conversation
    ratings: Mapping[str, float]
    id: str
    group: str
    source: str

    @property
    def conversation(self) -> Conversation:
        """Prompt and response."""
        return self.prompt + self.response
