"""Held-out prompts that training prompts nearly repeat: a split by exact text lets them through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.data.leakage import normalise
from rewardsmith.core.errors import shorten
from rewardsmith.core.finding import Finding, Severity
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.intervals import wilson
from rewardsmith.preferences.near_duplicates import build_index, search
from rewardsmith.preferences.shingles import prompt_text

SIMILARITY = 0.8
SHARE_LIMIT = 0.01
_BATCH = 1024
_MAX_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class NearLeakage:
    """Near duplicates between the held-out prompts and those of training.

    Attributes:
        preferences: Held-out preferences looked at.
        repeated: How many have a prompt that is not equal to a training prompt, after normalisation, but shares at
            least 80% of its word 3-grams with one (Jaccard).
        examples: A few pairs of prompts, held out and training.
    """

    preferences: int
    repeated: int
    examples: tuple[tuple[str, str], ...]


def find_near_leakage(heldout: Sequence[Preference], train: Sequence[Preference]) -> NearLeakage:
    """Compare every held-out prompt with every training prompt; no pair is missed."""
    trained = list(dict.fromkeys(prompt_text(preference.prompt) for preference in train))
    asked = [prompt_text(preference.prompt) for preference in heldout]
    index = build_index(lambda: _batches(trained), SIMILARITY)
    exact = {normalise(preference.prompt) for preference in train}
    found = [
        (asked[place], trained[other])
        for place, other, _ in search(index, _batches(asked), indexed_text=trained.__getitem__)
        if normalise(heldout[place].prompt) not in exact
    ]
    return NearLeakage(len(heldout), len(found), tuple(found[:_MAX_EXAMPLES]))


def near_leakage_findings(leakage: NearLeakage | Absent) -> list[Finding]:
    """`leakage.near_prompts`, where there was training data to compare with."""
    if isinstance(leakage, Absent):
        return []
    share = wilson(leakage.repeated, leakage.preferences)
    measured = f"{leakage.repeated} of {leakage.preferences} held-out prompts nearly repeat a training prompt"
    severity: Severity = "warning" if share.value > SHARE_LIMIT else "info"
    advice = ": the accuracy is partly one on prompts that were trained on." if severity == "warning" else "."
    return [
        Finding(
            "leakage.near_prompts",
            share,
            severity,
            f"{measured}{advice}",
            limit=SHARE_LIMIT,
            examples=tuple(f"{shorten(one)} ≈ {shorten(other)}" for one, other in leakage.examples),
            unit="share",
        )
    ]


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), _BATCH):
        yield texts[start : start + _BATCH]
