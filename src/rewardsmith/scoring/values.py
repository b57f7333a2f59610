"""What a model says of texts: each distinct one goes through the network once, and its reward is remembered."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import RewardsmithError, SettingsError
from rewardsmith.core.progress import TokenBar
from rewardsmith.core.scores import Provenance
from rewardsmith.scoring.cache import MAX_ENTRIES, RewardCache
from rewardsmith.scoring.codec import Scalar, Vector
from rewardsmith.scoring.limits import Ids, Overlength, require_known, within
from rewardsmith.scoring.passes import Network, Passes
from rewardsmith.scoring.provenance import reward_identity, state_digest, weights_mark
from rewardsmith.scoring.statistics import ScoringStatistics
from rewardsmith.scoring.windows import windows
from rewardsmith.text.encoder import ConversationEncoder

_CPU_BUDGET = 2048
_GPU_BUDGET = 8192

# A window of so many passes ends with at most one that is not full, and cuts at most one prompt's candidates in two.
_PASSES_IN_WINDOW = 64
_MOST_IN_WINDOW = 4096
_ENCODED_AT_ONCE = 128

Precision = Literal["float32", "bf16", "auto"]


class TextValues:
    """The values of conversations, in their order: what `FastScorer` and its like are made of.

    A value is a float where the network gives one number a text, and a float32 array where it gives `width` of them.

    Args:
        network: Put into evaluation mode for the time of a call.
        encoder: Its `max_tokens` is the limit.
        width: Numbers a text; one, as a float, where absent.
        token_budget: See `FastScorer`, as for the others.
        precision: Of the network's arithmetic.
        overlength: What happens to longer conversations.
        model_digest: Digest of the weights.
        cache: Folder that keeps rewards for later processes.

    Raises:
        SettingsError: The budget is below one, the precision is unknown, or the cache folder cannot be used.
    """

    def __init__(
        self,
        network: Network,
        encoder: ConversationEncoder,
        *,
        width: int | None = None,
        token_budget: int | None,
        precision: Precision,
        overlength: Overlength,
        model_digest: str | None,
        cache: str | Path | None,
    ) -> None:
        if token_budget is not None and token_budget < 1:
            raise SettingsError("token_budget is below one", wanted="at least 1", got=token_budget)
        self.network = network
        self.encoder = encoder
        self.token_budget = token_budget or (_CPU_BUDGET if network.device.type == "cpu" else _GPU_BUDGET)
        self.overlength: Overlength = overlength
        self.n_truncated = 0
        self.uses_bf16 = _uses_bf16(precision, network.device)
        self._is_fixed = False
        self._max_remembered = MAX_ENTRIES
        self.statistics = ScoringStatistics()
        self._codec = Scalar() if width is None else Vector(width)
        self._passes = Passes(network, pad_id=encoder.pad_id, token_budget=self.token_budget, uses_bf16=self.uses_bf16)
        self._folder = None if cache is None else Path(cache)
        self._weights_mark = weights_mark(network)
        weights = state_digest(network) if model_digest is None or cache is not None else model_digest
        self.provenance = Provenance(model_digest or weights, encoder.template_digest)
        self._cache = self._cache_of(weights)

    def rewards(self, conversations: Sequence[Conversation]) -> list[Any]:
        """The reward of each, computed or remembered.

        Raises:
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        return self.of_ids(self.encoder.encode(conversations), is_reward=True)

    def of_ids(self, sequences: Sequence[Ids], *, is_reward: bool) -> list[Any]:
        """The reward, or the features, of each text that is already encoded.

        Raises:
            OverlengthError: One is too long, and truncation was not asked for.
        """
        kept = self._within(sequences)
        with TokenBar("scoring", total=len(kept)) as bar:
            return self._values(kept, bar, is_reward=is_reward)

    def fix_weights(self) -> None:
        """Nobody changes the network from now on: see `FastScorer.fix_weights`."""
        self._passes.fix()
        self._is_fixed = True

    def remember_at_most(self, max_entries: int) -> None:
        """Hold no more rewards in memory than that: see `FastScorer.remember_at_most`."""
        self._max_remembered = max_entries
        self._cache.limit(max_entries)

    def require_known(self, sequences: Sequence[Ids]) -> None:
        """Refuse ids that the network cannot read; those of the encoder it can.

        Raises:
            DataError: A sequence is empty, or holds an id that the model has no embedding for.
        """
        require_known(sequences, vocabulary=self.network.config.get_text_config().vocab_size)

    def stream(self, conversations: Iterable[Conversation], *, window_tokens: int | None) -> Iterator[Any]:
        """The reward of each of any number of conversations, in bounded memory; see `FastScorer.score_stream`.

        Raises:
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        bar = TokenBar("scoring", total=len(conversations) if isinstance(conversations, Sized) else None)
        limit = window_tokens or _PASSES_IN_WINDOW * self.token_budget
        for window in windows(self._stream(conversations), max_items=_MOST_IN_WINDOW, size=len, max_size=limit):
            with bar:
                rewards = self._values(window, bar, is_reward=True)
            yield from rewards

    def features(self, conversations: Sequence[Conversation]) -> list[np.ndarray]:
        """What the last layer reads of each. Features are not remembered.

        Raises:
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        return self.of_ids(self.encoder.encode(conversations), is_reward=False)

    def _encoded(self, conversations: Sequence[Conversation], *, first: int = 0) -> list[Ids]:
        return self._within(self.encoder.encode(conversations), first=first)

    def _within(self, sequences: Sequence[Ids], *, first: int = 0) -> list[Ids]:
        kept, n_cut = within(
            sequences,
            max_tokens=self.encoder.max_tokens,
            overlength=self.overlength,
            bos_id=self.encoder.bos_id,
            first=first,
        )
        self.n_truncated += n_cut
        return kept

    def _stream(self, conversations: Iterable[Conversation]) -> Iterator[Ids]:
        first = 0
        for some in windows(conversations, max_items=_ENCODED_AT_ONCE):
            try:
                sequences = self._encoded(some)
            except RewardsmithError:
                # Again, one by one: those before the one that is refused come out before its error.
                for number, conversation in enumerate(some, start=first):
                    yield from self._encoded([conversation], first=number)
                raise
            yield from sequences
            first += len(some)

    def _values(self, sequences: Sequence[Ids], bar: TokenBar, *, is_reward: bool) -> list[Any]:
        """The reward, or the features, of each sequence; equal ones are computed once, known rewards not at all."""
        started = time.perf_counter()
        cache = self._current_cache()
        keys = [cache.key(ids) for ids in sequences]
        known = cache.find(keys) if is_reward else {}
        missing = {key: ids for key, ids in zip(keys, sequences, strict=True) if key not in known}
        bar.advance(len(keys) - len(missing), tokens=0)
        computed, computed_tokens = self._computed(missing, bar, cache=cache if is_reward else None)
        self.statistics += ScoringStatistics(
            texts=len(keys),
            computed=len(missing),
            cache_hits=sum(key in known for key in keys),
            tokens=sum(len(ids) for ids in sequences),
            computed_tokens=computed_tokens,
            seconds=time.perf_counter() - started,
        )
        values = known | computed
        return [values[key] for key in keys]

    def _computed(
        self, sequences: Mapping[bytes, Ids], bar: TokenBar, *, cache: RewardCache[Any] | None
    ) -> tuple[dict[bytes, Any], int]:
        """Rewards, each pass into the cache as it is done, so that a killed run loses one pass; features without one.

        Also the number of tokens that went in.
        """
        keys = list(sequences)
        values: dict[bytes, Any] = {}
        n_tokens = 0

        def on_pass(batch: Sequence[int], results: np.ndarray, tokens: int) -> None:
            nonlocal n_tokens
            each = results.tolist() if results.ndim == 1 else results
            found = dict(zip([keys[index] for index in batch], each, strict=True))
            if cache is not None:
                cache.add(found)
            values.update(found)
            n_tokens += tokens
            bar.advance(len(batch), tokens=tokens)

        if sequences:
            self._passes.run(list(sequences.values()), is_reward=cache is not None, on_pass=on_pass)
        return values, n_tokens

    def _current_cache(self) -> RewardCache[Any]:
        """The cache of the weights as they are now: a model that was trained or merged in between is another one."""
        if self._is_fixed:
            return self._cache
        mark = weights_mark(self.network)
        if mark != self._weights_mark:
            weights = state_digest(self.network)
            self._weights_mark = mark
            self._passes.forget_weights()
            self.provenance = Provenance(weights, self.encoder.template_digest)
            self._cache = self._cache_of(weights)
        return self._cache

    def _cache_of(self, weights: str) -> RewardCache[Any]:
        template = self.encoder.template_digest
        identity = reward_identity(self.network, weights=weights, template=template, uses_bf16=self.uses_bf16)
        return RewardCache(identity, folder=self._folder, codec=self._codec, max_entries=self._max_remembered)


def _uses_bf16(precision: Precision, device: torch.device) -> bool:
    match precision:
        case "float32":
            return False
        case "bf16":
            return True
        case "auto":
            return device.type == "cuda" and torch.cuda.is_bf16_supported()
        case other:
            raise SettingsError("unknown precision", wanted="float32, bf16 or auto", got=other)
