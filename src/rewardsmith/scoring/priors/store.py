"""The prior of a checkpoint on disk: `scorer.json`, and the models that it needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.core.errors import ModelError
from rewardsmith.core.settings import parse_settings
from rewardsmith.models.checkpoint import ADAPTER_FOLDER
from rewardsmith.scoring.families.spec import SPEC_NAME, write_spec
from rewardsmith.scoring.priors.load import term_digest
from rewardsmith.scoring.priors.settings import PriorTerm

FAMILY = "residual"
MODELS_FOLDER = "prior"


def write_residual(folder: Path, terms: Sequence[PriorTerm], *, scale: float) -> None:
    """Make the checkpoint in `folder`, which holds f, one of r = scale·p + f; so also the adapter by itself, if any.

    Models that are to be carried are copied into `prior/`, each under its term's number. `scorer.json` has the terms as
    the recipe has them, the scale, where the models lie (relative to the folder), and digests of them.
    """
    places = [_placed(folder, number, term) for number, term in enumerate(terms)]
    values = {
        "terms": [term.model_dump(mode="json") for term in terms],
        "scale": scale,
        "digests": [term_digest(term) for term in terms],
    }
    for own in (folder, folder / ADAPTER_FOLDER):
        if own.is_dir():
            folders = [None if place is None else Path(os.path.relpath(place, own)).as_posix() for place in places]
            write_spec(own, FAMILY, {**values, "folders": folders})


def read_residual(folder: Path, spec: Mapping[str, Any]) -> tuple[tuple[PriorTerm, ...], float]:
    """The terms in `scorer.json` of `folder`, their models as paths that can be opened, and the scale.

    Raises:
        ModelError: Something is missing in it, a model is not where it was, or is not the one of training.
    """
    where = str(folder / SPEC_NAME)
    try:
        raw, scale = [dict(each) for each in spec["terms"]], float(spec["scale"])
        found = list(zip(raw, spec["folders"], spec["digests"], strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError("unreadable prior", got=error, where=where, fix="train the model again") from error
    terms = [
        _opened(parse_settings(PriorTerm, values, where=where), folder, place=place, digest=digest)
        for values, place, digest in found
    ]
    return tuple(terms), scale


def _placed(folder: Path, number: int, term: PriorTerm) -> Path | None:
    """Where the term's model lies; nothing for a term without one, a built-in name or a hub id."""
    if term.model is None or not Path(term.model).is_dir():
        return None
    source = Path(term.model).resolve()
    # A family's folder may name others by paths that are relative to where it lies.
    if not term.carry or (source / SPEC_NAME).is_file():
        return source
    return Path(shutil.copytree(source, folder / MODELS_FOLDER / str(number)))


def _opened(term: PriorTerm, folder: Path, *, place: str | None, digest: str) -> PriorTerm:
    if place is not None:
        path = folder / place
        if not path.is_dir():
            raise ModelError(
                "a model of the prior is not there", wanted=str(path), where=str(folder), fix="put it back there"
            )
        term = term.model_copy(update={"model": str(path)})
    if term_digest(term) != digest:
        raise ModelError(
            "the prior is not the one of training",
            wanted=f"{term.kind} with the digest {digest[:12]}",
            got=term_digest(term)[:12],
            where=term.model or term.function,
            fix="restore it, or train the model again",
        )
    return term
