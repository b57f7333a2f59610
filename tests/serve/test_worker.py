"""A real model in a process of its own: what it says of itself, what it scores, how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ModelError, OverlengthError
from rewardsmith.scoring.load import load_scorer
from rewardsmith.serve.process import ModelProcess
from rewardsmith.serve.settings import ServeSettings
from rewardsmith.serve.supervisor import Supervisor
from rewardsmith.serve.work import Answer, Ask
from rewardsmith.serve.worker import LoadOptions, load

OPTIONS: dict[str, Any] = {"precision": "float32", "threads": 1}
ASKS = [
    Ask(conversations=((user("Which?"), assistant("this one")), (user("Which?"), assistant("that one")))),
    Ask(conversations=((user("x " * 200), assistant("too long")),)),
    Ask(texts=("as it is",)),
]


def require_right(found: list[Any], folder: Path) -> None:
    wanted = load_scorer(folder, engine="reference").score(ASKS[0].conversations).rewards
    assert isinstance(found[0], Answer)
    np.testing.assert_allclose(found[0].scores.rewards, wanted, atol=1e-5, rtol=0)
    assert isinstance(found[1], OverlengthError)
    assert isinstance(found[2], Answer)


@pytest.fixture(scope="module")
def process(tiny_reward_model: Path) -> Iterator[tuple[ModelProcess, Any]]:
    process = ModelProcess(str(tiny_reward_model), OPTIONS)
    try:
        yield process, process.start(timeout_s=300)
    finally:
        process.end()


def test_it_says_what_it_is(process: tuple[ModelProcess, Any], tiny_reward_model: Path) -> None:
    card = process[1]
    scorer = load_scorer(tiny_reward_model)
    assert card.provenance == scorer.score([]).provenance
    assert (card.family, card.max_tokens, card.precision) == ("single", 200, "float32")
    assert card.can == {"texts", "ids"}
    assert card.shares_prompts
    assert not card.is_relative
    assert card.temperature is None


def test_it_answers(process: tuple[ModelProcess, Any], tiny_reward_model: Path) -> None:
    require_right(process[0].ask(ASKS, timeout_s=60), tiny_reward_model)


def test_signals_to_the_group_do_not_end_it(process: tuple[ModelProcess, Any], tiny_reward_model: Path) -> None:
    """Ctrl-C in a terminal goes to all; the parent decides when this one ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process[0].pid or 0, number)
    require_right(process[0].ask(ASKS, timeout_s=60), tiny_reward_model)


def test_killed_in_the_middle_of_a_batch_all_is_answered_and_right(tiny_reward_model: Path) -> None:
    many = [Ask(conversations=((user("q"), assistant(f"{number} " * 30)),)) for number in range(400)]

    async def go() -> list[Any]:
        supervisor = Supervisor(str(tiny_reward_model), ServeSettings.model_validate(OPTIONS))
        try:
            await supervisor.start()
            task = asyncio.create_task(supervisor.answers(many))
            await asyncio.sleep(0.05)
            assert not task.done()
            os.kill(supervisor.pid or 0, signal.SIGKILL)
            found = await task
            assert supervisor.n_restarts == 1
            return found
        finally:
            await supervisor.stop()

    found = asyncio.run(asyncio.wait_for(go(), 300))
    wanted = load_scorer(tiny_reward_model).score([ask.conversations[0] for ask in many]).rewards
    np.testing.assert_allclose([each.scores.rewards.item() for each in found], wanted, atol=1e-5, rtol=0)


def test_it_ends_with_its_parent(tiny_reward_model: Path) -> None:
    """A parent that is killed cannot say goodbye: the pipe's end does."""
    code = (
        "import sys, time\n"
        "from tests.serve.stand_in import stand_in\n"
        "from rewardsmith.serve.process import ModelProcess\n"
        "if __name__ == '__main__':\n"
        "    process = ModelProcess('plain', {}, entry=stand_in)\n"
        "    process.start(timeout_s=60)\n"
        "    print(process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    script = tiny_reward_model.parent / "parent.py"
    script.write_text(code, "utf-8")
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(root)}, text=True
    )
    assert parent.stdout is not None
    number = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        if not _runs(number):
            return
        time.sleep(0.05)
    pytest.fail("the model's process outlives its parent")


def _runs(number: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text("utf-8")
    except FileNotFoundError:
        return False


def test_the_server_knows_no_torch() -> None:
    code = (
        "import sys, rewardsmith.serve.run, rewardsmith.serve.app, rewardsmith.serve.models\n"
        "print(sorted({'torch', 'transformers', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        load(str(tmp_path), LoadOptions())


def test_a_cache_that_cannot_be_used_costs_no_result(tiny_reward_model: Path, tmp_path: Path, caplog: Any) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    scorer, _ = load(str(tiny_reward_model), LoadOptions(cache=blocked / "cache"))
    assert len(scorer.score(ASKS[0].conversations)) == 2
    assert "without a cache" in caplog.text
    load(str(tiny_reward_model), LoadOptions(cache=tmp_path / "cache"))[0].score(ASKS[0].conversations)
    assert list((tmp_path / "cache").glob("*.sqlite"))


def test_a_cache_on_a_full_disk_costs_no_result(tiny_reward_model: Path, tmp_path: Path, caplog: Any) -> None:
    """A limit on the size of files is a full disk, told by the same errors."""
    import resource

    scorer, _ = load(str(tiny_reward_model), LoadOptions(cache=tmp_path / "cache"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        found = scorer.score(ASKS[0].conversations)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    wanted = load_scorer(tiny_reward_model).score(ASKS[0].conversations)
    np.testing.assert_allclose(found.rewards, wanted.rewards, atol=1e-6)
    assert "going on without it" in caplog.text
