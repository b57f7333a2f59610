"""A scorer from a folder, of whatever family it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.scores import Scorer
from rewardsmith.scoring.client import load_remote
from rewardsmith.scoring.engine import Precision
from rewardsmith.scoring.families import (
    adapters,
    attributes,
    ensemble,
    exported,
    generative,
    implicit,
    merged,
    process,
    residual,
)
from rewardsmith.scoring.families.judge import load as judge
from rewardsmith.scoring.families.spec import SPEC_NAME, read_spec
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.remote import is_address
from rewardsmith.scoring.single import load_single


def load_scorer(
    path: str | Path,
    *,
    engine: Literal["fast", "reference"] = "fast",
    device: str | None = None,
    max_tokens: int | None = None,
    overlength: Overlength = "raise",
    token_budget: int | None = None,
    precision: Precision = "float32",
    cache: str | Path | None = None,
    weights: Mapping[str, float] | None = None,
) -> Scorer:
    """The scorer at `path`: a single reward model, what `scorer.json` in that folder says, or a server's.

    Args:
        path: Folder, hub id of a single reward model, or URL of a server (`http://127.0.0.1:8000`, with `#name` for
            another model than its first).
        engine: `fast` is fast; `reference` scores one conversation at a time in float32.
        device: `cpu`, `cuda`, …; the GPU where there is one, if absent.
        max_tokens: Longest conversation; what the model was trained on, else what it can take, if absent.
        overlength: What happens to longer conversations.
        token_budget: Budget of one batch (fast).
        precision: See `FastScorer` (fast).
        cache: Folder that keeps rewards for later processes (fast).
        weights: Attribute → weight, in the place of the model's own; of a multi-attribute model only.

    Raises:
        ModelError: No usable scorer is there, or its chat template has changed since training.
        SettingsError: `engine` is unknown, `max_tokens` is more than the model has positions for, or the cache cannot
            be used; or an option is given that is a server's own affair; or weights for what has no attributes.
        ServingError: The server does not answer, or has no such model.
    """
    options = ScoringOptions(
        engine=engine,
        device=device,
        max_tokens=max_tokens,
        overlength=overlength,
        token_budget=token_budget,
        precision=precision,
        cache=cache,
        weights=weights,
    )
    return load_with(path, options)


def load_with(path: str | Path, options: ScoringOptions) -> Scorer:
    """`load_scorer` with its options in one piece, as families hand them on to their members."""
    spec = None if is_address(path) else read_spec(Path(path))
    if options.weights is not None and (spec is None or spec["family"] != attributes.FAMILY):
        raise SettingsError(
            "nothing to weigh",
            wanted="a model with several attributes",
            got="a server" if is_address(path) else "a single reward" if spec is None else spec["family"],
            where=str(path),
        )
    if is_address(path):
        return load_remote(str(path), options)
    return load_single(path, options) if spec is None else _load_family(Path(path), spec, options)


def _load_family(folder: Path, spec: Mapping[str, Any], options: ScoringOptions) -> Scorer:
    def load_member(path: str | Path) -> Scorer:
        return load_with(path, options)

    match spec["family"]:
        case "ensemble":
            return ensemble.load(folder, spec, load_member)
        case "adapters":
            return adapters.load(folder, spec, options, load_member)
        case attributes.FAMILY:
            return attributes.load(folder, spec, options)
        case "merged":
            return merged.load(folder, spec, load_member)
        case "residual":
            return residual.load(folder, spec, options, load_with)
        case process.FAMILY:
            return process.load(folder, spec, options)
        case "generative":
            return generative.load(folder, spec, options)
        case "implicit":
            return implicit.load(folder, spec, options)
        case exported.FAMILY:
            return exported.load(folder, spec, options)
        case judge.FAMILY:
            return judge.load(folder, spec, options)
        case other:
            raise ModelError(
                "unknown family", wanted="a family of this version", got=other, where=str(folder / SPEC_NAME)
            )
