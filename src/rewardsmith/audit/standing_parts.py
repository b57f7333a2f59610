"""Parts of every audit that make no edits: how tokens are laid out, and personal data in the pairs."""

from __future__ import annotations

from collections.abc import Sequence

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.data.privacy import Exposure, find_personal_data, privacy_findings
from rewardsmith.audit.observations import observe, score_once
from rewardsmith.audit.part import Part
from rewardsmith.audit.probes.measure import measure_spread
from rewardsmith.audit.probes.rendering import check_rendering, rendering_findings
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer
from rewardsmith.figures.pieces import Piece, Prose, Section, Table


def rendering_part(scorer: Scorer, heldout: Sequence[Preference]) -> Part:
    """Padding, company, BOS and end token, on a few of the held-out conversations.

    All of them are scored, for the spread of the reward; a scorer that remembers does not compute them again.
    """
    rewards = score_once(scorer, heldout)
    sigma = measure_spread(observe(heldout, rewards)).deviation
    checks = check_rendering(scorer, list(rewards.by_conversation))
    findings = tuple(rendering_findings(checks, sigma=sigma))
    pieces: list[Piece] = [Table(("check", "what it says"), tuple((one.name, one.summary) for one in findings))]
    if isinstance(checks.tokens, Absent):
        pieces.append(Prose(f"No check of padding, BOS and end token: {checks.tokens.reason}."))
    section = Section("Rendering", tuple(pieces), intro="Does the reward hang on how the tokens are laid out?")
    return Part("rendering", findings, (section,), checks)


def privacy_part(preferences: Sequence[Preference], *, name: str) -> Part:
    """Personal data in pairs.

    Args:
        name: Which pairs they are, as the report says it: `training`.
    """
    exposures = find_personal_data(preferences)
    caption = f"{len(preferences):,} {name} preferences. Values are masked; the files are where they stand."
    columns = ("kind", "preferences that hold some", "distinct values", "examples")
    rows = tuple((one.kind, one.hit_rows, one.values, " · ".join(one.examples)) for one in exposures)
    intro = "What can be learnt by heart here, and should not be?"
    section = Section("Personal data", (Table(columns, rows, caption=caption),), intro=intro)
    data: tuple[Exposure, ...] = exposures
    return Part("privacy", tuple(privacy_findings(exposures)), (section,), data)
