"""The counts of a preparation: every row that was read is found again in exactly one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from rewardsmith.core.errors import DataError
from rewardsmith.preferences.outcome import Reason, destination

SPLITS = ("train", "heldout")
_DESTINATIONS = ("review", "set_aside", "rejected")


class Tally:
    """Running counts."""

    def __init__(self) -> None:
        self._reasons: dict[str, Counter[Reason]] = {}
        self._kept: dict[str, Counter[str]] = {}
        self._content: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}

    def leave_out(self, source: str, reason: Reason) -> None:
        """Count a row that is not used."""
        self._reasons.setdefault(source, Counter())[reason] += 1

    def keep(self, name: str, sources: Iterable[str]) -> None:
        """Count kept rows under `name` (`kept`, or `kept_train` and `kept_heldout`), by source."""
        self._kept.setdefault(name, Counter()).update(sources)

    def describe(self, split: str, batch: pa.RecordBatch) -> None:
        """Count what rows of `columns.SCHEMA` hold."""
        pairs = batch.column("pairs").flatten()
        probability = pairs.field("prob_chosen").to_numpy(zero_copy_only=False)
        tails = batch.column("tails").flatten().flatten()
        self._content[split].update(
            preferences=batch.num_rows,
            responses=len(batch.column("responses").flatten()),
            pairs=len(pairs),
            ties=int(np.sum(pairs.field("tie").to_numpy(zero_copy_only=False))),
            soft_labels=int(((probability > 0) & (probability < 1)).sum()),
            undecided_pairs=int((probability == 0.5).sum()),
            with_margin=len(pairs) - pairs.field("margin").null_count,
            tokens=len(batch.column("prefix").flatten()) + len(tails),
        )

    def require_preferences(self) -> None:
        """Refuse a training side in which nothing was preferred to anything.

        Raises:
            DataError: Every training pair is a tie or has a label of .5.
        """
        train = self._content["train"]
        if train["pairs"] and train["undecided_pairs"] == train["pairs"]:
            raise DataError(
                "every training pair is undecided",
                wanted="some pairs in which one response was preferred",
                got=f"{train['pairs']} ties",
                fix="add labelled pairs, or check the column that the label is read from",
            )

    def reasons(self) -> dict[Reason, int]:
        """Rows by reason, the reasons in their own order."""
        total: Counter[Reason] = Counter()
        for counter in self._reasons.values():
            total.update(counter)
        return {reason: total[reason] for reason in Reason if total[reason]}

    def by_source(self, read: Counter[str]) -> dict[str, dict[str, int]]:
        """For each source what was read, kept and left out for which reason."""
        return {
            source: {
                "read": count,
                **{name: kept[source] for name, kept in self._kept.items()},
                **{reason.value: n for reason in Reason if (n := self._reasons.get(source, Counter())[reason])},
            }
            for source, count in read.items()
        }

    def counts(self, read: Counter[str]) -> dict[str, Any]:
        """The manifest's counts.

        Raises:
            DataError: The counts do not add up to what was read.
        """
        reasons = self.reasons()
        kept = {name: counter.total() for name, counter in self._kept.items()}
        left = {name: sum(n for r, n in reasons.items() if destination(r) == name) for name in _DESTINATIONS}
        total = sum(kept.values()) + sum(left.values())
        if total != read.total():
            raise DataError(
                "rows were lost on the way", wanted=f"{read.total()} rows", got=total, fix="report this: it is a bug"
            )
        return {
            "read": read.total(),
            **kept,
            **left,
            "reasons": {reason.value: count for reason, count in reasons.items()},
            "sources": self.by_source(read),
            **{split: dict(self._content[split]) for split in SPLITS},
        }
