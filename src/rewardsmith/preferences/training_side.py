"""What settings change on the training side alone, once its rows are known: made pairs, and weights by length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from rewardsmith.core.preference import Preference
from rewardsmith.preferences import columns
from rewardsmith.preferences.encoding import Encoded, Item, encode
from rewardsmith.preferences.layouts.rows import MADE
from rewardsmith.preferences.length_balance import (
    PairLengths,
    balance_factors,
    pair_lengths,
    reweighted,
    side_weights,
)
from rewardsmith.preferences.made_pairs import Kind, made_pairs
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.preferences.table import PreferenceTable, join
from rewardsmith.text.encoder import ConversationEncoder

_AT_ONCE = 1024


class Augmentation:
    """Rows for the pairs that the settings ask to be made from a training set.

    Attributes:
        counts: `other_answer` and `cut_answer`, pairs made; `not_possible`, nothing was decided, there was no other
            prompt, or the response was too short to be cut; `unusable`, too long, or the same tokens twice.
    """

    def __init__(self, settings: DataSettings, encoder: ConversationEncoder) -> None:
        self.counts = Counter(dict.fromkeys(("other_answer", "cut_answer", "not_possible", "unusable"), 0))
        self._settings = settings
        self._encoder = encoder

    def batches(self, table: PreferenceTable) -> Iterator[pa.RecordBatch]:
        """Rows of `columns.SCHEMA`; each names the file and the line of the row that it was made from."""
        settings = self._settings
        shares: dict[Kind, float] = {
            "other_answer": settings.augment_other_answers,
            "cut_answer": settings.augment_cut_answers,
        }
        pairs = made_pairs(table, shares=shares, salt=settings.split_salt)
        while some := list(islice(pairs, _AT_ONCE)):
            made = [(table.place(number), pair) for number, pair in some if pair is not None]
            self.counts["not_possible"] += len(some) - len(made)
            if made:
                yield self._rows(made)

    def _rows(self, made: Sequence[tuple[str, Preference]]) -> pa.RecordBatch:
        # A response of another prompt may not fit into the limit beside this one; then the pair is left out.
        policy = "truncate" if self._settings.overlength == "truncate" else "drop"
        items = [Item(pair.prompt, pair.responses, pair.pairs, place) for place, pair in made]
        results = encode(items, self._encoder, max_tokens=self._settings.max_tokens, policy=policy)
        usable = [(*each, tokens) for each, tokens in zip(made, results, strict=True) if isinstance(tokens, Encoded)]
        self.counts["unusable"] += len(made) - len(usable)
        self.counts.update(pair.meta[MADE]["kind"] for _, pair, _ in usable)
        places = [place.rpartition(":") for place, _, _ in usable]
        text = columns.text_batch(
            [pair for _, pair, _ in usable], [file for file, _, _ in places], [int(line) for _, _, line in places]
        )
        return join(text, columns.token_batch([(tokens.prefix, tokens.tails) for _, _, tokens in usable]))


class LengthBalance:
    """Weights under which neither side wins by its length; see `length_balance`.

    Args:
        batches: All rows of the training side.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        lengths = [pair_lengths(batch) for batch in batches]
        self._sides = reduce(lambda some, more: some + more, map(side_weights, [_NO_PAIRS, *lengths]))
        gaps = np.concatenate([_NO_PAIRS.gap, *(each.gap for each in lengths)])
        sides = {"longer": gaps > 0, "shorter": gaps < 0, "neither": gaps == 0}
        self._pairs = {name: int(mask.sum()) for name, mask in sides.items()}

    def balanced(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same rows with the new weights."""
        for batch in batches:
            yield reweighted(batch, balance_factors(pair_lengths(batch), self._sides))

    def counts(self) -> dict[str, Any]:
        """Pairs that the longer, the shorter or neither side wins, and the weight of the first two before and after."""
        longer, shorter = self._sides.longer, self._sides.shorter
        return {
            "pairs": self._pairs,
            "weight_before": {"longer": float(longer.sum()), "shorter": float(shorter.sum())},
            "weight_after_of_each": float(np.minimum(longer, shorter).sum()),
        }


_NO_PAIRS = PairLengths(np.zeros(0, np.int64), np.zeros(0))
