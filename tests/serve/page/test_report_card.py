from __future__ import annotations

from pathlib import Path

import pytest
from tests.gate.evidence import sound_findings

from rewardsmith.core.errors import ArtefactError
from rewardsmith.gate import store
from rewardsmith.gate.evidence import Evidence
from rewardsmith.gate.verdict import as_json, judge
from rewardsmith.serve.page import report_card
from rewardsmith.serve.page.report_card import load_report_card

OURS = "a" * 64


@pytest.fixture
def card(tmp_path: Path) -> Path:
    evidence = Evidence(tuple(sound_findings()), "helpful", OURS, parents={"model": OURS})
    (tmp_path / "model").mkdir()
    store.write_card(judge(evidence.findings, store.load_policy("research")), evidence, tmp_path / "card")
    return tmp_path / "card"


def test_the_names_are_those_that_the_gate_writes():
    assert (report_card.CARD_KIND, report_card.PAGE_NAME) == (store.CARD_KIND, store.PAGE_NAME)


def test_the_card_beside_the_model_is_read_as_it_was_written(card: Path):
    found = load_report_card(card.parent / "model", OURS)
    assert found is not None
    assert found.html == (card / "card.html").read_text("utf-8")
    assert found.verdict == as_json(judge(sound_findings(), store.load_policy("research")))
    assert found.verdict["status"] == "passed"


def test_a_card_of_other_weights_is_none(card: Path):
    assert load_report_card(card.parent / "model", "b" * 64) is None


def test_a_card_that_was_changed_is_refused(card: Path):
    (card / "card.html").write_text("passed!")
    with pytest.raises(ArtefactError, match="missing or changed"):
        load_report_card(card.parent / "model", OURS)
