"""A policy behind an OpenAI-compatible chat endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rewardsmith.core.conversation import Conversation
from rewardsmith.optimise.policy.policy import Prompt, SamplingSettings, require_prompt, response_seed
from rewardsmith.optimise.samples import Sample, SampleGroup
from rewardsmith.scoring.families.judge.cache import ReplyCache
from rewardsmith.scoring.families.judge.client import ChatClient
from rewardsmith.scoring.families.judge.parallel import in_parallel
from rewardsmith.scoring.families.judge.reply import Reply
from rewardsmith.scoring.families.judge.settings import RemoteBackend

_REMEMBERED = 256
"""Replies in memory: samples are written down elsewhere."""


class EndpointPolicy:
    """Asks for one reply a response, each with a seed of its own, several at once.

    What a server makes of `seed` is its own affair: one that ignores it gives other responses each time. No
    log-probabilities are known, so that no KL can be measured.

    Args:
        backend: The endpoint. Its `temperature` is not read; that of `settings` is sent.
        settings: Their `n` and `seed` are not read here.
        environment: Where the key is read from; the process's own where absent.

    Raises:
        SettingsError: The variable that should hold the key is not set.
    """

    def __init__(
        self,
        backend: RemoteBackend,
        settings: SamplingSettings | None = None,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings or SamplingSettings()
        self._backend = backend.model_copy(update={"temperature": self.settings.temperature})
        self._environment = environment
        self._cache = ReplyCache(max_entries=_REMEMBERED)
        self._clients: dict[tuple[int, int], ChatClient] = {}
        # Here, so that a missing key is an error before anything else is done.
        self._client(0, 0)

    @property
    def identity(self) -> Mapping[str, Any]:
        """Address and body; what the server does behind its name for the model cannot be seen."""
        return {
            "url": self._backend.url,
            "model": self._backend.model,
            "extra": dict(self._backend.extra),
            "decoding": self.settings.model_dump(include={"max_new_tokens", "temperature", "top_p"}),
        }

    def sample(self, prompts: Sequence[Prompt], *, n: int, seed: int) -> Iterator[SampleGroup]:
        """`n` responses to each prompt, in order.

        Raises:
            DataError: A prompt is empty, or ends with the assistant's turn.
            JudgeError: The endpoint does not answer.
        """
        for prompt, _ in prompts:
            require_prompt(prompt)
        for number in range(n):
            self._client(seed, number)
        for prompt, group in prompts:
            yield SampleGroup(prompt, group, self._responses(prompt, n, seed))

    def _responses(self, prompt: Conversation, n: int, seed: int) -> tuple[Sample, ...]:
        def ask(number: int) -> Sample:
            return self._sample(self._client(seed, number).complete(prompt))

        return tuple(in_parallel(ask, range(n), at_once=self._backend.concurrency))

    def _sample(self, reply: Reply) -> Sample:
        tokens = reply.completion_tokens
        is_cut = tokens is not None and tokens >= self.settings.max_new_tokens
        return Sample(text=reply.text, n_tokens=tokens or 0, is_finished=not is_cut)

    def _client(self, seed: int, number: int) -> ChatClient:
        """A client a number: the seed stands in the body, which is fixed in a client."""
        if (seed, number) not in self._clients:
            # 31 bits: servers take a signed integer.
            own = response_seed(seed, (), number) % (1 << 31)
            extra = {"seed": own, "top_p": self.settings.top_p} | self._backend.extra
            self._clients[seed, number] = ChatClient(
                self._backend.model_copy(update={"extra": extra}),
                max_reply_tokens=self.settings.max_new_tokens,
                cache=self._cache,
                environment=self._environment,
            )
        return self._clients[seed, number]
