"""Models under names: loaded, swapped, unloaded and drained under load, with real processes, without a lost request."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest
from tests.serve.stand_in import REFUSED, stand_in

from rewardsmith.core.errors import (
    DataError,
    DeadlineError,
    ModelError,
    OverloadError,
    RewardsmithError,
    SettingsError,
    UnknownModelError,
    WorkerError,
)
from rewardsmith.serve.models import ServedModels
from rewardsmith.serve.settings import ServeSettings
from rewardsmith.serve.work import Answer, Ask

Check = Callable[[ServedModels], Awaitable[None]]


def served(check: Check, *, allow_ungated: bool = True, **settings: float) -> None:
    async def go() -> None:
        said = ServeSettings.model_validate({"allow_ungated": allow_ungated, "cache_entries": 0} | settings)
        models = ServedModels(said, entry=stand_in)
        try:
            await check(models)
        finally:
            await models.drain(timeout_s=0.5)

    asyncio.run(asyncio.wait_for(go(), 60))


def ask(text: str = "four") -> Ask:
    return Ask(texts=(text,))


def reward(answer: Answer) -> float:
    return answer.scores.rewards.item()


async def outcomes(*requests: Awaitable[Answer]) -> list[float | type]:
    """The reward, or the class of the error, of each."""
    found = await asyncio.gather(*requests, return_exceptions=True)
    return [reward(each) if isinstance(each, Answer) else type(each) for each in found]


def test_a_model_is_found_by_its_name_and_the_first_one_without() -> None:
    async def check(models: ServedModels) -> None:
        assert models.listing() == ()
        assert not models.is_ready
        with pytest.raises(UnknownModelError, match="no model is loaded"):
            await models.score(None, ask())
        await asyncio.gather(models.load("a", "plain"), models.load("b", "plus:100"))
        assert [(each.name, each.state) for each in models.listing()] == [("a", "ready"), ("b", "ready")]
        assert models.is_ready
        assert await outcomes(*(models.score(name, ask()) for name in (None, "", "a", "b"))) == [4, 4, 4, 104]
        assert models.find("b").path == "plus:100"
        with pytest.raises(UnknownModelError, match="wanted one of a, b; got c") as caught:
            await models.score("c", ask())
        assert caught.value.http_status == 404
        with pytest.raises(SettingsError, match="taken"):
            await models.load("a", "plain")

    served(check)


def test_a_model_without_a_verdict_is_refused_unless_it_is_allowed() -> None:
    async def check(models: ServedModels) -> None:
        with pytest.raises(ModelError):
            await models.load("a", "plain")
        assert models.listing()[0].state == "failed"
        with pytest.raises(WorkerError):
            await models.score("a", ask())

    served(check, allow_ungated=False)


def test_while_it_loads_a_model_says_so() -> None:
    async def check(models: ServedModels) -> None:
        loading = asyncio.create_task(models.load("a", "plain"))
        await asyncio.sleep(0)
        assert models.find("a").state == "loading"
        with pytest.raises(WorkerError, match="loading") as caught:
            await models.score("a", ask())
        assert caught.value.http_status == 503
        await loading
        assert await outcomes(models.score("a", ask())) == [4]

    served(check)


def test_one_that_cannot_be_loaded_says_why_and_may_be_tried_again() -> None:
    async def check(models: ServedModels) -> None:
        with pytest.raises(ModelError, match="not a reward model"):
            await models.load("a", "broken")
        assert models.find("a").state == "failed"
        assert "not a reward model" in (models.find("a").error or "")
        await models.load("a", "plain")
        assert models.find("a").error is None
        assert await outcomes(models.score("a", ask())) == [4]

    served(check)


def test_swapped_under_load_every_request_is_answered_by_the_one_or_the_other() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "slow:0.02")
        done = asyncio.Event()

        async def client() -> list[float]:
            found = []
            while not done.is_set():
                found.append(reward(await models.score("a", ask())))
            return found

        clients = [asyncio.create_task(client()) for _ in range(8)]
        await asyncio.sleep(0.2)
        old = models.find("a").pid
        await models.swap("a", "plus:100 slow:0.02")
        after = await outcomes(models.score("a", ask()))
        await asyncio.sleep(0.2)
        done.set()
        found = [each for one in clients for each in await one]
        assert after == [104]
        assert set(found) == {4.0, 104.0}
        assert models.find("a").pid != old
        await models.drain()
        with pytest.raises(ProcessLookupError):
            os.kill(old or 0, 0)

    served(check)


def test_a_swap_that_fails_leaves_the_old_one() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "plain")
        with pytest.raises(ModelError, match="not a reward model"):
            await models.swap("a", "broken")
        assert (models.find("a").path, models.find("a").state) == ("plain", "ready")
        assert await outcomes(models.score("a", ask())) == [4]
        with pytest.raises(UnknownModelError):
            await models.swap("b", "plain")

    served(check)


def test_two_swaps_at_once_are_not_mixed_up() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "plain")
        found = await asyncio.gather(
            models.swap("a", "plus:1"), models.swap("a", "plus:2"), models.unload("a"), return_exceptions=True
        )
        assert [isinstance(each, RewardsmithError) for each in found] == [False, True, True]
        assert await outcomes(models.score("a", ask())) == [5]

    served(check)


def test_unloaded_it_finishes_what_it_took_and_takes_no_more() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "slow:0.3")
        await models.load("b", "plain")
        taken = [asyncio.create_task(models.score("a", ask("x" * k))) for k in (1, 2, 3)]
        await asyncio.sleep(0.1)
        unloading = asyncio.create_task(models.unload("a"))
        await asyncio.sleep(0)
        assert models.find("a").state == "draining"
        with pytest.raises(WorkerError, match="draining"):
            await models.score("a", ask())
        assert await outcomes(*taken) == [1, 2, 3]
        await unloading
        assert [each.name for each in models.listing()] == ["b"]
        assert await outcomes(models.score(None, ask())) == [4]

    served(check)


def test_drained_under_load_what_was_taken_is_answered_and_the_rest_is_told() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "slow:0.05")
        taken = [asyncio.create_task(models.score("a", ask("x" * k))) for k in range(1, 40)]
        await asyncio.sleep(0.07)
        draining = asyncio.create_task(models.drain())
        await asyncio.sleep(0)
        late = await outcomes(models.score("a", ask()))
        assert await outcomes(*taken) == list(range(1, 40))
        await draining
        assert late == [WorkerError]
        assert not models.is_ready

    served(check)


def test_what_is_not_answered_in_time_fails_when_it_is_drained() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "slow:30")
        taken = [asyncio.create_task(models.score("a", ask())) for _ in range(3)]
        await asyncio.sleep(0.1)
        await models.drain(timeout_s=0.1)
        assert await outcomes(*taken) == [WorkerError] * 3

    served(check)


def test_killed_under_load_every_request_is_answered() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "slow:0.05")
        taken = [asyncio.create_task(models.score("a", ask("x" * k))) for k in range(1, 30)]
        await asyncio.sleep(0.02)
        os.kill(models.find("a").pid or 0, signal.SIGKILL)
        assert await outcomes(*taken) == list(range(1, 30))
        assert models.find("a").n_restarts == 1

    served(check)


def test_the_deadline_takes_a_request_out_of_the_queue() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "slow:0.6")
        busy = asyncio.create_task(models.score("a", ask()))
        await asyncio.sleep(0.2)
        waiting = [asyncio.create_task(models.score("a", ask())) for _ in range(4)]
        with pytest.raises(DeadlineError) as caught:
            await busy
        assert caught.value.http_status == 504
        assert await outcomes(*waiting) == [DeadlineError] * 4
        assert models.find("a").depth.requests == 0
        # The late answer of the batch disturbs nobody.
        await asyncio.sleep(0.4)

    served(check, timeout_s=0.5)


def test_a_client_that_is_gone_is_not_asked_for() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "slow:0.2")
        busy = asyncio.create_task(models.score("a", ask()))
        await asyncio.sleep(0.05)
        gone = [asyncio.create_task(models.score("a", ask())) for _ in range(5)]
        stays = asyncio.create_task(models.score("a", ask("xyz")))
        await asyncio.sleep(0.01)
        for task in gone:
            task.cancel()
        assert await outcomes(busy, stays) == [4, 3]
        assert (await stays).scores.attributes["company"].item() == 1

    served(check)


def test_ten_times_too_much_is_told_at_once_and_the_rest_is_answered() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "slow:0.1")
        found = await outcomes(*(models.score("a", ask()) for _ in range(200)))
        assert set(found) == {4.0, OverloadError}
        # 20 that wait; they all came in one moment, before the model took any.
        assert found.count(4.0) == 20

    served(check, max_queue_requests=20)


def test_an_error_is_of_one_request_only() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "plain")
        found = await outcomes(*(models.score("a", ask(text)) for text in ("a", REFUSED, "ccc")))
        assert found == [1, DataError, 3]

    served(check)


def test_what_was_scored_is_remembered_and_forgotten_with_the_model() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "plain")
        both = Ask(texts=("x", "yy"))
        assert (await models.score("a", both)).n_cached == 0
        again = await models.score("a", Ask(texts=("yy", "zzz", "x")))
        assert (again.n_cached, again.scores.rewards.tolist()) == (2, [2, 3, 1])
        assert models.find("a").n_cached == 3
        await models.swap("a", "plus:100")
        assert (await models.score("a", both)).scores.rewards.tolist() == [101, 102]

    served(check, cache_entries=100)


def test_what_is_wrong_is_named_by_its_place_in_the_request_whatever_is_remembered() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "plain")
        await models.score("a", Ask(texts=("x", "yy")))
        with pytest.raises(DataError) as raised:
            await models.score("a", Ask(texts=("x", "yy", "zzz", REFUSED)))
        assert raised.value.where == "text 3"

    served(check, cache_entries=100)


def test_relative_models_get_one_request_at_a_time_and_remember_nothing() -> None:
    async def check(models: ServedModels) -> None:
        await models.load("a", "relative slow:0.02")
        answers = await asyncio.gather(*(models.score("a", ask("same")) for _ in range(5)))
        assert [each.scores.attributes["company"].item() for each in answers] == [1] * 5
        assert [each.n_cached for each in answers] == [0] * 5

    served(check, cache_entries=100)


def test_batches_are_told_with_the_name() -> None:
    told: list[tuple[str, int]] = []

    async def check(models: ServedModels) -> None:
        models.observe(lambda name, batch: told.append((name, batch.n_texts)))
        await models.load("a", "plain")
        await models.score("a", Ask(texts=("x", "y")))
        await asyncio.sleep(0.01)
        assert told == [("a", 2)]

    served(check)
