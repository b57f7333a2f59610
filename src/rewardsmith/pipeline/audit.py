"""Audit a checkpoint on pairs: what is it worth, and what would an optimiser find?"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rewardsmith.audit.audit import BUDGET, Audit, run_audit
from rewardsmith.audit.certainty.uncertainty import uncertainty_part
from rewardsmith.audit.heldout.prior import prior_part
from rewardsmith.audit.part import Part
from rewardsmith.audit.standing_parts import privacy_part, rendering_part
from rewardsmith.audit.store import AUDIT_KIND, write_audit
from rewardsmith.core.scores import Relative, Scorer
from rewardsmith.core.store import require_replaceable
from rewardsmith.pipeline.evaluate import Pairs, context_of, model_manifest, read_pairs
from rewardsmith.pipeline.further_parts import NOTHING_FURTHER, Further, further_parts
from rewardsmith.pipeline.own_probes import chosen_probes
from rewardsmith.scoring.engine import FastScorer, Precision
from rewardsmith.scoring.families.judge.load import keeps_paid_replies
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.remote import is_address
from rewardsmith.training.precision import bf16_pays


def audit_model(
    model: str | Path,
    *,
    data: str | Path,
    out: Path | None = None,
    source: Mapping[str, Any] | None = None,
    probes: Sequence[str] = (),
    budget: int = BUDGET,
    further: Further = NOTHING_FURTHER,
    cache: Path | None = None,
    precision: Literal["auto", "float32", "bf16"] = "auto",
    seed: int = 0,
) -> Audit:
    """Audit a checkpoint, of this tool or of another, and write the report to `out` where that is given.

    Args:
        model: Checkpoint folder or hub id.
        data: A preferences artefact (its held-out side, beside the training side), or any source of pairs.
        source: Further keys of `SourceSettings` (layout, rating, split, …), where `data` is not an artefact.
        probes: Names or families of probes; all, and the checks of rendering and privacy, where there is none.
        budget: Texts that the probes may ask to be scored beside the held-out ones.
        further: What else to look at: pressure, a fresh slice, the policy's lineage, adversarial search.
        cache: Folder that keeps rewards for later audits and for `rewardsmith score`. Where absent they lie in
            `<out>.work` until the report is written, so that an audit that was killed goes on where it was.
        precision: Arithmetic inside the network; `auto` is bf16 for an encoder where the processor gains from it.

    Raises:
        ModelError: No usable reward model is there.
        DataError: There is nothing to audit on.
        SettingsError: A probe is unknown, or the budget is too small for them.
        ArtefactError: `out` holds something that is not an audit.
    """
    source = source or {}
    made, contrasts = chosen_probes(probes, problems=further.problems, persona=further.persona, seed=seed)
    if out is not None:
        require_replaceable(out, AUDIT_KIND)
    trained = model_manifest(Path(model))
    pairs = read_pairs(data, source, trained)
    with _keeping_rewards(cache, out, keeps=_keeps_rewards(model)) as rewards:
        scorer = _scorer(model, precision=precision, cache=rewards)
        parts = [] if probes else _standing_parts(scorer, pairs, seed=seed)
        parts += further_parts(further, model=model, scorer=scorer, pairs=pairs, source=source, seed=seed)
        audit = run_audit(
            scorer,
            pairs.heldout,
            train=pairs.train,
            probes=made,
            contrasts=contrasts,
            budget=budget,
            parts=parts,
            seed=seed,
        )
        if out is not None:
            write_audit(audit, out, context=context_of("audit", model, data, out=out, trained=trained, pairs=pairs))
    return audit


def _scorer(model: str | Path, *, precision: Literal["auto", "float32", "bf16"], cache: Path | None) -> Scorer:
    """An audit scores many texts and looks for shifts that are many times the rounding of bf16 in an encoder; a
    decoder's rewards move too far in it."""
    exact: Precision = "float32" if precision == "auto" else precision
    scorer = load_scorer(model, overlength="truncate", cache=cache, precision=exact)
    if precision == "auto" and isinstance(scorer, FastScorer) and not scorer.model.is_decoder and bf16_pays():
        return load_scorer(model, overlength="truncate", cache=cache, precision="bf16")
    return scorer


def _keeps_rewards(model: str | Path) -> bool:
    """Whether the scorer remembers by itself: a judge behind an endpoint does, and so does a server of rewards."""
    return is_address(model) or keeps_paid_replies(Path(model))


@contextlib.contextmanager
def _keeping_rewards(cache: Path | None, out: Path | None, *, keeps: bool = False) -> Iterator[Path | None]:
    """The folder for rewards: the one that was asked for, or one that lasts until the report is written; none where the
    scorer keeps them for good by itself."""
    if cache is not None or out is None or keeps:
        yield cache
        return
    work = out.with_name(f"{out.name}.work")
    yield work
    shutil.rmtree(work, ignore_errors=True)


def _standing_parts(scorer: Scorer, pairs: Pairs, *, seed: int) -> list[Part]:
    """Rendering, and personal data in the training pairs, or in those of the audit where the former are unknown.

    Of a scorer that says how far its members lie apart, also whether that says where it is wrong; of one that stands on
    a prior, also whether it follows the labels where the prior does not.
    """
    train, name = (pairs.heldout, "held-out") if pairs.train is None else (pairs.train, "training")
    uncertainty = uncertainty_part(scorer, pairs.heldout, seed=seed)
    # Of answers that are scored against each other, the reward hangs on the company by design.
    rendering = None if isinstance(scorer, Relative) else rendering_part(scorer, pairs.heldout)
    prior = prior_part(scorer, pairs.heldout, seed=seed)
    parts = [rendering, privacy_part(train, name=name), uncertainty, prior]
    return [part for part in parts if part is not None]
