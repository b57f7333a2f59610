from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.families.store import save_heads

ROWS = [
    {"id": "a", "prompt": "2+2?", "response": "4"},
    {"prompt": "2+2?", "responses": ["4", "5", "a long answer"]},
    {"id": "c", "prompt": "2+2?", "chosen": "4", "rejected": "5"},
    {"id": "d", "messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]},
]


def _text() -> str:
    return "".join(json.dumps(row) + "\n" for row in ROWS)


def test_one_line_out_for_each_line_in(cli: Callable, tmp_path: Path, tiny_reward_model: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text(_text())
    outcome = cli("score", tiny_reward_model, path)
    assert outcome.code == 0, outcome.err
    single, group, pair, messages = map(json.loads, outcome.out.splitlines())
    assert [single["id"], group["id"], pair["id"], messages["id"]] == ["a", 2, "c", "d"]
    four, five = pair["chosen"], pair["rejected"]
    assert four != five
    np.testing.assert_allclose([single["reward"], group["rewards"][0], messages["reward"]], four, atol=1e-5)
    np.testing.assert_allclose(group["rewards"][1], five, atol=1e-5)


def test_the_reference_engine_gives_the_same_rewards(cli: Callable, tmp_path: Path, tiny_reward_model: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text(_text())
    fast = cli("score", tiny_reward_model, path).out
    slow = cli("score", tiny_reward_model, path, "--engine", "reference").out
    for one, other in zip(map(json.loads, fast.splitlines()), map(json.loads, slow.splitlines()), strict=True):
        assert one.keys() == other.keys()
        for key in one.keys() - {"id"}:
            np.testing.assert_allclose(one[key], other[key], atol=1e-5)


def test_standard_input_and_an_output_file(
    cli: Callable, tmp_path: Path, tiny_reward_model: Path, monkeypatch: pytest.MonkeyPatch
):
    path, out = tmp_path / "rows.jsonl", tmp_path / "scores.jsonl"
    path.write_text(_text())
    expected = cli("score", tiny_reward_model, path).out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(_text().encode())))
    outcome = cli("score", tiny_reward_model, "-", "--out", out)
    assert (outcome.code, outcome.out) == (0, "")
    assert out.read_text() == expected


def test_an_overlong_text_is_refused_by_file_and_line_or_cut_as_asked(
    cli: Callable, tmp_path: Path, tiny_reward_model: Path
):
    path = tmp_path / "rows.jsonl"
    long = json.dumps({"prompt": "2+2?", "responses": ["4", "x" * 400]})
    path.write_text(f"{_text()}\n{long}\n{_text()}")  # an empty line, too: rows and lines are not the same
    for engine in ("fast", "reference"):
        refused = cli("score", tiny_reward_model, path, "--engine", engine)
        assert refused.code == 4
        assert refused.err.startswith("rewardsmith: rows.jsonl:6: ")
        assert "at most 200 tokens" in refused.err
        assert "--truncate" in refused.err
        before = [json.loads(line)["id"] for line in refused.out.splitlines()]
        assert before == ["a", 2, "c", "d"]
    cut = cli("score", tiny_reward_model, path, "--truncate")
    assert (cut.code, len(cut.out.splitlines())) == (0, 9)


def test_a_cache_is_used_and_the_last_line_counts(cli: Callable, tmp_path: Path, tiny_reward_model: Path):
    path, cache = tmp_path / "rows.jsonl", tmp_path / "cache"
    path.write_text(_text())
    first = cli("score", tiny_reward_model, path, "--cache", cache)
    # Of seven texts three differ: "4", "5" and "a long answer".
    assert "7 texts: 3 computed, 0 from the cache, 4 equal to another, 0 cut to fit" in first.err
    second = cli("score", tiny_reward_model, path, "--cache", cache)
    assert "7 texts: 0 computed, 7 from the cache, 0 equal to another, 0 cut to fit" in second.err
    assert first.out == second.out
    refused = cli("score", tiny_reward_model, path, "--cache", cache, "--engine", "reference")
    assert refused.code == 2
    assert "keeps no cache" in refused.err
    unusable = cli("score", tiny_reward_model, path, "--cache", path)
    assert unusable.code == 2
    assert "score cache cannot be used" in unusable.err


def test_evaluations_share_the_cache(cli: Callable, tmp_path: Path, tiny_reward_model: Path):
    pairs, cache = tmp_path / "pairs.jsonl", tmp_path / "cache"
    rows = [{"prompt": f"{k}+{k}?", "chosen": f"{2 * k}", "rejected": "no idea"} for k in range(30)]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert cli("evaluate", tiny_reward_model, pairs, "--json", "--cache", cache).code == 0
    scored = cli("score", tiny_reward_model, pairs, "--cache", cache)
    assert "60 texts: 0 computed, 60 from the cache" in scored.err


def test_weights_of_attributes(cli: Callable, tmp_path: Path, tiny_reward_model: Path):
    path, folder = tmp_path / "rows.jsonl", tmp_path / "attributes"
    path.write_text(_text())
    shutil.copytree(tiny_reward_model, folder)
    width = json.loads((folder / "config.json").read_text())["hidden_size"]
    heads = np.random.default_rng(0).normal(size=(2, width)).astype(np.float32)
    save_heads(folder / "heads.safetensors", heads, np.zeros(2, np.float32))
    names = ["helpful", "long"]
    write_spec(folder, "attributes", {"heads": "heads.safetensors", "names": names, "weights": {"helpful": 1.0}})

    plain = json.loads(cli("score", folder, path).out.splitlines()[0])
    chosen = json.loads(cli("score", folder, path, "--weight", "helpful=.5", "--weight", "long=-2").out.splitlines()[0])

    said = plain["details"]["reward"]["attributes"]
    assert plain["reward"] == pytest.approx(said["helpful"], abs=1e-5)
    assert chosen["reward"] == pytest.approx(0.5 * said["helpful"] - 2 * said["long"], abs=1e-5)
    for bad in ("long", "long=much", "=1"):
        assert cli("score", folder, path, "--weight", bad).code == 2
    assert "no attribute 'size'" in cli("score", folder, path, "--weight", "size=1").err
    assert "nothing to weigh" in cli("score", tiny_reward_model, path, "--weight", "long=1").err
