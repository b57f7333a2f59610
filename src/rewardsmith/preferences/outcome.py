"""What can become of a row: kept for training or evaluation, or put somewhere else with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from rewardsmith.core.preference import Preference


class Reason(StrEnum):
    """Why a row is not used for training. Each value is the name that manifests and cards print."""

    UNREADABLE = "unreadable"
    """The line is not a JSON object, or the row lacks what its layout needs."""
    WRONG_TYPE = "wrong-type"
    """A field has another type than the layout says."""
    WRONG_ROLES = "wrong-roles"
    """Unknown role, roles that do not alternate, or a response that is not the assistant's."""
    DIFFERENT_PROMPTS = "different-prompts"
    """The two sides do not answer the same prompt."""
    EMPTY_SIDE = "empty-side"
    """A response (or the whole prompt of a pair that has nothing else) is empty."""
    IDENTICAL = "identical-responses"
    """All responses are the same text, so there is nothing to prefer."""
    TIE = "tie"
    """Raters called the sides equal, and ties were not asked for."""
    ABSTENTION = "abstention"
    """Nobody expressed a preference."""
    TOO_FEW_RESPONSES = "too-few-responses"
    """Fewer than two responses of this prompt carry a label or a rating."""
    NO_COMPARISON = "no-comparison"
    """The responses' ranks or ratings are too close to form a pair."""
    UNPAIRED = "unpaired"
    """A single completion with a yes/no label: no second response of the same prompt and other label."""
    STEPWISE = "stepwise"
    """Step labels: data for a process reward model, not a preference."""
    TEMPLATE_INPUT = "needs-template-input"
    """The row or one of its messages has tools, or arguments for the chat template, which are not rendered."""
    EXACT_DUPLICATE = "exact-duplicate"
    """The same prompt, responses and label stood in an earlier row."""
    CONTRADICTION = "contradicting-duplicate"
    """The same prompt and responses stand elsewhere with the opposite label; neither row is used."""
    TOO_LONG = "too-long"
    """More tokens than the model takes."""
    TRUNCATED_EQUAL = "truncated-to-equal"
    """Truncation would have to cut a response, which could make the sides equal."""
    INCOMPLETE_SENTENCE = "incomplete-sentence"
    """A response stops in the middle of a sentence (optional filter)."""
    OBVIOUSLY_BAD = "obviously-bad"
    """A response is mostly repetition or not text (optional filter)."""
    DISPUTED = "disputed"
    """The raters' agreement is below the threshold."""
    NEAR_HELDOUT = "near-heldout-prompt"
    """A training prompt that nearly repeats a held-out one."""
    SUBSAMPLED = "subsampled"
    """Left out by balancing, by topic diversity or by a limit (optional)."""


Destination = Literal["rejected", "review", "set_aside"]


def destination(reason: Reason) -> Destination:
    """Where a row with this reason is written.

    `rejected`: it cannot serve as it is. `review`: a person should decide. `set_aside`: sound, but must not be used.
    """
    match reason:
        case Reason.DISPUTED | Reason.CONTRADICTION:
            return "review"
        case Reason.NEAR_HELDOUT | Reason.SUBSAMPLED | Reason.EXACT_DUPLICATE | Reason.STEPWISE | Reason.TEMPLATE_INPUT:
            return "set_aside"
        case _:
            return "rejected"


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stood in its source. `values` is `None` where the line could not be parsed.

    Attributes:
        values: Columns.
        file: File name, or hub id and split.
        line: 1-based line (or row) number.
        problem: Why `values` is `None`.
    """

    values: dict[str, Any] | None
    file: str
    line: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row became no preference."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A row and what its layout's reader made of it. A prompt's ratings stand in several rows: `row` is the first."""

    row: RawRow
    outcome: Preference | Rejection
