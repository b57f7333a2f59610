"""The release report card of a model, as `rewardsmith report` left it beside the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.store import verify_artefact
from rewardsmith.serve.beside import artefacts_beside

# `gate.store.CARD_KIND` and the files that it writes; that module loads torch, which the server's own process does
# without.
CARD_KIND = "report-card"
PAGE_NAME = "card.html"
CARD_JSON_NAME = "card.json"


@dataclass(frozen=True, slots=True)
class ReportCard:
    """A report card as it was written.

    Attributes:
        html: The whole page.
        verdict: `gate.verdict.as_json`: status, policy, one reason a demand.
    """

    html: str
    verdict: dict[str, Any]


def load_report_card(model: str | Path, digest: str) -> ReportCard | None:
    """The card of the model with these weights; the first by name of several; `None` where there is none.

    Args:
        model: Folder of the model; the card lies in it or beside it.
        digest: Of the weights (`Provenance.model_digest`).

    Raises:
        ArtefactError: A file of the card has changed since it was written, or cannot be read.
    """
    for folder, _ in artefacts_beside(model, (CARD_KIND,), digest=digest):
        verify_artefact(folder, CARD_KIND)
        try:
            verdict = json.loads((folder / CARD_JSON_NAME).read_text("utf-8"))["verdict"]
            return ReportCard((folder / PAGE_NAME).read_text("utf-8"), dict(verdict))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtefactError(
                "unreadable report card", got=error, where=str(folder), fix="run `rewardsmith report` again"
            ) from error
    return None
