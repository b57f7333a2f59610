from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.audit.planted import many, rater

from rewardsmith.audit.evaluate import evaluate
from rewardsmith.audit.store import FINDINGS_NAMES, write_evaluation
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import write_json, writing_artefact
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.serve.temperature import CALIBRATED, load_temperature
from rewardsmith.serve.worker import LoadOptions, load

OURS, THEIRS = "a" * 64, "b" * 64


def _evaluation(folder: Path, temperature: Any, *, n: int = 100, digest: str = OURS, kind: str = "evaluation") -> Path:
    calibration = {"temperature": temperature, "before": {"nll_nats": {"n": n}}}
    values = {"calibration": calibration if temperature is not None else {"reason": "too few pairs"}}
    with writing_artefact(folder, Manifest(kind=kind, config={}, parents={"model": digest})) as draft:
        write_json(draft.folder / CALIBRATED[kind], {"evaluation": values} if kind == "audit" else values)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def test_the_kinds_are_those_that_the_audit_writes():
    assert CALIBRATED == FINDINGS_NAMES


def test_an_evaluation_as_it_is_written_gives_the_temperature_that_it_fitted(tmp_path: Path, model: Path):
    heldout = many(300)
    evaluation = evaluate(rater(heldout, right=0.8), heldout)
    write_evaluation(evaluation, tmp_path / "evaluation")
    fitted: Any = evaluation.calibration
    assert load_temperature(model, evaluation.provenance.model_digest) == pytest.approx(fitted.temperature, rel=1e-12)
    assert load_temperature(model, OURS) is None


def test_of_several_the_one_from_most_pairs_is_taken(tmp_path: Path, model: Path):
    _evaluation(tmp_path / "evaluation", 1.5, n=100)
    _evaluation(tmp_path / "audit", 2.5, n=300, kind="audit")
    _evaluation(tmp_path / "theirs", 9.0, n=900, digest=THEIRS)
    _evaluation(tmp_path / "unfitted", None, n=900)
    assert load_temperature(model, OURS) == 2.5
    assert load_temperature(model, THEIRS) == 9.0


def test_what_the_operator_names_comes_first_where_it_is_of_these_weights(tmp_path: Path, model: Path):
    _evaluation(tmp_path / "evaluation", 1.5, n=900)
    named = [
        _evaluation(tmp_path / "elsewhere/theirs", 9.0, digest=THEIRS),
        _evaluation(tmp_path / "elsewhere/ours", 2.5),
    ]
    assert load_temperature(model, OURS, evaluations=named) == 2.5
    assert load_temperature(model, OURS, evaluations=named[:1]) == 1.5


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), None])
def test_a_value_that_cannot_divide_is_none(tmp_path: Path, model: Path, value: float | None):
    _evaluation(tmp_path / "evaluation", value)
    assert load_temperature(model, OURS) is None


def test_one_that_was_changed_by_hand_does_not_count_and_is_an_error_where_it_is_named(tmp_path: Path, model: Path):
    folder = _evaluation(tmp_path / "evaluation", 1.5)
    (folder / "report.json").write_text(json.dumps({"calibration": {"temperature": 7.0}}))
    assert load_temperature(model, OURS) is None
    with pytest.raises(ArtefactError, match="missing or changed"):
        load_temperature(model, OURS, evaluations=[folder])


def test_a_named_folder_must_be_an_evaluation(tmp_path: Path, model: Path):
    with writing_artefact(tmp_path / "verdict", Manifest(kind="verdict", config={}, parents={"model": OURS})):
        pass
    with pytest.raises(ArtefactError, match=r"an evaluation or an audit.*verdict"):
        load_temperature(model, OURS, evaluations=[tmp_path / "verdict"])


def test_a_models_process_takes_what_the_operator_names(tmp_path: Path, tiny_reward_model: Path):
    named = _evaluation(tmp_path / "named", 2.5, digest=weights_digest(tiny_reward_model))
    _, card = load(str(tiny_reward_model), LoadOptions(evaluations=(named,)))
    assert card.temperature == 2.5


def test_the_servers_own_process_loads_no_torch_for_it():
    code = "import sys, rewardsmith.serve.temperature; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
