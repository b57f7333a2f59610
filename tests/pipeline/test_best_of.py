"""Best-of-n over a file: killed, it goes on and ends with the same bytes; the pick is what the reward model says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.scoring.families.judge.endpoint import endpoint

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ArtefactError, ModelError, SettingsError
from rewardsmith.core.store import verify_artefact
from rewardsmith.optimise.best_of import BestOfSettings
from rewardsmith.optimise.policy.policy import SamplingSettings
from rewardsmith.optimise.sample_store import iter_groups
from rewardsmith.pipeline.best_of import KIND, LINES_NAME, best_of_file
from rewardsmith.scoring.load import load_scorer

SETTINGS = BestOfSettings(sampling=SamplingSettings(n=4, max_new_tokens=12))


def _lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / LINES_NAME).read_text().splitlines()]


def _prompts(path: Path, n: int) -> str:
    path.write_text("".join(json.dumps({"prompt": f"prompt {number}"}) + "\n" for number in range(n)))
    return str(path)


@pytest.fixture(scope="module")
def base(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.save_base(tmp_path_factory.mktemp("best-of") / "base", "decoder")


def test_the_pick_is_the_reward_models_favourite(base: str, tiny_reward_model: Path, tmp_path: Path):
    prompts, out = _prompts(tmp_path / "prompts.jsonl", 11), tmp_path / "out"
    manifest = best_of_file(base, str(tiny_reward_model), prompts, out=out, settings=SETTINGS, reference=base)
    verify_artefact(out, KIND)
    assert manifest.counts["prompts"] == 11
    assert manifest.counts["responses"] == 44
    lines, scorer = _lines(out), load_scorer(tiny_reward_model, engine="reference")
    for number, (line, group) in enumerate(zip(lines, iter_groups(out), strict=True)):
        assert group.prompt == (user(f"prompt {number}"),)
        rewards = scorer.score(group.conversations()).rewards
        np.testing.assert_allclose(line["rewards"], rewards, atol=1e-4)
        assert line["response"] == group.samples[int(rewards.argmax())].text
        assert line["reward"] == max(line["rewards"])
        assert all(sample.log_prob == sample.log_prob_reference for sample in group.samples)
    before = (out / LINES_NAME).stat().st_mtime_ns
    best_of_file(base, str(tiny_reward_model), prompts, out=out, settings=SETTINGS, reference=base)
    assert (out / LINES_NAME).stat().st_mtime_ns == before, "what is there is not made again"
    assert not (tmp_path / "out.unfinished").exists()


def test_killed_it_goes_on_and_ends_with_the_same_bytes(base: str, tiny_reward_model: Path, tmp_path: Path):
    prompts, out, whole = _prompts(tmp_path / "prompts.jsonl", 64), tmp_path / "out", tmp_path / "whole"
    arguments = ["best-of", "--policy", base, "--model", tiny_reward_model, "--prompts", prompts, "--out", out]
    arguments += ["-n", 4, "--max-new-tokens", 12]
    command = [sys.executable, "-c", "from rewardsmith.cli.main import main; main()", *map(str, arguments)]
    kept = tmp_path / "out.unfinished" / "lines.jsonl"
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 120
        while not (kept.is_file() and kept.stat().st_size) and running.poll() is None and time.monotonic() < ends:
            time.sleep(0.002)
        running.send_signal(signal.SIGKILL)
    finally:
        running.kill()
        running.wait(30)
    assert not out.exists(), "it was to be killed before its end"
    known = kept.read_bytes()
    assert known.count(b"\n") >= 8
    with kept.open("ab") as stream:
        stream.write(b'{"prompt": [{"role"')
    for folder in (out, whole):
        best_of_file(base, str(tiny_reward_model), prompts, out=folder, settings=SETTINGS)
    assert (out / LINES_NAME).read_bytes() == (whole / LINES_NAME).read_bytes()
    assert (out / LINES_NAME).read_bytes().startswith(known[: known.rfind(b"\n") + 1])


def test_candidates_bring_their_prompts_and_their_nats_are_no_kl(tiny_reward_model: Path, tmp_path: Path):
    rows = [{"prompt": "a", "responses": ["x", "yy", "zzz"]}, {"prompt": "b", "responses": ["x", "x"]}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    source = str(tmp_path / "rows.jsonl")
    best_of_file(source, str(tiny_reward_model), None, out=out, settings=SETTINGS)
    first, second = _lines(out)
    said = [(user("a"), assistant(text)) for text in ("x", "yy", "zzz")]
    assert first["pick"] == int(load_scorer(tiny_reward_model).score(said).rewards.argmax())
    assert (second["pick"], second["tied"], second["n"]) == (0, 2, 2)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["fewer"] == 2
    assert summary["note"].startswith("selection nats")


def test_an_endpoint_is_a_policy(tiny_reward_model: Path, tmp_path: Path):
    with endpoint(lambda messages: "about " + messages[-1]["content"]) as served:
        prompts, out = _prompts(tmp_path / "prompts.jsonl", 3), tmp_path / "out"
        best_of_file(f"{served.url}#m", str(tiny_reward_model), prompts, out=out, settings=SETTINGS)
    assert len(served.bodies) == 12
    assert [line["response"] for line in _lines(out)] == [f"about prompt {number}" for number in range(3)]
    # The endpoint gives one text whatever the seed, so that every prompt is a tie.
    assert json.loads((out / "summary.json").read_text())["tied"] == 3


def test_what_does_not_fit_is_refused(base: str, tiny_reward_model: Path, tmp_path: Path):
    model, prompts = str(tiny_reward_model), _prompts(tmp_path / "prompts.jsonl", 2)
    with pytest.raises(SettingsError, match="no prompts"):
        best_of_file(base, model, None, out=tmp_path / "out", settings=SETTINGS)
    worst = SETTINGS.model_copy(update={"select": "worst"})
    with pytest.raises(ModelError, match="ensemble"):
        best_of_file(base, model, prompts, out=tmp_path / "out", settings=worst)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ArtefactError, match="something else"):
        best_of_file(base, model, prompts, out=tmp_path / "full", settings=SETTINGS)
