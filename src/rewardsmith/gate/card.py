"""The release report card: may this model be used for that? One page for a meeting, the answer first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rewardsmith.audit.evaluation import to_json
from rewardsmith.audit.report.evaluation import flat_rows
from rewardsmith.core.conversation import assistant
from rewardsmith.core.finding import Estimate, Finding, Severity
from rewardsmith.figures import wording
from rewardsmith.figures.limits import Answer, LimitRow, limits
from rewardsmith.figures.page import render_page
from rewardsmith.figures.pieces import (
    Banner,
    Card,
    Cards,
    Details,
    Example,
    Picture,
    Piece,
    Prose,
    Reply,
    Section,
    Table,
    estimate_card,
)
from rewardsmith.figures.wording import Cell
from rewardsmith.gate.evidence import Evidence
from rewardsmith.gate.sample_size import SHARE
from rewardsmith.gate.verdict import Outcome, Reason, Status, Verdict, as_json, counted

_TONES: dict[Status, Any] = {"passed": "good", "failed": "bad", "not enough evidence": "unsure"}
_USES: dict[Status, str] = {
    "passed": "It may be used for this",
    "failed": "It must not be used for this",
    "not enough evidence": "Not to be used for this before it is shown",
}
_SEVERITIES: dict[Outcome, Severity] = {"failed": "critical", "missing": "warning", "too thin": "warning"}
_ANSWERS: dict[Outcome, Answer] = {"met": "met", "failed": "failed", "too thin": "cannot tell"}
_SIGNS: dict[Outcome, str] = {"failed": "✕ failed", "missing": "? missing", "too thin": "? too thin", "met": "✓ met"}
_SHIFT = "within-prompt SD"
_OWN = (SHARE, _SHIFT)
_PICTURES = (
    ((SHARE,), "Right how often", "share of the pairs"),
    ((_SHIFT,), "What a change of the answer does to its reward", "standard deviations of the reward within a prompt"),
    ((), "Other figures", "value"),
)
_WORDS = {
    "accuracy.heldout": "held-out accuracy",
    "length.matched": "accuracy where both answers are equally long",
    "length.against": "accuracy where the better answer goes against length",
    "shift.fresh": "accuracy on fresh answers",
}
_MOST_POINTS, _MOST_CARDS, _MOST_EXAMPLES = 8, 6, 6
_ARROW = " ⟶ "


def render_card(verdict: Verdict, evidence: Evidence) -> str:
    """The card as one HTML file with its pictures inside."""
    return render_page(
        f"Release report card: {evidence.name}", card_sections(verdict, evidence), facts=card_facts(verdict, evidence)
    )


def card_json(verdict: Verdict, evidence: Evidence) -> dict[str, Any]:
    """Everything that the card says, as JSON values."""
    return {"verdict": as_json(verdict), "evidence": to_json(evidence)}


def card_facts(verdict: Verdict, evidence: Evidence) -> dict[str, str]:
    """Short provenance for the head of the page."""
    return {
        "policy": verdict.policy.name,
        "model": evidence.model_digest[:12],
        "evidence": f"{len(evidence.findings)} findings of {', '.join(evidence.counts) or 'no artefact'}",
        "rewardsmith": evidence.versions.get("rewardsmith", "unknown"),
    }


def card_sections(verdict: Verdict, evidence: Evidence) -> tuple[Section, ...]:
    """The answer, what it stands on, what to read, and how to do it again."""
    return (
        _answer(verdict),
        *_pictures(verdict),
        _demands(verdict),
        *_examples(verdict),
        *_beyond(verdict, evidence),
        _origin(verdict, evidence),
    )


def _answer(verdict: Verdict) -> Section:
    policy = verdict.policy
    return Section(
        "Verdict",
        (
            Banner(
                tone=_TONES[verdict.status],
                word=verdict.status.upper(),
                text=f"{_USES[verdict.status]} ({policy.name}): {policy.purpose}",
                points=_points(verdict),
            ),
            Cards(tuple(_key_card(one) for one in _key_numbers(verdict))),
            Prose(f"Of the demands: {counted(verdict)}. Limits approved by: {policy.approved_by}."),
        ),
    )


def _points(verdict: Verdict) -> tuple[str, ...]:
    """Why not, worst first and one a finding, that with a number where there are several."""
    open_reasons = [reason for reason in verdict.reasons if reason.outcome in _SEVERITIES]
    if not open_reasons:
        return (f"Every demand is met: {counted(verdict)}.",)
    best = {reason.name: reason for reason in sorted(open_reasons, key=lambda reason: reason.rule.has_limit)}
    first = [best[name] for name in dict.fromkeys(reason.name for reason in open_reasons)]
    points = [f"{reason.name}: {reason.text} {reason.rule.reason}" for reason in first[:_MOST_POINTS]]
    more = len(first) - _MOST_POINTS
    return (*points, f"… and {more} more below.") if more > 0 else tuple(points)


@dataclass(frozen=True, slots=True)
class _Measured:
    """A value that was held against a limit."""

    reason: Reason
    finding: Finding
    judged: Estimate

    @property
    def percent(self) -> bool:
        return self.finding.unit == SHARE

    @property
    def is_accuracy(self) -> bool:
        return self.percent and self.reason.rule.at_least is not None

    @property
    def is_count(self) -> bool:
        """Something that must not be there at all, which a picture or a headline has no use for."""
        return self.reason.rule.end == "value" and self.reason.rule.at_most == 0

    @property
    def room(self) -> float:
        """Distance to the nearest limit, in that limit's direction: below 0 on the bad side."""
        rule, value = self.reason.rule, self.judged.value
        rooms = [math.inf if rule.at_least is None else value - rule.at_least]
        rooms.append(math.inf if rule.at_most is None else rule.at_most - value)
        return min(rooms)


def _measured(verdict: Verdict) -> list[_Measured]:
    """Every value that was held against a limit, worst first."""
    return [
        _Measured(reason, reason.finding, reason.judged)
        for reason in verdict.reasons
        if reason.finding is not None
        and reason.judged is not None
        and reason.rule.has_limit
        and reason.outcome in _ANSWERS
        and math.isfinite(reason.judged.value)
    ]


def _key_numbers(verdict: Verdict) -> list[_Measured]:
    """What a meeting asks for first: accuracies, then what is open, then the closest call among the shifts."""
    distinct = list({one.reason.name: one for one in reversed(_measured(verdict))}.values())[::-1]
    order = [name for rule in verdict.policy.rules for name in rule.names]

    def rank(one: _Measured) -> tuple[int, float]:
        if one.is_accuracy:
            return 0, order.index(one.reason.name) if one.reason.name in order else len(order)
        if one.reason.outcome in _SEVERITIES:
            return 1, one.room
        if one.finding.unit == _SHIFT:
            return 2, one.room
        return (4 if one.is_count else 3), 0.0

    return sorted(distinct, key=rank)[:_MOST_CARDS]


def _key_card(one: _Measured) -> Card:
    severity = _SEVERITIES.get(one.reason.outcome, "info")
    rule = one.reason.rule
    label = _WORDS.get(one.reason.name, one.reason.name)
    card = estimate_card(label, one.judged, percent=one.percent, severity=severity)
    asked = " and ".join(
        f"{word} {wording.number(limit, percent=one.percent)}"
        for word, limit in (("at least", rule.at_least), ("at most", rule.at_most))
        if limit is not None
    )
    unit = " SD" if one.finding.unit == _SHIFT else ""
    return Card(card.label, f"{card.value}{unit}", f"{card.detail} · asked: {asked}", severity)


def _pictures(verdict: Verdict) -> list[Section]:
    """Shares, shifts of the reward, and the rest, each in a picture of its own."""
    drawn = [one for one in _measured(verdict) if not one.is_count]
    pieces = []
    for units, title, x_label in _PICTURES:
        known = [one for one in drawn if (one.finding.unit in units if units else one.finding.unit not in _OWN)]
        if known:
            rows = [_limit_row(one) for one in known]
            pieces.append(Picture(limits(rows, title=title, x_label=x_label, percent=SHARE in units)))
    intro = (
        "A dot is what was measured, a line its 95% interval. Every dot, with its line, should lie in the green part."
    )
    return [Section("Findings against limits", tuple(pieces), intro=intro)] if pieces else []


def _limit_row(one: _Measured) -> LimitRow:
    rule = one.reason.rule
    name = f"size of {one.reason.name}" if rule.absolute else one.reason.name
    return LimitRow(name, one.judged, _ANSWERS[one.reason.outcome], rule.at_least, rule.at_most)


def _demands(verdict: Verdict) -> Section:
    open_ones = [reason for reason in verdict.reasons if reason.outcome in _SEVERITIES]
    met = verdict.of_outcome("met")
    unasked = verdict.of_outcome("not asked")
    pieces: list[Piece] = [_demand_table(open_ones)] if open_ones else [Prose("Every demand of the policy is met.")]
    if met:
        pieces.append(Details(f"{len(met)} demands that are met", (_demand_table(met),)))
    if unasked:
        names = ", ".join(reason.name for reason in unasked)
        pieces.append(Prose(f"Not required, and not measured (or on too few prompts): {names}."))
    return Section("Demands", tuple(pieces), intro="What the policy asks, what was found, and why it is asked.")


def _demand_table(reasons: Sequence[Reason]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (_SIGNS[reason.outcome], reason.name, reason.text, reason.rule.reason) for reason in reasons
    )
    return Table(("", "finding", "what was found", "why it is asked"), rows)


def _examples(verdict: Verdict) -> list[Section]:
    """Texts behind what failed; behind what is met where nothing failed."""
    shown = [reason.finding for reason in verdict.reasons if reason.finding is not None and reason.finding.examples]
    distinct = list({finding.name: finding for finding in shown}.values())[:_MOST_EXAMPLES]
    if not distinct:
        return []
    intro = "The figures say how often, only the texts say why. The reward of the second text minus that of the first."
    return [Section("Examples", tuple(_example(finding) for finding in distinct), intro=intro)]


def _example(finding: Finding) -> Piece:
    said, arrow, after = finding.examples[0].partition(_ARROW)
    if not arrow:
        return Prose(f"{finding.name}: {'; '.join(finding.examples)}")
    moved, _, before = said.partition(": ")
    replies = (Reply("before", (assistant(before),)), Reply(f"after · {moved}", (assistant(after),)))
    return Example(finding.name, (), replies, note=finding.summary)


def _beyond(verdict: Verdict, evidence: Evidence) -> list[Section]:
    """Warnings about which the policy does not ask."""
    judged = {reason.name for reason in verdict.reasons if reason.rule.has_limit or reason.outcome == "failed"}
    others = [one for one in evidence.findings if one.severity != "info" and one.name not in judged]
    if not others:
        return []
    rows: tuple[tuple[Cell, ...], ...] = tuple((one.severity, one.name, one.summary) for one in others)
    intro = "The audit warns of these too; the policy sets no limit for them."
    return [Section("Beyond the policy", (Table(("severity", "finding", "what it saw"), rows),), intro=intro)]


def _origin(verdict: Verdict, evidence: Evidence) -> Section:
    folders = " ".join(evidence.folders)
    facts: tuple[tuple[Cell, ...], ...] = (
        ("model", evidence.model_digest),
        ("base model", evidence.base or "not named"),
        *((f"made from: {name}", digest) for name, digest in evidence.parents.items() if name != "model"),
        ("seed of the resamples", "none" if evidence.seed is None else str(evidence.seed)),
        *evidence.versions.items(),
    )
    pieces: list[Piece] = [
        Prose(f"Run: rewardsmith gate {folders} --policy {verdict.policy.name}"),
        Prose(f"Run: rewardsmith report {folders} --policy {verdict.policy.name} --out FOLDER"),
        Details("Digests and versions", (Table(("what", "value"), facts),)),
    ]
    if evidence.recipe:
        pieces.append(Details("The recipe", (Table(("key", "value"), flat_rows(evidence.recipe)),)))
    if evidence.counts:
        pieces.append(Details("What was counted", (Table(("what", "value"), flat_rows(evidence.counts)),)))
    intro = "The same artefacts and the same policy give the same verdict; policy.yaml beside this file is the policy."
    return Section("Where this comes from", tuple(pieces), intro=intro)
