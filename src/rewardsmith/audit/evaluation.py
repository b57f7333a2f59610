"""An evaluation: everything that was measured of one scorer on one set of held-out preferences."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.certainty.calibration import Calibration
from rewardsmith.audit.certainty.disagreement import Disagreement
from rewardsmith.audit.data.conflict import Conflict
from rewardsmith.audit.data.label_curve import LabelCurve
from rewardsmith.audit.data.leakage import Leakage
from rewardsmith.audit.heldout.accuracy import Accuracy, FloorComparison, MarginHistogram
from rewardsmith.audit.heldout.examples import Examples
from rewardsmith.audit.heldout.gap import Gap
from rewardsmith.audit.heldout.health import Health
from rewardsmith.audit.heldout.lengths import Lengths
from rewardsmith.audit.heldout.sources import SourceAccuracy
from rewardsmith.audit.heldout.training_curves import TrainingCurves
from rewardsmith.core.conversation import Message
from rewardsmith.core.finding import Finding
from rewardsmith.core.scores import Provenance


@dataclass(frozen=True, slots=True)
class Counts:
    """What was evaluated.

    Attributes:
        preferences: Held-out preferences.
        pairs: Pairs between their responses.
        judged: Pairs that the raters decided and whose two rewards are finite.
        groups: Prompt groups; intervals resample these.
        conversations: Distinct conversations of the held-out preferences, each scored once.
        train_preferences: Training preferences that were given; absent where none were.
        scored: Distinct conversations that were scored: the held-out ones and those of the training sample.
        truncated: How many of these were cut to fit the model, and so judged on less than the raters saw; absent
            where the scorer does not count them.
    """

    preferences: int
    pairs: int
    judged: int
    groups: int
    conversations: int
    train_preferences: int | None
    scored: int
    truncated: int | None


@dataclass(frozen=True, slots=True)
class PairScore:
    """One held-out pair as `scores.jsonl` lists it.

    Attributes:
        id: Id of the preference.
        source: Its source.
        chosen: Index of the response that the raters preferred.
        rejected: Index of the other.
        chosen_reward: Raw reward of the one.
        rejected_reward: Raw reward of the other.
        margin: Their difference.
        tie: The raters called the two equal.
        correct: Credit: 1, ½ (equal rewards) or 0; NaN where the pair could not be judged.
    """

    id: str
    source: str
    chosen: int
    rejected: int
    chosen_reward: float
    rejected_reward: float
    margin: float
    tie: bool
    correct: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a first audit measured. A part that could not be measured holds the reason instead.

    Attributes:
        findings: Worst first.
    """

    provenance: Provenance
    seed: int
    counts: Counts
    health: Health
    accuracy: Accuracy
    floors: tuple[FloorComparison, ...]
    sources: tuple[SourceAccuracy, ...]
    conflict: Conflict | Absent
    lengths: Lengths
    margins: MarginHistogram
    calibration: Calibration | Absent
    disagreement: Disagreement | Absent
    gap: Gap | Absent
    leakage: Leakage | Absent
    training: TrainingCurves | Absent
    label_curve: LabelCurve | Absent
    examples: Examples
    pairs: tuple[PairScore, ...]
    findings: tuple[Finding, ...]


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON values, without the list of pairs. NaN and infinities become `null`."""
    return {
        field.name: to_json(getattr(evaluation, field.name))
        for field in dataclasses.fields(evaluation)
        if field.name != "pairs"
    }


def to_json(value: Any) -> Any:
    """Dataclasses, messages, numpy numbers and arrays, and tuples as JSON values; NaN and infinities become `null`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    match value:
        case Message():
            return {"role": value.role, "content": value.content}
        case dict():
            return {str(key): to_json(item) for key, item in value.items()}
        case list() | tuple():
            return [to_json(item) for item in value]
        case np.generic():
            return to_json(value.item())
        case np.ndarray():
            return to_json(value.tolist())
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
