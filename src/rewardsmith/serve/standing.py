"""May this model be served? What the gate said of these very weights."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rewardsmith.core.errors import ArtefactError, ModelError
from rewardsmith.core.store import read_manifest, verify_artefact
from rewardsmith.serve.beside import artefacts_beside

logger = logging.getLogger(__name__)

# `gate.store.KIND`; that module loads torch, which the server's own process does without.
VERDICT_KIND = "verdict"

State = Literal["passed", "failed", "not-enough-evidence", "ungated"]
"""`ungated`: no verdict is about these weights."""

_BEST_FIRST: tuple[State, ...] = ("passed", "not-enough-evidence", "failed")


@dataclass(frozen=True, slots=True)
class GateStanding:
    """What the gate said of a model.

    Attributes:
        state: As the header `X-Rewardsmith-Gate` tells it.
        policy: Name of the policy that it was held against; absent where there is no verdict.
        purpose: What the policy says that the model may be used for.
        folder: Of the verdict.
        n_others: Verdicts that were named and are about other weights.
    """

    state: State
    policy: str | None = None
    purpose: str | None = None
    folder: str | None = None
    n_others: int = 0

    @property
    def passed(self) -> bool:
        """Whether the model may be served without more ado."""
        return self.state == "passed"


def load_standing(model: str | Path, *, digest: str, verdicts: Sequence[Path] = ()) -> GateStanding:
    """The standing of a model, from verdicts that are about its very weights.

    Verdicts that the operator names come before those that lie in the model's folder or beside it. Of several, the
    worst counts: whoever wants another one names it.

    Args:
        model: Folder of the model; a hub id has nothing beside it.
        digest: Of the weights as the loaded model tells it (`Provenance.model_digest`), which is what audits wrote
            down. It covers families as well: members, their rule and their scale.
        verdicts: Folders that `rewardsmith gate … --out` wrote; of any models, since a server has several.

    Raises:
        ArtefactError: A folder of `verdicts` is no verdict, or has changed since it was written.
    """
    named = [(folder, verify_artefact(folder, VERDICT_KIND)) for folder in verdicts]
    own = [folder for folder, manifest in named if manifest.parents.get("model") == digest]
    found = [_standing(folder) for folder in own] or list(_beside(model, digest))
    if not found:
        return GateStanding("ungated", n_others=len(named))
    return max(found, key=lambda each: _BEST_FIRST.index(each.state))


def require_standing(standing: GateStanding, *, name: str, allow_ungated: bool) -> None:
    """Stop before a model is served that has not passed, unless the operator has said that it may be.

    Raises:
        ModelError: It failed, the evidence did not suffice, or there is no verdict about these weights.
    """
    if standing.passed or allow_ungated:
        return
    others = f" ({standing.n_others} verdicts are about other weights)" if standing.n_others else ""
    said = {
        "failed": f"it failed the policy {standing.policy}",
        "not-enough-evidence": f"the evidence does not suffice for the policy {standing.policy}",
        "ungated": f"there is no verdict about these weights{others}",
    }[standing.state]
    raise ModelError(
        f"the model {name} may not be served: {said}",
        wanted="a verdict that it passed, beside the model or named with --verdict",
        where=standing.folder,
        fix="run `rewardsmith audit`, then `rewardsmith gate … --out FOLDER`; or say --allow-ungated, and each reply"
        " tells it",
    )


def _beside(model: str | Path, digest: str) -> Iterator[GateStanding]:
    for folder, _ in artefacts_beside(model, (VERDICT_KIND,), digest=digest):
        try:
            verify_artefact(folder, VERDICT_KIND)
            yield _standing(folder)
        except ArtefactError as error:
            # One that was changed by hand says nothing, neither good nor bad; the model then stands without it.
            logger.warning("a verdict beside the model does not count: %s", error.problem)


def _standing(folder: Path) -> GateStanding:
    path = folder / "verdict.json"
    try:
        verdict: Any = json.loads(path.read_text("utf-8"))
        state: State = verdict["status"].replace(" ", "-")
        standing = GateStanding(state, str(verdict["policy"]), str(verdict["purpose"]), str(folder))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError("unreadable verdict", got=error, where=str(path), fix="judge the model again") from error
    if state not in _BEST_FIRST or read_manifest(folder, VERDICT_KIND).counts.get("status") != verdict["status"]:
        raise ArtefactError(
            "a verdict that no gate gives", wanted="the status of its manifest", got=state, where=str(path)
        )
    return standing
