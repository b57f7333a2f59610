"""Raters: who votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rewardsmith.annotate.votes import Origin

Role = Literal["rater", "adjudicator", "owner"]


@dataclass(frozen=True, slots=True)
class Rater:
    """Somebody, or some model, that votes in one project.

    Attributes:
        id: Made by the store.
        name: What pages and reports call them; empty after a legal deletion.
        role: A rater votes; an adjudicator decides disputes too; an owner sees and changes everything.
        origin: A human or an LLM judge.
        project: Name of the project that they belong to.
    """

    id: str
    name: str
    role: Role = "rater"
    origin: Origin = "human"
    project: str = ""
