"""The whole server, started as a user starts it: ready, asked, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from rewardsmith.core.errors import SettingsError
from rewardsmith.scoring.load import load_scorer
from rewardsmith.serve.run import named_models, serve
from rewardsmith.serve.settings import ServeSettings

COMMAND = (sys.executable, "-c", "from rewardsmith.cli.main import main; main()", "serve")


@contextlib.contextmanager
def running(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A server that is ready, and what it said."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments), "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_it_serves_until_sigterm_and_finishes_what_it_took(tiny_reward_model: Path) -> None:
    with running(f"tiny={tiny_reward_model}", "--allow-ungated", "--precision", "float32") as (process, ready):
        assert ready["models"] == [
            {
                "name": "tiny",
                "path": str(tiny_reward_model),
                "family": "single",
                "precision": "float32",
                "max_tokens": 200,
                "gate": "ungated",
            }
        ]
        # Few enough that their log lines fit into the pipe, which nobody reads before the end.
        texts = [f"answer {number} " * 12 for number in range(150)]

        async def go() -> list[Any]:
            async with httpx2.AsyncClient(base_url=ready["url"], timeout=60) as client:
                tasks = [
                    asyncio.create_task(client.post("/classify", json={"input": text, "add_special_tokens": False}))
                    for text in texts
                ]
                # The first reply is there, and the others are on their way.
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                process.send_signal(signal.SIGTERM)
                return await asyncio.gather(*tasks, return_exceptions=True)

        replies = asyncio.run(go())
        _, logged = process.communicate(timeout=60)
        assert process.returncode == 0
    scorer: Any = load_scorer(tiny_reward_model)
    wanted = scorer.score_ids(scorer.encoder.tokenise(texts)).rewards
    answered = [place for place, reply in enumerate(replies) if getattr(reply, "status_code", None) == 200]
    assert answered
    for place in answered:
        np.testing.assert_allclose(replies[place].json()["data"][0]["probs"], [wanted[place]], atol=1e-5)
    # Whatever reached the server got a reply: 503 for what came too late. The others found nobody any more.
    told = Counter(reply.status_code for reply in replies if isinstance(reply, httpx2.Response))
    lines = [json.loads(line) for line in logged.splitlines()]
    assert told == Counter(line["status"] for line in lines if line["message"] == "request")
    assert told.keys() <= {200, 503}
    assert all(isinstance(reply, httpx2.Response | httpx2.TransportError) for reply in replies)
    assert "answer 1" not in logged


def test_a_model_that_cannot_be_loaded_ends_it_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    done = subprocess.run([*COMMAND, str(tmp_path), "--port", "0"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 4
    assert str(tmp_path) in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_a_port_that_is_taken_is_told_before_anything_is_loaded() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match="cannot listen"):
            serve({"a": "nothing"}, ServeSettings(port=taken.getsockname()[1]))


def test_others_are_not_served_without_keys() -> None:
    with pytest.raises(SettingsError):
        serve({"a": "nothing"}, ServeSettings(host="0.0.0.0", port=0))


def test_names_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "runs=1" / "helpful"
    folder.mkdir(parents=True)
    assert named_models([str(folder), "b=x/y", "org/model"]) == {
        "helpful": str(folder),
        "b": "x/y",
        "org/model": "org/model",
    }
    assert named_models([f"a={folder}"]) == {"a": str(folder)}
    monkeypatch.chdir(folder)
    assert named_models(["."]) == {"helpful": "."}
    with pytest.raises(SettingsError, match="two models"):
        named_models(["a=x", "a=y"])
    with pytest.raises(SettingsError, match="nothing to serve"):
        named_models([])
