"""A policy and its reference as a reward model: a folder that names both."""

from __future__ import annotations

import os
from pathlib import Path

from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import read_manifest, require_replaceable, writing_artefact
from rewardsmith.models.builtin import resolve
from rewardsmith.models.causal_lm import load_causal_lm
from rewardsmith.numerics.implicit import Normalise
from rewardsmith.scoring.families.implicit import FAMILY, ImplicitScorer, ImplicitSpec
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.training.store import LOG_NAME, write_log
from rewardsmith.training.train import KIND


def make_implicit(
    policy: str, reference: str, *, out: Path, beta: float = 0.1, normalise: Normalise = "none"
) -> Manifest:
    """Write a scorer of β·[log π − log π_ref] to `out`, after loading both models once to see that they go together.

    Nothing is copied: folders are written down relative to `out`, built-in names and hub ids as they are.

    Raises:
        ModelError: A model cannot be loaded, or the two have different tokenizers.
        SettingsError: `beta` is not above 0.
        ArtefactError: `out` holds something that is not a reward model.
    """
    require_replaceable(out, KIND)
    models = load_causal_lm(policy), load_causal_lm(reference)
    scorer = ImplicitScorer(*models, beta=beta, normalise=normalise)
    spec = ImplicitSpec(policy=_named(policy, out), reference=_named(reference, out), beta=beta, normalise=normalise)
    manifest = Manifest(
        kind=KIND,
        config={"name": "implicit", FAMILY: spec.model_dump(mode="json")},
        parents={"policy": models[0].digest, "reference": models[1].digest},
        counts={"max_tokens": scorer.encoder.max_tokens},
    )
    with writing_artefact(out, manifest) as draft:
        write_spec(draft.folder, FAMILY, spec.model_dump(mode="json"))
        write_log(draft.folder / LOG_NAME, [])
    return read_manifest(out, KIND)


def _named(model: str, out: Path) -> str:
    """What the folder says of a model: where it lies from there, or the name that it is known by everywhere."""
    if resolve(model) != model or not Path(model).is_dir():
        return model
    return os.path.relpath(Path(model).resolve(), out.resolve())
