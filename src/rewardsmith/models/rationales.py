"""Rationales: how a judging model is asked, what it writes, and the tokens that it is scored on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Int32
from torch import nn
from transformers import GenerationConfig

from rewardsmith.batching import buckets
from rewardsmith.batching.collate import pad
from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import SettingsError
from rewardsmith.models import head
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.neutral import Neutraliser
from rewardsmith.text.response import header_ids, text_ids

Ids = Int32[np.ndarray, " token"]

REQUEST = "Judge your answer in a few short sentences on one line. Then give a verdict, good or bad."
CLOSING = "\nVerdict:"
VERDICTS = (" good", " bad")

_WRITTEN_TOGETHER = 4

_SENTENCE_END = re.compile(r"(?<=[.!?]) ")


@dataclass(frozen=True, slots=True)
class JudgedIds:
    """A conversation with a rationale, as the model reads it.

    Attributes:
        ids: `[token]`: conversation, request, rationale, closing. The reward is read at the last one.
        start: First token that the model has to write itself: of the rationale, or of the closing where it is empty.
        end: One past the last of these: the closing's first token, which ends a rationale, is the last.
    """

    ids: Ids
    start: int
    end: int


class RationaleFormat:
    """The words around a rationale, as tokens of one tokenizer.

    A rationale is one line. It ends where the closing begins, so the closing begins with a newline, and its first token
    is what the model learns to stop with.

    Args:
        encoder: Of the model.
        request: What the user says after the response.
        closing: What stands between rationale and verdict.
        verdicts: The good and the bad word that follow.
        max_tokens: Longest rationale; a longer one is cut. 0: no rationale at all.

    Raises:
        SettingsError: The closing does not begin with a newline, or both verdicts begin with the same token.
    """

    def __init__(
        self,
        encoder: ConversationEncoder,
        *,
        request: str = REQUEST,
        closing: str = CLOSING,
        verdicts: tuple[str, str] = VERDICTS,
        max_tokens: int = 48,
    ) -> None:
        if not closing.startswith("\n"):
            raise SettingsError(
                "a rationale is one line, so the closing must begin with a newline", got=closing, where="closing"
            )
        self.encoder = encoder
        self.request = request
        self.max_tokens = max_tokens
        self._neutral = Neutraliser(encoder.tokenizer)
        self.closing_ids = text_ids(encoder, closing)
        after = [text_ids(encoder, closing + word)[len(self.closing_ids) :] for word in verdicts]
        if min(map(len, after)) == 0 or after[0][0] == after[1][0]:
            raise SettingsError(
                "the verdicts begin with the same token, so that one cannot be told from the other",
                wanted="two words with different first tokens",
                got=verdicts,
                where="verdicts",
            )
        self.verdict_ids = int(after[0][0]), int(after[1][0])

    def context(self, conversation: Conversation) -> Ids:
        """The tokens up to where the rationale begins."""
        return header_ids(self.encoder, (*conversation, user(self.request)))

    @cached_property
    def frame_tokens(self) -> int:
        """About how many tokens a context has beyond its conversation: the request and two headers."""
        probe = (user("a"), assistant("b"))
        return len(self.context(probe)) - len(self.encoder.encode([probe])[0])

    def rationale_ids(self, text: str) -> Ids:
        """The tokens of a rationale on one line, special-token strings broken, at most `max_tokens`.

        A longer one loses its last sentences, so that it still has an end to be learnt; a first sentence that is too
        long by itself is cut.
        """
        sentences = _SENTENCE_END.split(" ".join(self._neutral(text).split()))
        for kept in range(len(sentences), 0, -1):
            ids = text_ids(self.encoder, " ".join(sentences[:kept]))
            if len(ids) < self.max_tokens:
                return ids
        return text_ids(self.encoder, sentences[0])[: self.max_tokens]

    def judged(self, context: Ids, rationale: Ids) -> JudgedIds:
        """The whole sequence. One that was cut at `max_tokens` has no end to be learnt: the closing is not counted."""
        start = len(context)
        is_cut = 0 < self.max_tokens <= len(rationale)
        has_end = self.max_tokens > 0 and not is_cut
        return JudgedIds(
            np.concatenate([context, rationale, self.closing_ids]), start, start + len(rationale) + int(has_end)
        )

    def text(self, rationale: Ids) -> str:
        """The words of a rationale."""
        return str(self.encoder.tokenizer.decode(rationale.tolist(), skip_special_tokens=True)).strip()

    @cached_property
    def stop_ids(self) -> list[int]:
        """Tokens that a rationale ends with: those with a newline, the closing's first, and all special ones."""
        tokenizer = self.encoder.tokenizer
        texts = tokenizer.batch_decode([[number] for number in range(len(tokenizer))])
        special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        return sorted({int(self.closing_ids[0]), *special} | {n for n, text in enumerate(texts) if "\n" in text})


def write_rationales(
    network: nn.Module, form: RationaleFormat, contexts: Sequence[Ids], *, token_budget: int
) -> list[Ids]:
    """The rationale that the model writes after each context: greedily, with a key-value cache, some at a time.

    Nothing is random. In other company a text has another padding, and float rounding may then tip a choice between two
    words of practically equal probability.

    Args:
        network: A causal language model.
        token_budget: Of a pass that reads. Four times as many tokens, padding and the longest rationales included, are
            written together: each word reads all weights once, for however many texts.
    """
    if form.max_tokens == 0:
        return [np.zeros(0, np.int32) for _ in contexts]
    written: list[Ids] = [np.zeros(0, np.int32) for _ in contexts]
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            sizes = [len(ids) + form.max_tokens for ids in contexts]
            for batch in buckets.plan(sizes, max_tokens=_WRITTEN_TOGETHER * token_budget):
                for index, ids in zip(batch, _written(network, form, [contexts[i] for i in batch]), strict=True):
                    written[index] = ids
    finally:
        network.train(was_training)
    return written


def _written(network: nn.Module, form: RationaleFormat, contexts: Sequence[Ids]) -> list[Ids]:
    padded = pad(contexts, pad_id=form.encoder.pad_id, side="left")
    plain: Any = head.plain(network)
    settings = GenerationConfig(
        max_new_tokens=form.max_tokens,
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        eos_token_id=form.stop_ids,
        pad_token_id=form.encoder.pad_id,
        use_cache=True,
    )
    inputs = (torch.from_numpy(each).to(plain.device) for each in (padded.input_ids, padded.attention_mask))
    ids, mask = inputs
    output = plain.generate(inputs=ids, attention_mask=mask, generation_config=settings)
    stops = set(form.stop_ids)
    return [_until(row, stops) for row in output[:, ids.shape[1] :].tolist()]


def _until(row: Sequence[int], stops: set[int]) -> Ids:
    ends = (place for place, token in enumerate(row) if token in stops)
    return np.array(row[: next(ends, len(row))], dtype=np.int32)
