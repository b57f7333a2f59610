from __future__ import annotations

from pathlib import Path

import pytest
from tests.scoring.families.judge.readers import RuledReader

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.core.store import verify_artefact
from rewardsmith.pipeline.audit import _standing_parts
from rewardsmith.pipeline.evaluate import Pairs, model_manifest
from rewardsmith.pipeline.judge import make_judge
from rewardsmith.scoring.families.judge.pairwise import PairwiseJudge
from rewardsmith.scoring.families.judge.questioner import Questioner
from rewardsmith.scoring.families.judge.settings import parse_judge

SETTINGS = parse_judge({"kind": "pairwise", "backend": {"local": "ruled"}}, where="test")


def test_a_judge_is_an_artefact_that_was_not_trained(tmp_path: Path):
    manifest = make_judge(SETTINGS, out=tmp_path / "judge")
    assert verify_artefact(tmp_path / "judge", "judge") == manifest
    assert model_manifest(tmp_path / "judge") is None
    assert make_judge(SETTINGS, out=tmp_path / "judge") == manifest


def test_nothing_else_is_overwritten(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArtefactError):
        make_judge(SETTINGS, out=tmp_path)


def test_an_audit_asks_nothing_of_an_answer_alone():
    """Rewards that depend on the company by design are not reproached with it."""
    heldout = [
        Preference(
            prompt=(user(f"q{number}"),),
            responses=((assistant("good"),), (assistant("bad"),)),
            pairs=(Pair(0, 1),),
            id=str(number),
            group=str(number),
            source="test",
        )
        for number in range(4)
    ]
    judge = PairwiseJudge(Questioner(SETTINGS, RuledReader()))
    assert [part.name for part in _standing_parts(judge, Pairs(heldout), seed=0)] == ["privacy"]
