"""One round of the refresh loop: drift, what to label next, new data, a new model, and whether it takes over.

Each step leaves an artefact in the round's folder and reads only artefacts, so a round that was interrupted goes on
where it was, and one that waits for labels goes on once they are there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.locked import locked
from rewardsmith.core.store import MANIFEST_NAME, read_manifest
from rewardsmith.pipeline.refresh_ask import ask, find_drift, gather
from rewardsmith.pipeline.refresh_learn import (
    DECISION_NAME,
    LABELS_KIND,
    PROMOTION_KIND,
    Labels,
    judge,
    learn,
    make_mixture,
    required_recipe,
    take_labels,
)
from rewardsmith.pipeline.refresh_round import (
    CANDIDATES,
    COMPARISON,
    DRIFT,
    LABELS,
    MIXTURE,
    MODEL,
    PROMOTION,
    ROUND,
    TO_LABEL,
    WORK,
    Round,
    RoundInputs,
    begin,
)
from rewardsmith.refresh.settings import RefreshSettings
from rewardsmith.refresh.store import (
    JOURNAL_NAME,
    POINTER_NAME,
    TO_LABEL_NAME,
    add_to_journal,
    read_journal,
    remove,
    require_pointer,
    set_pointer,
)

State = Literal["waiting", "promoted", "kept"]


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """How far a round is.

    Attributes:
        state: `waiting` for labels; `promoted`: the new model is in use; `kept`: the incumbent stays.
        folder: Of the round.
        to_label: The file of pairs to label.
        model: The new model, once there is one.
        pointer: Link to the model in use.
        decision: What `decision.json` says, once it was decided.
        counts: Of each step, what its manifest counts.
    """

    state: State
    folder: Path
    to_label: Path
    model: Path | None
    pointer: Path
    decision: dict[str, Any] | None
    counts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "state": self.state,
            "folder": str(self.folder),
            "to_label": str(self.to_label),
            "model": None if self.model is None else str(self.model),
            "pointer": str(self.pointer),
            "decision": self.decision,
            "counts": self.counts,
        }


def refresh(
    inputs: RoundInputs,
    out: Path,
    *,
    settings: RefreshSettings | None = None,
    labels: Labels | None = None,
    pointer: Path | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> RefreshResult:
    """Begin the round in `out`, or go on with it, as far as it gets: to the labels, or to the end.

    Called again after it was interrupted anywhere, it ends with the same artefacts. A round that was decided stays as
    it is.

    Args:
        inputs: Of a round that has begun nothing need be named again.
        settings: Those that the round began with, if absent.
        labels: What people, or a gold, said; without them the round waits once it has asked. A round keeps the labels
            that it took.
        pointer: Link to the model in use; `current` beside `out` if absent. The journal lies beside it.
        on_step: Called with the name of each step once its artefact is there.

    Raises:
        SettingsError: Something that the round needs is missing, or is another than it began with.
        ArtefactError: Another process works on it, the round is over and gets other labels, or another model was
            promoted meanwhile.
        RewardsmithError: A step refused its input; earlier artefacts stay.
    """
    pointer = pointer or out.parent / POINTER_NAME
    require_pointer(pointer)
    with locked(out):
        round_ = begin(out, inputs, settings)
        on_step(ROUND)
        if not (out / PROMOTION / MANIFEST_NAME).is_file():
            required_recipe(round_, [])
            for name, step in ((CANDIDATES, gather), (DRIFT, find_drift), (TO_LABEL, ask)):
                step(round_)
                on_step(name)
            if labels is None and not (out / LABELS / MANIFEST_NAME).is_file():
                return _result(round_, pointer)
            _decide(round_, labels, on_step)
        _require_same_labels(round_, labels)
        _carry_out(round_, pointer, on_step)
        return _result(round_, pointer)


def _decide(round_: Round, labels: Labels | None, on_step: Callable[[str], None]) -> None:
    if labels is not None:
        take_labels(round_, labels)
        on_step(LABELS)
    for name, step in ((MIXTURE, make_mixture), (MODEL, learn), (PROMOTION, judge)):
        step(round_)
        on_step(name)


def _require_same_labels(round_: Round, labels: Labels | None) -> None:
    """A model that may be in use is not trained again under its users."""
    if labels is None:
        return
    taken = read_manifest(round_.folder / LABELS, LABELS_KIND).parents["labels"]
    if labels.digest != taken:
        raise ArtefactError(
            "the round is over",
            wanted="the labels that it was decided by",
            got="others",
            where=str(round_.folder),
            fix="name another --out for a new round",
        )


def _carry_out(round_: Round, pointer: Path, on_step: Callable[[str], None]) -> None:
    """The pointer, then the journal: its line says that the round is over, and that the pointer is others' affair."""
    journal = pointer.with_name(JOURNAL_NAME)
    decision = _decision(round_)
    promotion = read_manifest(round_.folder / PROMOTION, PROMOTION_KIND)
    name = digest_json([promotion.parents, promotion.digest])
    with locked(pointer.parent):
        if not any(each.get("round") == name for each in read_journal(journal)):
            model = round_.folder / MODEL
            if decision["promoted"]:
                set_pointer(pointer, model, was=Path(round_.incumbent))
                on_step("pointer")
            entry = {
                "round": name,
                "folder": str(round_.folder),
                "decision": "promoted" if decision["promoted"] else "kept",
                "why": decision["why"],
                "model": str(model),
                "incumbent": round_.incumbent,
                "incumbent_digest": round_.provenance.model_digest,
            }
            add_to_journal(journal, entry)
    on_step("journal")
    remove(round_.folder / WORK)


def _decision(round_: Round) -> dict[str, Any]:
    return json.loads((round_.folder / PROMOTION / DECISION_NAME).read_text("utf-8"))


def _result(round_: Round, pointer: Path) -> RefreshResult:
    out = round_.folder
    decided = (out / PROMOTION / MANIFEST_NAME).is_file()
    decision = _decision(round_) if decided else None
    state: State = "waiting" if decision is None else "promoted" if decision["promoted"] else "kept"
    names = (CANDIDATES, DRIFT, TO_LABEL, LABELS, MIXTURE, COMPARISON)
    counts = {name: _counts(out / name) for name in names if (out / name / MANIFEST_NAME).is_file()}
    model = out / MODEL if decided else None
    return RefreshResult(state, out, out / TO_LABEL / TO_LABEL_NAME, model, pointer, decision, counts)


def _counts(folder: Path) -> Any:
    return json.loads((folder / MANIFEST_NAME).read_text("utf-8"))["counts"]
