from __future__ import annotations

from pathlib import Path

from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import writing_artefact
from rewardsmith.serve.beside import artefacts_beside

OURS, THEIRS = "a" * 64, "b" * 64


def _artefact(folder: Path, kind: str, digest: str) -> Path:
    with writing_artefact(folder, Manifest(kind=kind, config={}, parents={"model": digest})):
        return folder


def test_only_artefacts_of_the_kind_and_of_these_weights_are_found(tmp_path: Path):
    model = tmp_path / "model"
    model.mkdir()
    inside = _artefact(model / "verdict", "verdict", OURS)
    beside = _artefact(tmp_path / "later", "audit", OURS)
    _artefact(tmp_path / "card", "report-card", OURS)
    _artefact(tmp_path / "other", "verdict", THEIRS)
    _artefact(tmp_path / ".partial-x", "verdict", OURS)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/manifest.json").write_text("{")
    found = artefacts_beside(model, ("verdict", "audit"), digest=OURS)
    assert [folder for folder, _ in found] == [inside, beside]
    assert [manifest.kind for _, manifest in found] == ["verdict", "audit"]


def test_a_link_to_a_model_has_what_lies_beside_the_model(tmp_path: Path):
    (tmp_path / "runs/model").mkdir(parents=True)
    beside = _artefact(tmp_path / "runs/verdict", "verdict", OURS)
    (tmp_path / "current").symlink_to(tmp_path / "runs/model")
    assert [folder for folder, _ in artefacts_beside(tmp_path / "current", ("verdict",), digest=OURS)] == [beside]


def test_a_hub_id_has_nothing_beside_it():
    assert artefacts_beside("org/name-of-a-model", ("verdict",), digest=OURS) == []
