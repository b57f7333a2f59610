from __future__ import annotations

import json
import os
import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rewardsmith
from rewardsmith.core.store import verify_artefact

START = [sys.executable, "-c", "from rewardsmith.cli.main import main; main()"]
CONVERSATION = json.dumps({"prompt": "2+2?", "response": "4"})
PAIRS = "".join(
    json.dumps({"prompt": f"What is {n} + {n}?", "chosen": f"It is {2 * n}.", "rejected": "No idea."}) + "\n"
    for n in range(30)
)


def in_a_process(*arguments: object, **more: Any) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_PROGRESS_BARS"}
    command = [*START, *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "timeout": 120, **more}
    return subprocess.run(command, env=environment, **options)


def small_files_only() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def test_version(cli: Callable):
    assert cli("--version").out.strip() == rewardsmith.__version__


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("run",),
        ("data", "check"),
        ("data", "prepare"),
        ("data", "describe"),
        ("train",),
        ("evaluate",),
        ("ensemble",),
        ("gate",),
        ("report",),
        ("compare",),
        ("score",),
    ],
)
def test_every_command_explains_itself(cli: Callable, command: tuple[str, ...]):
    outcome = cli(*command, "--help")
    assert outcome.code == 0
    assert "Usage: rewardsmith" in outcome.out


def test_an_unknown_command_is_a_usage_error(cli: Callable):
    assert cli("trian").code == 2


def test_an_artefact_that_does_not_fit_on_the_disk_is_one_line_and_the_earlier_one_stays(cli: Callable, tmp_path: Path):
    data, out = tmp_path / "pairs.jsonl", tmp_path / "out"
    data.write_text(PAIRS)
    assert cli("data", "prepare", "--data", data, "--out", out).code == 0
    before = verify_artefact(out, "preferences")
    result = in_a_process(
        "data", "prepare", "--data", data, "--out", out, "--set", "data.heldout_share=0.4", preexec_fn=small_files_only
    )
    assert result.returncode == 5
    assert result.stderr.startswith(f"rewardsmith: {out}: cannot write, the disk is full or a limit is reached")
    assert result.stderr.count("\n") == 1
    assert verify_artefact(out, "preferences") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pairs.jsonl"]


def test_a_standard_output_that_takes_no_more_is_one_line(tiny_reward_model: Path, tmp_path: Path):
    (tmp_path / "rows.jsonl").write_text(CONVERSATION)
    for arguments in (["--version"], ["score", tiny_reward_model, tmp_path / "rows.jsonl"]):
        with open("/dev/full", "w") as full:
            result = in_a_process(*arguments, stdout=full)
        assert result.returncode == 5
        assert result.stderr.startswith("rewardsmith: standard output: cannot write")
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("--version",), ("--help",), ("data", "check", "{pairs}"), ("data", "check", "{pairs}", "--json")]
)
def test_a_reader_that_is_gone_before_the_first_line_ends_it_quietly(tmp_path: Path, arguments: tuple[str, ...]):
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(PAIRS)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = in_a_process(*(each.format(pairs=pairs) for each in arguments), stdout=writing)
    finally:
        os.close(writing)
    assert (result.returncode, result.stderr) == (141, "")


def test_a_reader_that_takes_the_first_line_only_ends_it_quietly(tiny_reward_model: Path, tmp_path: Path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(f"{CONVERSATION}\n" * 2000)
    command = shlex.join([*START, "score", str(tiny_reward_model), str(rows)])
    piped = ["bash", "-c", f"{command} | head -n 1; exit ${{PIPESTATUS[0]}}"]
    result = subprocess.run(piped, capture_output=True, text=True, timeout=120, check=False)
    assert (result.returncode, result.stderr) == (141, "")
    assert json.loads(result.stdout)["id"] == 1


def test_no_progress_bars_where_standard_error_is_no_terminal(tiny_reward_model: Path, tmp_path: Path):
    (tmp_path / "rows.jsonl").write_text(CONVERSATION)
    result = in_a_process("score", tiny_reward_model, tmp_path / "rows.jsonl")
    assert "reward" in json.loads(result.stdout)
    # The summary, and nothing that moves or erases.
    assert len(result.stderr.splitlines()) == 1
    assert not re.search(r"[\r\x1b]", result.stderr)
