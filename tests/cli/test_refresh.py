"""`rewardsmith refresh`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.refresh.loop import write_incumbent, write_labels, write_traffic
from typer.testing import CliRunner

from rewardsmith.cli.main import app
from rewardsmith.core.errors import SettingsError


def test_asked_labelled_and_decided(tiny: Any, tmp_path: Path):
    model = write_incumbent(tmp_path / "first", tiny, pairs=40)
    log = write_traffic(tmp_path / "log", model, prompts=range(100, 120))
    command = ["refresh", "--incumbent", str(model), "--traffic", str(log), "--out", str(tmp_path / "round")]
    shown = CliRunner().invoke(app, [*command, "--set", "choose.pairs=12"], catch_exceptions=False).stdout
    assert "12 of" in shown
    assert "--labels" in shown
    labels = write_labels(tmp_path / "round" / "to_label" / "pairs.jsonl", tmp_path / "labels.jsonl")
    command = ["refresh", "--out", str(tmp_path / "round"), "--labels", str(labels), "--set", "replay_share=all"]
    result = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert found["state"] in ("promoted", "kept")
    assert found["counts"]["labels"]["answered"] == 12
    assert found["counts"]["mixture"]["old_train"] == found["counts"]["mixture"]["old_train_known"]
    assert result.exit_code == (9 if found["decision"]["regressions"] else 0)
    shown = CliRunner().invoke(app, ["refresh", "--out", str(tmp_path / "round")], catch_exceptions=False).stdout
    assert found["decision"]["why"][:20] in shown


def test_an_unknown_key_is_named(tmp_path: Path):
    result = CliRunner().invoke(app, ["refresh", "--out", str(tmp_path / "r"), "--set", "chose.pairs=1"])
    assert isinstance(result.exception, SettingsError)
    assert "choose" in str(result.exception)
