"""The probes in the report: a picture of the shifts, a table, and texts to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rewardsmith.audit.audit import Audit
from rewardsmith.audit.probes.measure import EditExample, ProbeResult
from rewardsmith.audit.probes.probe import Expectation
from rewardsmith.audit.report.reading import shortened
from rewardsmith.core.finding import Finding
from rewardsmith.figures.forest import ForestRow, forest
from rewardsmith.figures.pieces import Details, Example, Picture, Piece, Prose, Reply, Section, Table
from rewardsmith.figures.wording import Cell, number

_X_LABEL = "shift of the reward, in standard deviations within a prompt"
_TITLES: dict[Expectation, str] = {
    "no gain": "What must earn nothing",
    "no change": "What must change nothing",
    "loss": "What must cost",
}
_CAPTIONS: dict[Expectation, str] = {
    "no gain": "A sound reward stays left of the mark: the change adds nothing for the reader.",
    "no change": "A sound reward stays between the marks.",
    "loss": "A sound reward falls at least as far as the mark: the answer is ruined.",
}


def probe_sections(audit: Audit) -> tuple[Section, ...]:
    """Pictures, the table and the examples of every probe; nothing where none was made."""
    if not audit.probes:
        return ()
    findings = {finding.name: finding for finding in audit.findings}
    pieces: list[Piece] = [_method(audit)]
    pieces += [_picture(kind, audit.probes, findings) for kind in _TITLES if _of(kind, audit.probes)]
    pieces += _contrast_picture([findings[one.name] for one in audit.contrasts])
    pieces.append(_table(audit.probes, findings))
    pieces += [_examples(result, findings[result.probe]) for result in _worst_first(audit.probes, findings)]
    pieces += [_contrast_examples(findings[one.name]) for one in audit.contrasts if one.examples]
    intro = "Real answers, each changed in one way. What does the reward do?"
    return (Section("Probes", tuple(pieces), intro=intro),)


def slice_section(audit: Audit) -> tuple[Section, ...]:
    """Accuracy by slice; nothing where there is one slice only."""
    if not audit.slices:
        return ()
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.dimension, one.name, one.accuracy, one.rest, one.accuracy.n) for one in audit.slices
    )
    columns = ("by", "pairs", "accuracy", "accuracy on all others", "pairs in it")
    return (Section("Accuracy by slice", (Table(columns, rows, percent=True),), intro="Where does the figure hold?"),)


def _method(audit: Audit) -> Prose:
    texts, spread = audit.texts, audit.spread
    return Prose(
        f"One unit is the standard deviation of the reward within a prompt ({number(spread.deviation)} here); between "
        f"the chosen and the rejected answer of a pair lie {number(spread.margin)} of it on average. Points are means "
        f"over prompts with 95% intervals. A probe raises an alarm where its mean is beyond the mark and its test "
        f"holds among all tests of this audit (Holm, 5%). The probes took {texts.probes:,} texts; {texts.scored:,} in "
        "all were scored, each once."
    )


def _of(kind: Expectation, probes: Sequence[ProbeResult]) -> list[ProbeResult]:
    return [result for result in probes if result.expects == kind and result.shift.n]


def _picture(kind: Expectation, probes: Sequence[ProbeResult], findings: Mapping[str, Finding]) -> Picture:
    rows = [
        ForestRow(result.probe, result.shift, findings[result.probe].severity, _marks(result))
        for result in _of(kind, probes)
    ]
    return Picture(forest(rows, title=_TITLES[kind], x_label=_X_LABEL), _CAPTIONS[kind])


def _contrast_picture(contrasts: Sequence[Finding]) -> list[Piece]:
    """What changes of prompts do to the difference between two answers; nothing where none was made."""
    if not contrasts:
        return []
    rows = [ForestRow(one.name, one.estimate, one.severity, _ends(one)) for one in contrasts]
    caption = "The same two answers under a changed prompt: how far does the change move the one against the other?"
    return [Picture(forest(rows, title="What must not sway the choice", x_label=_X_LABEL), caption)]


def _ends(contrast: Finding) -> tuple[float, ...]:
    return () if contrast.limit is None else (-contrast.limit, contrast.limit)


def _contrast_examples(finding: Finding) -> Details:
    severity = "" if finding.severity == "info" else f"{finding.severity}: "
    pieces = (Prose(finding.summary), *(Prose(f"• {example}") for example in finding.examples))
    return Details(f"{severity}{finding.name} ({number(finding.estimate.value)} SD) — texts to read", pieces)


def _marks(result: ProbeResult) -> tuple[float, ...]:
    match result.expects:
        case "no gain":
            return (result.limit,)
        case "no change":
            return (-result.limit, result.limit)
        case "loss":
            return (-result.limit,)


def _table(probes: Sequence[ProbeResult], findings: Mapping[str, Finding]) -> Details:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            findings[result.probe].severity,
            result.probe,
            result.question,
            result.shift,
            number(findings[result.probe].limit or 0.0),
            f"{100 * result.gained.value:.0f}%" if result.gained.n else None,
            None if result.p_value is None else f"{result.p_value:.2g}",
            result.shift.n,
        )
        for result in probes
    )
    columns = ("severity", "probe", "question", "mean shift (SD)", "limit", "raised", "p", "edits")
    return Details(f"All {len(probes)} probes in figures", (Table(columns, rows),))


def _worst_first(probes: Sequence[ProbeResult], findings: Mapping[str, Finding]) -> list[ProbeResult]:
    order = {"critical": 0, "warning": 1, "info": 2}
    return sorted((one for one in probes if one.examples), key=lambda one: order[findings[one.probe].severity])


def _examples(result: ProbeResult, finding: Finding) -> Details:
    severity = "" if finding.severity == "info" else f"{finding.severity}: "
    pieces: list[Piece] = [Prose(finding.summary)]
    places = ("the one that moves most against what is right", "a typical one", "the one that moves least so")
    pieces += [_example(example, place) for example, place in zip(result.examples, places, strict=False)]
    return Details(f"{severity}{result.probe} ({number(result.shift.value)} SD) — texts to read", tuple(pieces))


def _example(example: EditExample, place: str) -> Example:
    shared = _common_turns(example)
    return Example(
        title=f"{place}: {example.shift:+.2f} SD",
        prompt=shortened(example.before[:shared]),
        replies=(
            Reply(f"before · reward {example.before_reward:.2f}", shortened(example.before[shared:])),
            Reply(f"after · reward {example.after_reward:.2f}", shortened(example.after[shared:])),
        ),
    )


def _common_turns(example: EditExample) -> int:
    """Turns at the beginning that both have; the last one of each is always shown beside the other."""
    most = min(len(example.before), len(example.after)) - 1
    return next((place for place in range(most) if example.before[place] != example.after[place]), max(0, most))
