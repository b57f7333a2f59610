"""Sources to checked preferences, one row at a time, with running counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rewardsmith.core.preference import Preference
from rewardsmith.preferences import layouts, load
from rewardsmith.preferences.checks import check
from rewardsmith.preferences.outcome import RawRow, Rejection
from rewardsmith.preferences.settings import DataSettings, SourceSettings


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """A row, the source that it came from, and what the checks made of it."""

    row: RawRow
    source: str
    outcome: Preference | Rejection

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.row.file}:{self.row.line}"


class Reader(Iterable[JudgedRow]):
    """Reads all sources of `settings` in order; iterate once. The counts are complete at the end.

    Attributes:
        rows: Raw rows. The ratings of one prompt stand in several, so there can be more of them than outcomes.
        read: Outcomes by source.
        merged_responses: Responses that went because they equal another one of their prompt, or stand in no pair.
        dropped_pairs: Pairs that went with them, or as ties, out of preferences that stayed.
    """

    def __init__(self, settings: DataSettings) -> None:
        self._settings = settings
        self.rows = 0
        self.read: Counter[str] = Counter()
        self.merged_responses = 0
        self.dropped_pairs = 0

    def __iter__(self) -> Iterator[JudgedRow]:
        for source in self._settings.sources:
            label = source.name or source.path
            for item in layouts.read(self._counted(source), source):
                self.read[label] += 1
                yield JudgedRow(item.row, label, self._judge(item.outcome))

    def _counted(self, source: SourceSettings) -> Iterator[RawRow]:
        for row in load.iter_rows(source):
            self.rows += 1
            yield row

    def _judge(self, outcome: Preference | Rejection) -> Preference | Rejection:
        if isinstance(outcome, Rejection):
            return outcome
        checked = check(outcome, self._settings)
        if isinstance(checked, Preference):
            self.merged_responses += len(outcome.responses) - len(checked.responses)
            self.dropped_pairs += len(outcome.pairs) - len(checked.pairs)
        return checked
