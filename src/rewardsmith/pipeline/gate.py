"""From audits to a verdict, and to the card that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rewardsmith.core.store import require_replaceable
from rewardsmith.gate.store import CARD_KIND, KIND, load_evidence, load_policy, write_card, write_verdict
from rewardsmith.gate.verdict import Verdict, judge


def gate_model(folders: Sequence[Path], *, policy: str, out: Path | None = None, model: Path | None = None) -> Verdict:
    """Hold the findings of audits against a policy, and write the verdict to `out` where that is given.

    Args:
        folders: Audit, evaluation or benchmark artefacts of one model.
        policy: Name of a policy that comes with rewardsmith, or a YAML file.
        model: Checkpoint that is about to be used; its weights must be those that were audited.

    Raises:
        SettingsError: There is no such policy, or it has an unknown key or a bad value.
        ArtefactError: An artefact is none, has changed, or is about other weights; or `out` holds something else.
    """
    if out is not None:
        require_replaceable(out, KIND)
    evidence = load_evidence(folders, model=model)
    verdict = judge(evidence.findings, load_policy(policy))
    if out is not None:
        write_verdict(verdict, out, parents=evidence.parents)
    return verdict


def report_model(folders: Sequence[Path], *, policy: str, out: Path, model: Path | None = None) -> Verdict:
    """Write the report card to `out`: `card.html`, `README.md` (a model card) and `card.json`. As in `gate_model`."""
    require_replaceable(out, CARD_KIND)
    evidence = load_evidence(folders, model=model)
    verdict = judge(evidence.findings, load_policy(policy))
    write_card(verdict, evidence, out)
    return verdict
