"""Real processes that are killed: what they held is asked again, and what ends them is refused."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from tests.serve.stand_in import DIE, DIE_ONCE, stand_in

from rewardsmith.core.errors import ModelError, RewardsmithError, WorkerError
from rewardsmith.serve import supervisor as module
from rewardsmith.serve.settings import ServeSettings
from rewardsmith.serve.supervisor import Supervisor
from rewardsmith.serve.work import Answer, Ask

Check = Callable[[Supervisor], Awaitable[None]]


def supervised(path: str, check: Check, **settings: float) -> None:
    async def go() -> None:
        supervisor = Supervisor(path, ServeSettings.model_validate(settings), entry=stand_in)
        try:
            await supervisor.start()
            await check(supervisor)
        finally:
            await supervisor.stop()

    asyncio.run(asyncio.wait_for(go(), 60))


def asks(*texts: str) -> list[Ask]:
    return [Ask(texts=(text,)) for text in texts]


def rewards(answers: Sequence[Answer | RewardsmithError]) -> list[float | None]:
    """`None` where there is an error."""
    return [each.scores.rewards.item() if isinstance(each, Answer) else None for each in answers]


def test_a_batch_whose_process_dies_is_asked_once_more(tmp_path: Path) -> None:
    async def check(supervisor: Supervisor) -> None:
        before = supervisor.pid
        answers = await supervisor.answers(asks("a", f"{DIE_ONCE}{tmp_path / 'sign'}", "ccc"))
        assert None not in rewards(answers)
        assert rewards(answers)[::2] == [1.0, 3.0]
        assert supervisor.pid != before
        assert supervisor.n_restarts == 1

    supervised("plain", check)


@pytest.mark.parametrize("at", [0, 2, 4])
def test_the_request_that_ends_processes_is_refused_and_its_neighbours_are_answered(at: int) -> None:
    async def check(supervisor: Supervisor) -> None:
        texts = ["a", "bb", "ccc", "dddd", "eeeee"]
        texts[at] = DIE
        answers = await supervisor.answers(asks(*texts))
        assert rewards(answers) == [None if text == DIE else float(len(text)) for text in texts]
        assert isinstance(answers[at], WorkerError)
        assert rewards(await supervisor.answers(asks("still there"))) == [11.0]

    supervised("plain", check)


def test_killed_from_outside_in_the_middle_of_a_batch() -> None:
    async def check(supervisor: Supervisor) -> None:
        task = asyncio.create_task(supervisor.answers(asks("a", "bb")))
        await asyncio.sleep(0.2)
        assert supervisor.pid is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        assert rewards(await task) == [1.0, 2.0]

    supervised("slow:0.5", check)


def test_killed_while_idle_it_is_started_again_before_anybody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHORT_LIFE_S", 0.0)

    async def check(supervisor: Supervisor) -> None:
        before = supervisor.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        while supervisor.n_restarts == 0 or supervisor.state != "ready":
            await asyncio.sleep(0.02)
        assert supervisor.pid != before
        assert rewards(await supervisor.answers(asks("a"))) == [1.0]
        assert supervisor.n_restarts == 1

    supervised("plain", check)


def test_one_that_is_silent_is_ended_and_its_batch_fails() -> None:
    async def check(supervisor: Supervisor) -> None:
        started = time.monotonic()
        answers = await supervisor.answers(asks("a", "b"))
        assert all(isinstance(each, WorkerError) for each in answers)
        assert time.monotonic() - started < 20
        assert "silent" in str(answers[0])

    supervised("slow:30", check, batch_timeout_s=0.3)


def test_a_model_that_cannot_be_loaded_says_why() -> None:
    async def go() -> None:
        for path, kind, said in (("broken", ModelError, "not a reward model"), ("mute", WorkerError, "code 3")):
            supervisor = Supervisor(path, ServeSettings(), entry=stand_in)
            with pytest.raises(kind, match=said):
                await supervisor.start()
            assert supervisor.state == "failed"
            assert supervisor.pid is None
            await supervisor.stop()

    asyncio.run(asyncio.wait_for(go(), 60))


def test_a_folder_that_was_written_over_does_not_slip_in_by_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.write_text("old weights")

    async def check(supervisor: Supervisor) -> None:
        folder.write_text("new weights")
        assert supervisor.pid is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        [answer] = await supervisor.answers(asks("a"))
        assert isinstance(answer, WorkerError)
        assert "other weights" in str(answer)
        assert supervisor.state == "failed"
        # Soon after nothing is tried; once the old one is back, and the pause is over, it goes on.
        folder.write_text("old weights")
        [answer] = await supervisor.answers(asks("a"))
        assert isinstance(answer, WorkerError)
        await asyncio.sleep(module._FIRST_PAUSE_S)
        assert rewards(await supervisor.answers(asks("a"))) == [1.0]

    supervised(str(folder), check)


def test_a_batch_fails_when_the_model_is_ended_for_good() -> None:
    async def check(supervisor: Supervisor) -> None:
        task = asyncio.create_task(supervisor.answers(asks("a")))
        await asyncio.sleep(0.2)
        supervisor.kill()
        assert rewards(await task) == [None]
        assert rewards(await supervisor.answers(asks("b"))) == [None]

    supervised("slow:30", check)


def test_stopping_leaves_no_process() -> None:
    async def go() -> None:
        supervisor = Supervisor("plain", ServeSettings(), entry=stand_in)
        await supervisor.start()
        number = supervisor.pid
        assert number is not None
        await asyncio.gather(supervisor.stop(), supervisor.stop())
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)

    asyncio.run(asyncio.wait_for(go(), 60))
