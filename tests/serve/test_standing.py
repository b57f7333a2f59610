from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.gate.evidence import found
from tests.serve.families import FAMILIES

from rewardsmith.audit.evaluate import evaluate
from rewardsmith.audit.store import write_evaluation
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ArtefactError, ModelError
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.core.store import read_manifest, write_manifest
from rewardsmith.gate.policy import Policy, Rule
from rewardsmith.gate.store import KIND, write_verdict
from rewardsmith.gate.verdict import judge
from rewardsmith.pipeline.gate import gate_model
from rewardsmith.scoring.load import load_scorer
from rewardsmith.serve.standing import VERDICT_KIND, GateStanding, load_standing, require_standing

DIGEST = "a" * 64
OTHER = "b" * 64
# Accuracy with an interval: above, over and below the limit of 0.6.
VALUES = {"passed": (0.7, 0.65, 0.75), "not-enough-evidence": (0.62, 0.55, 0.69), "failed": (0.5, 0.45, 0.55)}


def write(folder: Path, state: str, *, digest: str = DIGEST, policy: str = "ours") -> Path:
    """A verdict as `rewardsmith gate --out` writes it."""
    rule = Rule(finding="accuracy.heldout", at_least=0.6, reason="because")
    ours = Policy(name=policy, purpose="tests", approved_by="nobody", rules=(rule,))
    write_verdict(judge([found("accuracy.heldout", *VALUES[state])], ours), folder, parents={"model": digest})
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "model"
    folder.mkdir(parents=True)
    return folder


def test_the_kind_is_the_gate_s():
    assert VERDICT_KIND == KIND


def test_nothing_found_is_ungated(model):
    assert load_standing(model, digest=DIGEST) == GateStanding("ungated")
    assert load_standing("someone/on-a-hub", digest=DIGEST) == GateStanding("ungated")


@pytest.mark.parametrize("state", VALUES)
@pytest.mark.parametrize("place", ["verdict", "model/verdict"])
def test_a_verdict_beside_or_inside_is_found(model, state, place):
    folder = write(model.parent / place, state)
    standing = load_standing(model, digest=DIGEST)
    assert standing == GateStanding(state, "ours", "tests", str(folder))  # type: ignore[arg-type]
    assert standing.passed is (state == "passed")


def test_a_verdict_about_other_weights_never_counts(model, tmp_path):
    write(model.parent / "verdict", "passed", digest=OTHER)
    assert load_standing(model, digest=DIGEST).state == "ungated"
    named = write(tmp_path / "named", "passed", digest=OTHER)
    standing = load_standing(model, digest=DIGEST, verdicts=[named])
    assert (standing.state, standing.n_others) == ("ungated", 1)
    with pytest.raises(ModelError, match="1 verdicts are about other weights"):
        require_standing(standing, name="m", allow_ungated=False)


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        (("passed", "failed"), "failed"),
        (("failed", "passed"), "failed"),
        (("passed", "not-enough-evidence"), "not-enough-evidence"),
        (("failed", "not-enough-evidence"), "failed"),
        (("passed", "passed"), "passed"),
    ],
)
def test_of_several_the_worst_counts_unless_one_is_named(model, states, worst):
    folders = [write(model.parent / f"verdict-{number}", state) for number, state in enumerate(states)]
    assert load_standing(model, digest=DIGEST).state == worst
    assert load_standing(model, digest=DIGEST, verdicts=folders[:1]).state == states[0]


def test_named_verdicts_of_several_models_each_find_theirs(model, tmp_path):
    verdicts = [write(tmp_path / "a", "passed"), write(tmp_path / "b", "failed", digest=OTHER)]
    assert load_standing(model, digest=DIGEST, verdicts=verdicts).state == "passed"
    assert load_standing(model, digest=OTHER, verdicts=verdicts).state == "failed"


def changed(folder: Path) -> None:
    """A failed verdict, made to say that it passed."""
    path = folder / "verdict.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "passed"}))


def test_a_verdict_that_was_changed_by_hand_does_not_count(model):
    folder = write(model.parent / "verdict", "failed")
    changed(folder)
    assert load_standing(model, digest=DIGEST).state == "ungated"
    with pytest.raises(ArtefactError, match="changed"):
        load_standing(model, digest=DIGEST, verdicts=[folder])


def test_a_status_that_is_not_the_manifest_s_does_not_count(model):
    """Even where the digest of the file was written anew."""
    folder = write(model.parent / "verdict", "failed")
    changed(folder)
    write_manifest(folder, read_manifest(folder, KIND))
    assert load_standing(model, digest=DIGEST).state == "ungated"


def test_a_folder_that_is_no_verdict_is_refused(model, tmp_path):
    with pytest.raises(ArtefactError):
        load_standing(model, digest=DIGEST, verdicts=[tmp_path])


@pytest.mark.parametrize("state", ["failed", "not-enough-evidence", "ungated"])
def test_only_what_passed_is_served_unless_it_is_said_aloud(state):
    require_standing(GateStanding("passed"), name="m", allow_ungated=False)
    require_standing(GateStanding(state), name="m", allow_ungated=True)
    with pytest.raises(ModelError, match="--allow-ungated"):
        require_standing(GateStanding(state, "ours"), name="m", allow_ungated=False)


@pytest.mark.parametrize("family", ["decoder", "ensemble", "residual"])
def test_an_evaluation_and_the_served_model_mean_the_same_digest(tmp_path, family):
    """From scores to a verdict to the standing, as `evaluate`, `gate` and `serve` do it; bf16 changes no weights."""
    FAMILIES[family](tmp_path / "model")
    pairs = [
        Preference((user(f"q{n}"),), ((assistant("a" * n),), (assistant("b"),)), (Pair(0, 1),), str(n), str(n), "made")
        for n in range(2, 32)
    ]
    write_evaluation(evaluate(load_scorer(tmp_path / "model"), pairs), tmp_path / "evaluation")
    gate_model([tmp_path / "evaluation"], policy="research", out=tmp_path / "verdict")
    digest = load_scorer(tmp_path / "model", precision="bf16").provenance.model_digest  # type: ignore[attr-defined]
    standing = load_standing(tmp_path / "model", digest=digest)
    assert (standing.policy, standing.folder) == ("research", str(tmp_path / "verdict"))
    assert standing.state in ("failed", "not-enough-evidence")
