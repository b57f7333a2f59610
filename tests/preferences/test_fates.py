"""Decisions on digests: which rows go, with which reason, and that the first reason stays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rewardsmith.core.preference import Preference
from rewardsmith.preferences.fates import Fates, assign_topics, duplicate_fates, leak_fates, subsample_fates
from rewardsmith.preferences.keys import KeyColumns, KeyTable, row_key
from rewardsmith.preferences.outcome import Reason
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.preferences.shingles import prompt_text

LONG = "tell me all that you know about the old bridges of the northern valleys"


class Listed:
    """Prompt texts from a list."""

    def __init__(self, rows: list[Preference]) -> None:
        self._texts = [prompt_text(row.prompt) for row in rows]

    def batches(self, rows: np.ndarray) -> Iterator[list[str]]:
        for start in range(0, len(rows), 3):
            yield [self._texts[row] for row in rows[start : start + 3]]

    def text(self, row: int) -> str:
        return self._texts[row]


def table_of(rows: list[Preference]) -> KeyTable:
    columns = KeyColumns()
    for line, row in enumerate(rows, 1):
        columns.append(row_key(row, "x"), source=row.source, origin="o", file="f", line=line)
    return columns.table()


def test_the_first_reason_stays():
    fates = Fates(4)
    fates.apply([(1, Reason.TIE, "one"), (3, Reason.TOO_LONG, "two")])
    fates.apply([(1, Reason.DISPUTED, "three")])
    assert fates.kept.tolist() == [True, False, True, False]
    assert list(fates.left_out(0, 4)) == [(1, Reason.TIE, "one"), (3, Reason.TOO_LONG, "two")]
    assert list(fates.left_out(2, 4)) == [(3, Reason.TOO_LONG, "two")]


def test_duplicates_name_the_earlier_row(make_preference):
    rows = [make_preference("p", "a", "b"), make_preference("q", "a", "b"), make_preference("p", "a", "b")]
    rows += [make_preference("q", "b", "a")]
    assert list(duplicate_fates(table_of(rows))) == [
        (1, Reason.CONTRADICTION, "opposite label at f:4"),
        (3, Reason.CONTRADICTION, "opposite label at f:2"),
        (2, Reason.EXACT_DUPLICATE, "same as f:1"),
    ]


def test_leaks_take_every_training_row_of_a_prompt(make_preference):
    prompts = [LONG, LONG + " now", "something else altogether, as it happens", LONG + " now", LONG.upper(), "", ""]
    rows = [make_preference(prompt, f"a{number}", "b") for number, prompt in enumerate(prompts)]
    heldout = np.array([True, False, False, False, False, True, False])
    kept = np.ones(7, bool)
    keys = table_of(rows)
    found = list(leak_fates(keys, Listed(rows), heldout=heldout, kept=kept, similarity=0.8))
    assert sorted(found) == [
        (1, Reason.NEAR_HELDOUT, "similarity 0.92 to held-out f:1"),
        (3, Reason.NEAR_HELDOUT, "similarity 0.92 to held-out f:1"),
        (4, Reason.NEAR_HELDOUT, "same prompt as held-out f:1"),
    ]
    exact_only = list(leak_fates(keys, Listed(rows), heldout=heldout, kept=kept, similarity=None))
    assert [row for row, _, _ in exact_only] == [4]
    # A held-out row that is not used itself protects nothing.
    unused = list(leak_fates(keys, Listed(rows), heldout=heldout, kept=kept & ~heldout, similarity=0.8))
    assert unused == []


def test_subsampling_applies_topics_then_sources_then_the_limit(make_preference):
    sources = ["x"] * 5 + ["y"] * 3
    rows = [make_preference(f"p{n}", "a", "b", source=source) for n, source in enumerate(sources)]
    keys, kept = table_of(rows), np.ones(8, bool)
    settings = DataSettings(balance_sources=True, limit=4)
    found = list(subsample_fates(keys, settings, kept=kept, topics=None))
    assert [detail for _, _, detail in found] == ["sources made equal"] * 2 + ["limit of 4"] * 2
    assert all(row < 5 for row, _, detail in found if detail == "sources made equal")
    topics = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    found = list(subsample_fates(keys, DataSettings(), kept=np.arange(8) > 0, topics=topics))
    assert [detail for _, _, detail in found] == ["topics made equal"]


def test_topics_of_kept_rows_only(make_preference):
    prompts = ["boil the eggs in water", "boil the rice in water", "mars seen by telescope", "venus seen by telescope"]
    rows = [make_preference(prompt, "a", "b") for prompt in prompts]
    topics = assign_topics(table_of(rows), Listed(rows), kept=np.array([True, True, True, False]), topics=2)
    assert topics[0] == topics[1] != topics[2]
    assert topics[3] == -1
