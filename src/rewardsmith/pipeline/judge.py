"""A folder that describes a judge, and what such a judge is worth on labelled pairs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewardsmith.audit.heldout.gap import sample_preferences
from rewardsmith.audit.heldout.judged_pairs import JudgedPairs, judge_pairs
from rewardsmith.core.errors import ModelError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import read_manifest, writing_artefact
from rewardsmith.pipeline.evaluate import read_pairs
from rewardsmith.scoring.families.judge.load import FAMILY, KIND
from rewardsmith.scoring.families.judge.pairwise import PairwiseJudge
from rewardsmith.scoring.families.judge.pointwise import PointwiseJudge
from rewardsmith.scoring.families.judge.prompts import prompts_of
from rewardsmith.scoring.families.judge.settings import JudgeSettings
from rewardsmith.scoring.families.spec import SPEC_NAME, write_spec
from rewardsmith.scoring.load import load_scorer


def make_judge(settings: JudgeSettings, *, out: Path) -> Manifest:
    """Write a judge to `out`. Nothing is asked and nothing is loaded; the key stays in the environment.

    Raises:
        ArtefactError: `out` holds something that is not a judge.
    """
    values = settings.model_dump(mode="json")
    manifest = Manifest(kind=KIND, config={**values, "prompts_digest": prompts_of(settings).digest})
    with writing_artefact(out, manifest) as draft:
        write_spec(draft.folder, FAMILY, values)
    return read_manifest(out, KIND)


def evaluate_judge(
    folder: str | Path,
    *,
    data: str | Path,
    source: Mapping[str, Any] | None = None,
    most: int | None = None,
    cache: Path | None = None,
    seed: int = 0,
) -> JudgedPairs:
    """What the judge in `folder` is worth on the pairs of `data`.

    Args:
        data: A preferences artefact (its held-out side), or any source of pairs.
        source: Further keys of `SourceSettings`, where `data` is not an artefact.
        most: Preferences that are judged; drawn by `seed` where there are more, all of them where absent.
        cache: Folder that keeps replies.

    Raises:
        ModelError: The folder holds no judge.
        DataError: There is no labelled pair.
        JudgeError: The judge's model does not answer.
    """
    judge = load_judge(folder, cache=cache)
    preferences = list(read_pairs(data, source or {}, None).heldout)
    if most is not None and most < len(preferences):
        preferences = sample_preferences(preferences, most, seed=seed)
    return judge_pairs(judge, preferences, seed=seed)


def load_judge(folder: str | Path, *, cache: Path | None = None) -> PairwiseJudge | PointwiseJudge:
    """The judge in `folder`; what is too long for its model is cut.

    Args:
        cache: Folder that keeps replies.

    Raises:
        ModelError: The folder holds no judge.
    """
    judge = load_scorer(folder, overlength="truncate", cache=cache)
    if not isinstance(judge, PairwiseJudge | PointwiseJudge):
        raise ModelError(
            "not a judge",
            wanted=f'{SPEC_NAME} with "family": "judge"',
            where=str(folder),
            fix="make one with `rewardsmith judge --out`; other models are for `rewardsmith evaluate`",
        )
    return judge
