"""What waits goes in together; nothing waits for company; what is cancelled is never asked."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError, OverloadError, RewardsmithError, WorkerError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.serve.batcher import Batch, Batcher, waiting_places
from rewardsmith.serve.work import Answer, Ask


class Model:
    """Answers with the lengths of the texts, when it is let; keeps what it was asked."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.batches: list[list[Ask]] = []
        self.gate = asyncio.Event()
        if is_open:
            self.gate.set()

    async def __call__(self, asks: Sequence[Ask]) -> list[Answer | RewardsmithError]:
        self.batches.append(list(asks))
        await self.gate.wait()
        return [_answer(ask) for ask in asks]


def _answer(ask: Ask) -> Answer | RewardsmithError:
    texts = [*ask.texts, *(each[-1].content for each in ask.conversations), *("x" * len(each) for each in ask.ids)]
    if "bad" in texts:
        return DataError("bad")
    return Answer(Scores(np.array([len(text) for text in texts], np.float32), Provenance("m", "t")), n_truncated=1)


def batcher(
    model: Model, *, requests: int = 100, tokens: int = 100_000, batch: int = 1000, merges: bool = True
) -> Batcher:
    return Batcher(model, max_queue_requests=requests, max_queue_tokens=tokens, max_batch_tokens=batch, merges=merges)


def ask(*texts: str) -> Ask:
    return Ask(texts=texts)


def ids(*lengths: int) -> Ask:
    """Texts whose tokens are known exactly."""
    return Ask(ids=tuple((7,) * length for length in lengths))


def test_an_idle_model_gets_a_request_at_once_and_alone() -> None:
    async def go() -> None:
        model = Model()
        answer = await asyncio.wait_for(batcher(model).score(ask("four")), 1)
        assert answer.scores.rewards.tolist() == [4.0]
        assert answer.n_truncated == 1
        assert answer.queue_s < 0.5

    asyncio.run(go())


def test_what_comes_while_it_works_goes_in_together() -> None:
    async def go() -> None:
        model = Model(is_open=False)
        queue = batcher(model)
        first = asyncio.create_task(queue.score(ask("first")))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(queue.score(ask("x" * k))) for k in range(1, 6)]
        await asyncio.sleep(0.01)
        assert [len(batch) for batch in model.batches] == [1]
        assert queue.depth.requests == 5
        model.gate.set()
        await first
        answers = await asyncio.gather(*others)
        assert [len(batch) for batch in model.batches] == [1, 5]
        assert [each.scores.rewards.tolist() for each in answers] == [[1.0], [2.0], [3.0], [4.0], [5.0]]
        assert queue.depth.requests == queue.depth.tokens == 0

    asyncio.run(go())


def test_requests_of_one_moment_go_in_together_even_to_an_idle_model() -> None:
    async def go() -> None:
        model = Model()
        queue = batcher(model)
        await asyncio.gather(*(queue.score(ask("x")) for _ in range(8)))
        assert [len(batch) for batch in model.batches] == [8]

    asyncio.run(go())


def test_those_with_the_prompt_of_the_first_are_pulled_forward() -> None:
    async def go() -> None:
        model = Model(is_open=False)
        queue = batcher(model, batch=40)
        one, other = user("one prompt"), user("another prompt")

        def of(prompt: object, text: str) -> Ask:
            return Ask(conversations=((prompt, assistant(text)),))  # type: ignore[arg-type]

        tasks = [asyncio.create_task(queue.score(ask("busy")))]
        await asyncio.sleep(0.01)
        order = [of(one, "a"), of(other, "b"), of(other, "c"), of(other, "d"), of(other, "e"), of(one, "f")]
        tasks += [asyncio.create_task(queue.score(each)) for each in order]
        await asyncio.sleep(0.01)
        model.gate.set()
        await asyncio.gather(*tasks)
        said = [[each.conversations[0][-1].content for each in batch] for batch in model.batches[1:]]
        assert said[0][:2] == ["a", "f"]
        assert sorted(text for batch in said for text in batch) == list("abcdef")

    asyncio.run(go())


def test_a_request_larger_than_a_batch_takes_turns_with_the_others() -> None:
    async def go() -> None:
        model = Model(is_open=False)
        queue = batcher(model, batch=10)
        busy = asyncio.create_task(queue.score(ids(10)))
        await asyncio.sleep(0.01)
        large = asyncio.create_task(queue.score(ids(4, 4, 4, 4, 4)))
        small = asyncio.create_task(queue.score(ids(3)))
        await asyncio.sleep(0.01)
        model.gate.set()
        await asyncio.gather(busy, large, small)
        # 4 + 4, where 3 does not fit any more; then the small one before the rest of the large one: 12 are left,
        # more than a batch, so one of 4 goes in beside it.
        assert [[len(each.ids) for each in batch] for batch in model.batches[1:]] == [[2], [1, 1], [2]]

    asyncio.run(go())


@settings(max_examples=30, deadline=None)
@given(
    requests=st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=6), min_size=1, max_size=12),
    batch=st.integers(1, 60),
    merges=st.booleans(),
)
def test_every_text_is_asked_once_and_answered_in_its_place(
    requests: list[list[int]], batch: int, merges: bool
) -> None:
    async def go() -> None:
        seen: list[Ask] = []

        async def model(asks: Sequence[Ask]) -> list[Answer | RewardsmithError]:
            seen.extend(asks)
            await asyncio.sleep(0)
            if not merges:
                assert len(asks) == 1
            elif len(asks) > 1 or len(asks[0]) > 1:
                assert sum(len(each) for one in asks for each in one.ids) <= batch
            return [
                Answer(
                    Scores(np.array([each[0] for each in one.ids], np.float32), Provenance("m", "t")),
                    n_tokens=tuple(len(each) for each in one.ids),
                )
                for one in asks
            ]

        queue = Batcher(model, max_queue_requests=100, max_queue_tokens=10**6, max_batch_tokens=batch, merges=merges)
        marked = [
            Ask(ids=tuple((100 * number + place,) * length for place, length in enumerate(lengths)))
            for number, lengths in enumerate(requests)
        ]
        answers = await asyncio.gather(*(queue.score(each) for each in marked))
        for one, answer in zip(marked, answers, strict=True):
            assert answer.scores.rewards.tolist() == [each[0] for each in one.ids]
            assert answer.n_tokens == tuple(len(each) for each in one.ids)
        asked = sorted(each[0] for one in seen for each in one.ids)
        assert asked == sorted(each[0] for one in marked for each in one.ids)
        assert queue.depth.requests == queue.depth.tokens == 0

    asyncio.run(go())


def test_a_full_queue_refuses_and_says_when_to_come_again() -> None:
    async def go() -> None:
        model = Model(is_open=False)
        queue = batcher(model, tokens=100)
        tasks = [asyncio.create_task(queue.score(ids(60)))]
        await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(queue.score(ids(60)))]
        await asyncio.sleep(0.01)
        with pytest.raises(OverloadError) as caught:
            await queue.score(ids(41))
        assert caught.value.http_status == 429
        assert caught.value.retry_after_s >= 1
        # What fits is taken, whatever was refused before.
        tasks += [asyncio.create_task(queue.score(ids(40)))]
        await asyncio.sleep(0.01)
        assert queue.depth.tokens == 100
        for task in tasks:
            task.cancel()

    asyncio.run(go())


def test_one_request_may_be_larger_than_the_queue() -> None:
    async def go() -> None:
        assert len((await batcher(Model(), tokens=10).score(ask("x" * 500))).scores) == 1

    asyncio.run(go())


def test_the_number_of_requests_is_bounded_too() -> None:
    async def go() -> None:
        model = Model(is_open=False)
        queue = batcher(model, requests=2)
        tasks = [asyncio.create_task(queue.score(ask("x")))]
        await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(queue.score(ask("x"))) for _ in range(2)]
        await asyncio.sleep(0.01)
        with pytest.raises(OverloadError, match="queue is full"):
            await queue.score(ask("x"))
        for task in tasks:
            task.cancel()

    asyncio.run(go())


def test_the_time_to_come_again_is_what_must_go_first_over_the_measured_speed() -> None:
    async def go() -> None:
        queue = batcher(Model(), tokens=100)
        assert queue.retry_after_s(10**9) == 1.0, "nothing is known of its speed yet"
        queue._tokens_per_s = 10.0
        # 150 tokens of which 100 may wait: 50 must go, at 10 a second.
        assert queue.retry_after_s(150) == 5.0
        assert queue.retry_after_s(100) == 1.0
        assert queue.retry_after_s(10**9) == 60.0

    asyncio.run(go())


def test_who_would_wait_too_long_is_told_at_once() -> None:
    async def go() -> None:
        model = Model(is_open=False)
        queue = batcher(model, batch=100)
        queue._max_queue_s, queue._tokens_per_s = 20.0, 10.0
        tasks = [asyncio.create_task(queue.score(ids(60)))]
        await asyncio.sleep(0.01)
        # The model works and nothing waits: whatever its length, it is taken.
        tasks += [asyncio.create_task(queue.score(ids(190)))]
        await asyncio.sleep(0.01)
        # 190 tokens and 11 are 20.1 s at 10 a second.
        with pytest.raises(OverloadError, match="about 19 s") as caught:
            await queue.score(ids(11))
        assert caught.value.retry_after_s == 19.0
        tasks += [asyncio.create_task(queue.score(ids(10)))]
        await asyncio.sleep(0.01)
        assert queue.depth.tokens == 200
        for task in tasks:
            task.cancel()

    asyncio.run(go())


def test_a_machine_that_slept_is_trusted_again() -> None:
    async def go() -> None:
        queue = batcher(Model(), batch=10_000)
        # A full batch took an hour: only a single request at a time would be let in, and no batch would be full again.
        queue._tokens_per_s = 3.0
        for _ in range(3):
            await queue.score(ids(50))
            await asyncio.sleep(0.01)
        assert queue.tokens_per_s > 100

    asyncio.run(go())


def test_a_small_batch_says_nothing_of_the_speed_of_a_queue() -> None:
    async def go() -> None:
        queue = batcher(Model(), batch=100)
        await queue.score(ids(49))
        await asyncio.sleep(0.01)
        assert queue.tokens_per_s == math.inf
        await queue.score(ids(50))
        await asyncio.sleep(0.01)
        assert queue.tokens_per_s < math.inf
        alone = batcher(Model(), batch=100, merges=False)
        await alone.score(ids(1))
        await asyncio.sleep(0.01)
        assert alone.tokens_per_s < math.inf, "one that takes requests alone has no others"

    asyncio.run(go())


def test_who_is_gone_is_not_asked_for() -> None:
    async def go() -> None:
        model = Model(is_open=False)
        queue = batcher(model)
        busy = asyncio.create_task(queue.score(ask("busy")))
        await asyncio.sleep(0.01)
        gone, stays = (asyncio.create_task(queue.score(ask(text))) for text in ("gone", "stays"))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0.01)
        assert queue.depth.requests == 1
        model.gate.set()
        await asyncio.gather(busy, stays)
        assert [each.texts for each in model.batches[1]] == [("stays",)]
        assert queue.depth.tokens == 0

    asyncio.run(go())


def test_who_goes_in_the_middle_leaves_the_others_alone() -> None:
    async def go() -> None:
        model = Model(is_open=False)
        queue = batcher(model)
        both = [asyncio.create_task(queue.score(ask(text))) for text in ("gone", "stays")]
        await asyncio.sleep(0.01)
        both[0].cancel()
        await asyncio.sleep(0.01)
        model.gate.set()
        assert (await both[1]).scores.rewards.tolist() == [5.0]
        # And the model is free again.
        assert (await queue.score(ask("xy"))).scores.rewards.tolist() == [2.0]

    asyncio.run(go())


def test_an_error_goes_to_the_request_that_it_is_about() -> None:
    async def go() -> None:
        queue = batcher(Model())
        found = await asyncio.gather(
            queue.score(ask("good")), queue.score(ask("bad")), queue.score(ask("x")), return_exceptions=True
        )
        assert isinstance(found[1], DataError)
        assert [each.scores.rewards.tolist() for each in found if isinstance(each, Answer)] == [[4.0], [1.0]]

    asyncio.run(go())


def test_a_failure_of_the_whole_batch_is_told_to_all_and_the_queue_goes_on() -> None:
    async def go() -> None:
        failures = [ZeroDivisionError("x")]

        async def model(asks: Sequence[Ask]) -> list[Answer | RewardsmithError]:
            if failures:
                raise failures.pop()
            return [_answer(each) for each in asks]

        queue = Batcher(model, max_queue_requests=9, max_queue_tokens=999, max_batch_tokens=99)
        found = await asyncio.gather(queue.score(ask("a")), queue.score(ask("b")), return_exceptions=True)
        assert all(isinstance(each, WorkerError) for each in found)
        assert (await queue.score(ask("abc"))).scores.rewards.tolist() == [3.0]

    asyncio.run(go())


def test_batches_are_told() -> None:
    async def go() -> None:
        told: list[Batch] = []
        queue = Batcher(Model(), max_queue_requests=9, max_queue_tokens=999, max_batch_tokens=50, on_batch=told.append)
        await queue.score(ids(10, 15))
        await asyncio.sleep(0.01)
        assert [(each.n_requests, each.n_texts, each.n_tokens, each.fill) for each in told] == [(1, 2, 25, 0.5)]
        assert 0 < queue.tokens_per_s < math.inf

    asyncio.run(go())


def test_places_of_a_batch_by_hand() -> None:
    assert waiting_places([4, 4, 4], begun=0, room=8) == range(2)
    assert waiting_places([4, 4, 4], begun=2, room=8) == range(2, 3)
    assert waiting_places([9, 1], begun=0, room=3) == range(1)
