"""Scores that were given before, by what they are of: the model, the options, the text."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rewardsmith.core.scores import Provenance, Scores, joined
from rewardsmith.serve.work import Answer, Ask

_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of one text: its scores, its tokens, and whether it was cut."""

    scores: Scores
    n_tokens: int | None
    is_cut: bool


class AnswerCache:
    """The scores of the last texts of a model, least recently used ones forgotten first.

    Not for models whose rewards depend on the company (`core.scores.Relative`).

    Args:
        provenance: Of the model: another one's texts have other keys.
        max_entries: Most texts; 0 keeps none.
    """

    def __init__(self, provenance: Provenance, *, max_entries: int) -> None:
        self._provenance = provenance
        self._max_entries = max_entries
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, ask: Ask) -> Found:
        """What is known of the texts of `ask`."""
        if not self._max_entries:
            return Found((None,) * len(ask), ())
        keys = self._keys(ask)
        known = tuple(self._known.get(key) for key in keys)
        for key, each in zip(keys, known, strict=True):
            if each is not None:
                self._known.move_to_end(key)
        return Found(known, keys)

    def add(self, found: Found, answer: Answer) -> None:
        """Remember what `answer` says of the texts that were not known.

        Where some of several were cut and nothing tells which, none is remembered.
        """
        cut = _cut(answer)
        if not self._max_entries or not cut:
            return
        for number, place in enumerate(found.missing):
            row = answer.scores.take([number])
            n_tokens = answer.n_tokens[number] if answer.n_tokens else None
            self._known[found.keys[place]] = _Known(row, n_tokens, cut[number])
        while len(self._known) > self._max_entries:
            self._known.popitem(last=False)

    def _keys(self, ask: Ask) -> tuple[bytes, ...]:
        start = hashlib.blake2b(digest_size=_KEY_BYTES)
        options = (self._provenance.model_digest, self._provenance.template_digest, ask.truncate, ask.max_tokens)
        start.update(repr((*options, ask.adds_bos)).encode())
        parts = [
            *(_spoken(each) for each in ask.conversations),
            *(("text", text) for text in ask.texts),
            *(("ids", repr(ids)) for ids in ask.ids),
        ]
        return tuple(_key(start, [part.encode("utf-8", "surrogatepass") for part in each]) for each in parts)


@dataclass(frozen=True, slots=True)
class Found:
    """What a cache knows of a request.

    Attributes:
        known: A text each; `None` where nothing is known.
        keys: A text each; empty where nothing is to be remembered.
    """

    known: tuple[_Known | None, ...]
    keys: tuple[bytes, ...]

    @property
    def missing(self) -> list[int]:
        """Places of the texts of which nothing is known."""
        return [place for place, each in enumerate(self.known) if each is None]

    def answer(self, missing: Answer | None) -> Answer:
        """The whole answer, of what is known and of `missing`, which is about the other texts."""
        known = [each for each in self.known if each is not None]
        if not known:
            assert missing is not None
            return missing
        rest = Answer(known[0].scores.take([])) if missing is None else missing
        scores = joined([each.scores for each in known] + [rest.scores])
        counts = [each.n_tokens for each in known] + list(rest.n_tokens)
        cut = [each.is_cut for each in known] + list(_cut(rest))
        places = [place for place, each in enumerate(self.known) if each is not None] + self.missing
        order = np.argsort(places).tolist()
        tells = all(count is not None for count in counts) and len(counts) == len(self.known)
        return replace(
            rest,
            scores=scores.take(order),
            n_tokens=tuple(int(counts[each] or 0) for each in order) if tells else (),
            n_truncated=rest.n_truncated + sum(each.is_cut for each in known),
            cut=tuple(cut[each] for each in order) if len(cut) == len(self.known) else (),
            n_cached=len(known),
        )


def _cut(answer: Answer) -> tuple[bool, ...]:
    """Which texts of an answer were cut; empty where nothing tells."""
    n_texts = len(answer.scores)
    return answer.cut or ((answer.n_truncated > 0,) * n_texts if answer.n_truncated in (0, n_texts) else ())


def _spoken(conversation: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return ("conversation", *(part for message in conversation for part in message))


def _key(start: hashlib.blake2b, parts: Sequence[bytes]) -> bytes:
    state = start.copy()
    for part in parts:
        # The length first, so that no text can pass for two.
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.digest()
