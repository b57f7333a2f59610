"""Several requests in one call of a scorer; what is wrong with one of them is told to that one."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError, ModelError, OverlengthError, RewardsmithError, SettingsError, WorkerError
from rewardsmith.core.scores import Relative, Scorer, Scores, TokenScorer
from rewardsmith.scoring.families.judge.groups import by_prompt
from rewardsmith.scoring.limits import Ids, within
from rewardsmith.scoring.overlength import with_overlength
from rewardsmith.serve.threads import Threads
from rewardsmith.serve.work import Answer, Ask
from rewardsmith.text.encoder import ConversationEncoder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """One request, ready for the scorer.

    Attributes:
        texts: Token ids or conversations, as the scorer takes them.
        n_tokens: Of each, after any cut; empty where the family does not tell.
        n_truncated: How many were cut.
        cut: Which ones; empty where the family only counts them.
    """

    texts: Sequence[Any]
    n_tokens: tuple[int, ...] = ()
    n_truncated: int = 0
    cut: tuple[bool, ...] = ()


class Answering:
    """Answers batches of requests with one scorer.

    All texts of a batch go into one call, so that the scorer's own planner packs them and shares their prompts. A
    request that is refused (too long above all) leaves its neighbours alone.

    A scorer of tokens gets ids, so that a request's own limit and truncation are exact and its tokens are counted.
    Others get conversations; a request of theirs that may be truncated is scored by itself, which tells what was cut.

    Args:
        scorer: Refuses what is too long.
        max_text_tokens: Longest text of any request; what the model takes where absent.
        threads: Of torch, by the tokens of a batch; as many as there are where absent.
    """

    def __init__(self, scorer: Scorer, *, max_text_tokens: int | None = None, threads: Threads | None = None) -> None:
        self._scorer = scorer
        self._max_text_tokens = max_text_tokens
        self._threads = threads
        self._encoder = encoder_of(scorer)
        self._tokens: TokenScorer | None = scorer if isinstance(scorer, TokenScorer) else None
        self._is_relative = isinstance(scorer, Relative)
        self._cutting = scorer if self._tokens else with_overlength(scorer, "truncate")

    def answers(self, asks: Sequence[Ask]) -> list[Answer | RewardsmithError]:
        """One answer, or what is wrong, for each request, in order."""
        started = time.perf_counter()
        found: list[Answer | RewardsmithError | None] = [None] * len(asks)
        together: dict[int, _Prepared] = {}
        for place, ask in enumerate(asks):
            try:
                if self._goes_alone(ask):
                    found[place] = self._alone(ask)
                else:
                    together[place] = self._prepared(ask)
            except Exception as error:
                found[place] = _told(error)
        for place, answer in zip(together, self._together(list(together.values())), strict=True):
            found[place] = answer
        seconds = time.perf_counter() - started
        return [replace(each, score_s=seconds) if isinstance(each, Answer) else _there(each) for each in found]

    def _goes_alone(self, ask: Ask) -> bool:
        return self._is_relative or (ask.truncate and self._tokens is None)

    def _together(self, requests: Sequence[_Prepared]) -> list[Answer | RewardsmithError]:
        """In one call; where that fails, in one call a request."""
        if not requests:
            return []
        try:
            scores = self._score([text for request in requests for text in request.texts])
        except Exception as error:
            if len(requests) == 1:
                return [_told(error)]
            return [each for request in requests for each in self._together([request])]
        ends = np.cumsum([len(request.texts) for request in requests]).tolist()
        return [
            _answer(scores.take(slice(end - len(request.texts), end)), request)
            for end, request in zip(ends, requests, strict=True)
        ]

    def _score(self, texts: Sequence[Any]) -> Scores:
        if self._tokens is None:
            return self._scorer.score(texts)
        if self._threads is not None:
            torch.set_num_threads(self._threads.of(sum(map(len, texts))))
        return self._tokens.score_ids(texts)

    def _prepared(self, ask: Ask) -> _Prepared:
        if self._tokens is not None:
            return self._fitted(ask, self._tokens.encoder)
        conversations = _conversations(ask)
        return _Prepared(conversations, self._counted(conversations, ask))

    def _fitted(self, ask: Ask, encoder: ConversationEncoder) -> _Prepared:
        sequences = _encoded(ask, encoder)
        kept, n_cut = within(
            sequences,
            max_tokens=self._limit(ask),
            overlength="truncate" if ask.truncate else "raise",
            bos_id=encoder.bos_id,
        )
        cut = tuple(len(after) < len(before) for before, after in zip(sequences, kept, strict=True))
        return _Prepared(kept, tuple(len(ids) for ids in kept), n_cut, cut)

    def _alone(self, ask: Ask) -> Answer | RewardsmithError:
        """The answer to a request that has a call to itself."""
        scorer = self._cutting if ask.truncate else self._scorer
        conversations = _conversations(ask)
        if self._is_relative:
            _require_rivals(conversations)
        n_tokens = self._counted(conversations, ask)
        before = _n_truncated(scorer)
        scores = scorer.score(conversations)
        return _answer(scores, _Prepared(conversations, n_tokens, min(len(ask), _n_truncated(scorer) - before)))

    def _counted(self, conversations: Sequence[Conversation], ask: Ask) -> tuple[int, ...]:
        """Tokens of each, where the family has one tokenizer for all; and the request's own limit.

        Raises:
            OverlengthError: One has more than the request's own limit.
            SettingsError: It is to be cut to another length than the model's.
        """
        limit = self._limit(ask)
        if self._encoder is None:
            return ()
        counts = [len(ids) for ids in self._encoder.encode(conversations)]
        own = self._encoder.max_tokens
        for number, count in enumerate(counts):
            if limit is not None and count > limit and not ask.truncate:
                raise OverlengthError(
                    "a conversation is too long",
                    wanted=f"at most {limit} tokens",
                    got=f"{count} tokens",
                    where=f"conversation {number}",
                    fix="shorten it, or allow truncation of the prompt",
                )
            if limit is not None and count > limit and limit != own:
                raise SettingsError(
                    "this family cuts to its own length only", wanted=f"{own} tokens", got=limit, where="max_tokens"
                )
        return tuple(count if own is None else min(count, own) for count in counts)

    def _limit(self, ask: Ask) -> int | None:
        """The tightest of the request's, the server's and the model's limit."""
        own = None if self._encoder is None else self._encoder.max_tokens
        limits = [limit for limit in (ask.max_tokens, self._max_text_tokens, own) if limit is not None]
        return min(limits, default=None)


def encoder_of(scorer: object) -> ConversationEncoder | None:
    """What makes token ids for `scorer`, where it is one encoder that also knows the longest text."""
    for each in (scorer, getattr(scorer, "base", None)):
        encoder = getattr(each, "encoder", None)
        if isinstance(encoder, ConversationEncoder):
            return encoder
    return None


def _encoded(ask: Ask, encoder: ConversationEncoder) -> list[Ids]:
    if ask.conversations:
        return encoder.encode(ask.conversations)
    if ask.texts:
        ids = encoder.tokenise(ask.texts)
        return [_with_bos(each, encoder.bos_id) for each in ids] if ask.adds_bos else ids
    return [_ids(each, number) for number, each in enumerate(ask.ids)]


def _with_bos(ids: Ids, bos_id: int | None) -> Ids:
    """`ids` with one BOS at the start, where the model has one."""
    if bos_id is None or (len(ids) and int(ids[0]) == bos_id):
        return ids
    return np.concatenate([np.array([bos_id], dtype=np.int32), ids])


def _ids(ids: Sequence[int], number: int) -> Ids:
    try:
        return np.array(ids, dtype=np.int32)
    except OverflowError as error:
        raise DataError("not a token id", wanted="32 bits", got=max(ids, key=abs), where=f"text {number}") from error


def _conversations(ask: Ask) -> tuple[Conversation, ...]:
    if ask.texts or ask.ids:
        raise ModelError(
            "this model takes conversations",
            wanted="messages",
            got="texts" if ask.texts else "token ids",
            fix="send prompt and answer as messages",
        )
    return ask.conversations


def _require_rivals(conversations: Sequence[Conversation]) -> None:
    for group in by_prompt(conversations):
        if len(group) < 2:
            raise DataError(
                "this model compares the answers of a prompt",
                wanted="two different answers or more of each prompt, in one request",
                got="one",
                where=f"conversation {group[0]}",
            )


def _answer(scores: Scores, request: _Prepared) -> Answer | RewardsmithError:
    unusable = np.flatnonzero(~np.isfinite(scores.rewards))
    if len(unusable):
        return ModelError(
            "the reward is not a number", got=float(scores.rewards[unusable[0]]), where=f"text {int(unusable[0])}"
        )
    return Answer(scores, request.n_tokens, request.n_truncated, request.cut)


def _told(error: Exception) -> RewardsmithError:
    """What the client is told of `error`. The log has where it happened, and not its text, which may hold a client's.

    Raises:
        Exception: `error`, where the processor's state is lost: the process must end, and another one begin.
    """
    if isinstance(error, RewardsmithError):
        return error
    if isinstance(error, torch.AcceleratorError):
        raise error
    where = "".join(traceback.format_tb(error.__traceback__))
    logger.error("a request failed in the model's process, with %s\n%s", type(error).__name__, where)
    return WorkerError("the model failed on this request", got=type(error).__name__, fix="see the server's log")


def _n_truncated(scorer: object) -> int:
    return int(getattr(scorer, "n_truncated", 0))


def _there(found: RewardsmithError | None) -> RewardsmithError:
    assert found is not None
    return found
