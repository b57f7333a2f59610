"""Audit a scorer: what it is worth on held-out pairs, and what it does when answers change in ways that should not,
or should, matter. All findings are one family of tests."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.data.near_leakage import NearLeakage, find_near_leakage, near_leakage_findings
from rewardsmith.audit.evaluate import evaluate_rewards, require_pairs, worst_first
from rewardsmith.audit.evaluation import Evaluation, to_json
from rewardsmith.audit.evaluation import as_json as evaluation_json
from rewardsmith.audit.family import settle
from rewardsmith.audit.heldout.gap import sample_preferences
from rewardsmith.audit.heldout.slices import Slice, measure_slices, slice_findings
from rewardsmith.audit.observations import distinct_conversations, observe, score_conversations
from rewardsmith.audit.part import Part
from rewardsmith.audit.probes.catalogue import CONTRASTS, PROBES
from rewardsmith.audit.probes.contrast import (
    Contrast,
    ContrastProbe,
    contrast_finding,
    contrast_texts,
    make_contrasts,
)
from rewardsmith.audit.probes.finding import probe_finding
from rewardsmith.audit.probes.items import items
from rewardsmith.audit.probes.measure import (
    FEWEST_GROUPS,
    ProbeResult,
    Spread,
    judge_probes,
    make_edits,
    measure_spread,
    within_budget,
)
from rewardsmith.audit.probes.probe import Edit, Probe
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.finding import Finding
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer

BUDGET = 6000
"""Texts that the probes may ask to be scored beside the held-out ones."""

MOST_EDITS = 200
"""Of one probe: with a noise of one standard deviation the mean shift is then known to ±0.2."""

_MOST_ITEMS = 2000
_MOST_TRAIN = 500


@dataclass(frozen=True, slots=True)
class Texts:
    """What was scored, each distinct text once.

    Attributes:
        budget: Texts that the probes were allowed.
        probes: Texts that they took beside the held-out ones; those of contrasts, a few hundred, are not among them.
        scored: All texts, those of the held-out pairs and of the training sample included.
        seconds: Time that scoring took.
    """

    budget: int
    probes: int
    scored: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that was looked at.

    Attributes:
        evaluation: Accuracy, floors, length, calibration, …; its findings are those of the whole audit.
        near_leakage: Near duplicates of held-out prompts in the training data.
        slices: Accuracy by turns, length, script and agreement of the raters.
        spread: What the shifts are measured with.
        probes: In the order of the catalogue.
        texts: What was scored.
        parts: Whatever else was asked for.
        contrasts: What changes of prompts do, before they are settled with the other tests.
    """

    evaluation: Evaluation
    near_leakage: NearLeakage | Absent
    slices: tuple[Slice, ...]
    spread: Spread
    probes: tuple[ProbeResult, ...]
    texts: Texts
    parts: tuple[Part, ...]
    contrasts: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the whole audit, worst first; severities hold among all of its tests."""
        return self.evaluation.findings


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an audit asks, of whatever scorer.

    Attributes:
        heldout: Held-out preferences.
        train: Training preferences, where they are known.
        train_sample: Those that the gap is measured on.
        needed: Texts of the held-out pairs and of the training sample.
        probes: Which changes are made.
        edits: The edits of each probe.
        near_leakage: Near duplicates of held-out prompts in the training data.
        contrasts: The contrasts of each probe that changes prompts; their texts are few, and no part of the budget.
        budget: Texts that the probes were allowed.
        seed: Of every draw and resample.
    """

    heldout: list[Preference]
    train: list[Preference] | None
    train_sample: list[Preference]
    needed: list[Conversation]
    probes: tuple[Probe, ...]
    edits: Mapping[str, Sequence[Edit]]
    near_leakage: NearLeakage | Absent
    contrasts: tuple[tuple[ContrastProbe, list[Contrast]], ...]
    budget: int
    seed: int


def run_audit(
    scorer: Scorer,
    heldout: Sequence[Preference],
    *,
    train: Sequence[Preference] | None = None,
    probes: Sequence[Probe] = PROBES,
    contrasts: Sequence[ContrastProbe] = CONTRASTS,
    budget: int = BUDGET,
    parts: Sequence[Part] = (),
    seed: int = 0,
) -> Audit:
    """Audit `scorer` on `heldout`. Each distinct text is scored once, all of them in one call.

    Args:
        scorer: Anything that gives one reward a conversation.
        heldout: Preferences that the scorer was not trained on; the probes change their answers.
        train: What it was trained on; without it the gap and the leakage checks are absent.
        probes: Which changes are made to answers.
        contrasts: Which changes are made to prompts.
        budget: Texts that the probes may ask to be scored beside the held-out ones; every probe gets the same number
            of edits, at most 200.
        parts: Further parts, such as a pressure curve; their tests count in the family.
        seed: Of every draw and resample.

    Raises:
        DataError: There is no held-out pair.
        SettingsError: The budget does not give each probe 20 edits.
        ModelError: The scorer does not return one reward a conversation.
    """
    return judge(
        scorer, prepare(heldout, train=train, probes=probes, contrasts=contrasts, budget=budget, seed=seed), parts=parts
    )


def prepare(
    heldout: Sequence[Preference],
    *,
    train: Sequence[Preference] | None = None,
    probes: Sequence[Probe] = PROBES,
    contrasts: Sequence[ContrastProbe] = CONTRASTS,
    budget: int = BUDGET,
    seed: int = 0,
) -> Prepared:
    """Everything of `run_audit` that comes before the scorer; for many scorers it need be done once only."""
    heldout, train = list(heldout), None if train is None else list(train)
    require_pairs(heldout)
    train_sample = sample_preferences(train or (), min(len(heldout), _MOST_TRAIN), seed=seed)
    needed = distinct_conversations([*heldout, *train_sample])
    return Prepared(
        heldout=heldout,
        train=train,
        train_sample=train_sample,
        needed=needed,
        probes=tuple(probes),
        edits=_edits(probes, heldout, budget=budget, known=needed, seed=seed),
        near_leakage=find_near_leakage(heldout, train) if train else Absent("No training data was given."),
        contrasts=tuple((probe, make_contrasts(probe, seed=seed)) for probe in contrasts),
        budget=budget,
        seed=seed,
    )


def judge(scorer: Scorer, prepared: Prepared, *, parts: Sequence[Part] = ()) -> Audit:
    """The rest of `run_audit`: score, measure and judge."""
    heldout, seed = prepared.heldout, prepared.seed
    asked = [text for some in prepared.edits.values() for edit in some for text in (edit.before, edit.after)]
    contrasted = [text for _, some in prepared.contrasts for text in contrast_texts(some)]
    started = time.perf_counter()
    rewards = score_conversations(scorer, [*prepared.needed, *asked, *contrasted])
    seconds = time.perf_counter() - started
    evaluation = evaluate_rewards(
        rewards,
        heldout,
        train=prepared.train,
        train_sample=prepared.train_sample,
        training=Absent("An audit looks at the scorer, not at its training."),
        label_curve=Absent("An audit looks at the scorer; `rewardsmith evaluate` draws this curve."),
        seed=seed,
    )
    rows = observe(heldout, rewards)
    spread = measure_spread(rows)
    probe_texts = len(set(asked).difference(prepared.needed))
    audit = Audit(
        evaluation=evaluation,
        near_leakage=prepared.near_leakage,
        slices=measure_slices(heldout, rows, seed=seed),
        spread=spread,
        probes=judge_probes(prepared.probes, prepared.edits, rewards, spread, seed=seed),
        contrasts=tuple(
            contrast_finding(probe, rewards.by_conversation, some, sigma=spread.deviation)
            for probe, some in prepared.contrasts
        ),
        texts=Texts(prepared.budget, probe_texts, len(rewards.by_conversation), seconds),
        parts=tuple(parts),
    )
    return dataclasses.replace(audit, evaluation=dataclasses.replace(evaluation, findings=collect_findings(audit)))


def collect_findings(audit: Audit) -> tuple[Finding, ...]:
    """Every finding of every part, settled as one family, worst first."""
    found = [
        *(_explained(finding) for finding in audit.evaluation.findings),
        *near_leakage_findings(audit.near_leakage),
        *slice_findings(audit.slices),
        *(probe_finding(result) for result in audit.probes),
        *audit.contrasts,
        *(finding for part in audit.parts for finding in part.findings),
    ]
    return worst_first(settle(found))


def _explained(finding: Finding) -> Finding:
    """A high accuracy is a reason to look for leaks and markers. An audit has looked, so what it found speaks."""
    return dataclasses.replace(finding, severity="info") if finding.name == "accuracy.suspicious" else finding


def as_json(audit: Audit) -> dict[str, Any]:
    """The audit as JSON values; the findings of the whole audit stand once, on top."""
    evaluation = evaluation_json(audit.evaluation)
    return {
        "findings": evaluation.pop("findings"),
        "probes": to_json(audit.probes),
        "slices": to_json(audit.slices),
        "spread": to_json(audit.spread),
        "texts": to_json(audit.texts),
        "near_leakage": to_json(audit.near_leakage),
        **{part.name: to_json(part.data) for part in audit.parts},
        "evaluation": evaluation,
    }


def _edits(
    probes: Sequence[Probe], heldout: Sequence[Preference], *, budget: int, known: list[Conversation], seed: int
) -> dict[str, list[Edit]]:
    made = make_edits(probes, items(heldout, limit=_MOST_ITEMS, seed=seed), seed=seed)
    kept = within_budget(made, budget=budget, most=MOST_EDITS, known=known)
    if any(len(kept[name]) < min(FEWEST_GROUPS, len(made[name])) for name in made):
        raise SettingsError(
            "the budget is too small",
            wanted=f"texts for {FEWEST_GROUPS} edits of each of {len(probes)} probes",
            got=budget,
            where="budget",
            fix=f"allow about {2 * FEWEST_GROUPS * len(probes)} texts, or name fewer probes",
        )
    return kept
