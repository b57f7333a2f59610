"""From a policy, a gold and a reward model to the artefact that the gate reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rewardsmith.audit.store import load_findings
from rewardsmith.core.errors import ArtefactError, DataError, SettingsError
from rewardsmith.core.settings import parse_settings
from rewardsmith.core.store import verify_artefact
from rewardsmith.gate.store import load_evidence
from rewardsmith.optimise.policy.load import load_policy
from rewardsmith.optimise.sample_store import iter_groups, write_samples
from rewardsmith.pipeline.pressure import PressureSettings, pressure_model

SIZE, PROMPTS = 8, 21


def settings(source: Path | str, kind: str = "ratings", **sampling: Any) -> PressureSettings:
    values = {
        "gold": {"kind": kind, "source": str(source)},
        "sampling": {"n": SIZE, "max_new_tokens": 8} | sampling,
        "checkpoint_n": 2,
    }
    return parse_settings(PressureSettings, values, where="test")


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = [
        {"prompt": f"prompt {prompt}", "response": f"{place} " + "x" * place, "ratings": {"good": float(rng.normal())}}
        for prompt in range(PROMPTS)
        for place in range(SIZE)
    ]
    path = tmp_path / "rated.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def base(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.save_base(tmp_path_factory.mktemp("pressure") / "base", "decoder")


def _prompts(path: Path, n: int) -> str:
    path.write_text("".join(json.dumps({"prompt": f"prompt {number}"}) + "\n" for number in range(n)))
    return str(path)


def _moved(base: str, folder: Path, *, by: float) -> str:
    """The policy with noise on its weights."""
    torch.manual_seed(1)
    network = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        for weight in network.parameters():
            weight += by * weight.std() * torch.randn_like(weight)
    network.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return str(folder)


def _read(out: Path) -> dict[str, Any]:
    return json.loads((out / "pressure.json").read_text())


def test_rated_candidates_give_a_budget_in_selection_nats(rated: Path, tiny_reward_model: Path, tmp_path: Path):
    out = tmp_path / "out"
    manifest = pressure_model(str(tiny_reward_model), str(rated), out=out, settings=settings(rated))
    verify_artefact(out, "pressure")
    assert manifest.counts == {"unrated": 0, "prompts": 21, "responses": 168, "left_out": 0, "unscored": 0}
    found = {finding.name: finding for finding in load_findings(out)}
    assert list(found) == ["pressure.turn", "pressure.top_accuracy", "pressure.spread", "pressure.budget"]
    assert found["pressure.budget"].unit == "selection nats"
    assert found["pressure.budget"].estimate.groups == PROMPTS
    assert not (tmp_path / "out.work").exists()
    assert "<svg" in (out / "report.html").read_text()
    assert "How far may this reward be followed?" in (out / "report.md").read_text()
    before = (out / "pressure.json").stat().st_mtime_ns
    pressure_model(str(tiny_reward_model), str(rated), out=out, settings=settings(rated))
    assert (out / "pressure.json").stat().st_mtime_ns == before, "what is there is not made again"
    evidence = load_evidence([out], model=tiny_reward_model)
    assert {finding.name for finding in evidence.findings} == set(found)


def test_a_policy_is_sampled_and_its_checkpoints_beside_it(base: str, tiny_reward_model: Path, tmp_path: Path):
    # The reward model is its own gold; the checkpoints are the policy's weights, moved ever further.
    prompts, out = _prompts(tmp_path / "prompts.jsonl", 6), tmp_path / "out"
    moved = [_moved(base, tmp_path / f"moved-{number}", by=by) for number, by in enumerate((0.2, 0.05, 0.1))]
    gold = settings(tiny_reward_model, "model")
    manifest = pressure_model(
        str(tiny_reward_model), base, out=out, settings=gold, prompts=prompts, checkpoints=[*moved, base]
    )
    assert manifest.counts["checkpoints"] == 4
    values = _read(out)
    assert values["best_of_n"]["is_drawn"] is True
    # The reward is its own gold: picked by it, gold and reward are one.
    for point in values["best_of_n"]["points"]:
        assert point["gold_gain"]["value"] == pytest.approx(point["proxy_gain"]["value"], abs=1e-6)
    kl = {point["name"]: point["kl"]["value"] for point in values["rl"]["points"]}
    assert kl[base] == 0.0, "a policy is no nats from itself"
    assert 0 < kl[moved[1]] < kl[moved[2]] < kl[moved[0]]
    assert values["rl"]["budget"]["form"] == "rl"
    assert {each["name"] for each in values["findings"]} >= {"pressure.budget", "pressure.rl_budget"}
    assert len(list(iter_groups(out))) == 6
    # Samples that are there already are draws, too.
    again = pressure_model(str(tiny_reward_model), str(out), out=tmp_path / "again", settings=gold)
    assert _read(tmp_path / "again")["best_of_n"] == values["best_of_n"]
    assert again.counts["responses"] == 6 * SIZE


def test_a_run_that_stops_after_sampling_goes_on_from_its_samples(base: str, tiny_reward_model: Path, tmp_path: Path):
    prompts, out = _prompts(tmp_path / "prompts.jsonl", 3), tmp_path / "out"
    (tmp_path / "rated.jsonl").write_text(json.dumps({"prompt": "p", "response": "r", "ratings": {"good": 1}}) + "\n")
    model = str(tiny_reward_model)
    with pytest.raises(DataError, match="without a rating"):
        pressure_model(model, base, out=out, settings=settings(tmp_path / "rated.jsonl"), prompts=prompts)
    kept = tmp_path / "out.work" / "policy" / "samples.jsonl"
    text = kept.read_bytes()
    inode = kept.stat().st_ino
    write_samples(
        load_policy(base, settings("x").sampling),
        [(group.prompt, group.group) for group in iter_groups(kept)],
        out=kept.parent,
        settings=settings("x").sampling,
        prompts_at_once=4,
    )
    assert kept.stat().st_ino == inode, "it was not sampled again"
    pressure_model(model, base, out=out, settings=settings(tiny_reward_model, "model"), prompts=prompts)
    assert (out / "samples.jsonl").read_bytes() == text


def test_what_does_not_fit_is_refused(base: str, rated: Path, tiny_reward_model: Path, tmp_path: Path):
    with pytest.raises(SettingsError, match="no prompts"):
        pressure_model(str(tiny_reward_model), base, out=tmp_path / "out", settings=settings(rated))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ArtefactError, match="something else"):
        pressure_model(str(tiny_reward_model), str(rated), out=tmp_path / "full", settings=settings(rated))
