from __future__ import annotations

import gzip
import json

from tests.audit.planted import many, simple

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.data.conflict import Conflict, conflict_findings, describe_conflicts, measure_conflict


def test_sources_that_want_opposite_lengths_are_told_in_words():
    preferences = many(400, longer_share=0.72, source="helpful") + many(
        400, longer_share=0.28, source="harmless", seed=1
    )
    conflict = measure_conflict(preferences, seed=0)
    assert isinstance(conflict, Conflict)
    (finding,) = conflict_findings(conflict)
    assert finding.name == "source.conflict"
    assert finding.severity == "warning"
    assert "CONTRADICT" in finding.summary
    assert finding.p_value is not None
    assert finding.p_value < 1e-4
    assert "of harmless but" in finding.summary
    longer = {taste.source: taste.longer.value for taste in conflict.lengths}
    assert longer["harmless"] < 0.5 < longer["helpful"]


def test_sources_whose_words_win_and_lose_are_told():
    one = many(120, source="one", good="please", bad="never")
    other = many(120, source="other", good="never", bad="please", seed=1)
    conflict = measure_conflict(one + other, seed=0)
    assert isinstance(conflict, Conflict)
    assert all(transfer.accuracy.high < 0.5 for transfer in conflict.transfers)
    assert any("Words that win in one lose in other" in text for text in describe_conflicts(conflict))


def test_sources_that_agree_stay_quiet():
    preferences = [
        preference
        for number, source in enumerate(("a", "b", "c"))
        for preference in many(150, source=source, seed=number, longer_share=0.6, good="please", bad="never")
    ]
    (finding,) = conflict_findings(measure_conflict(preferences, seed=0))
    assert finding.severity == "info"
    assert finding.p_value == 1


def test_too_small_or_single_sources_are_not_compared():
    assert isinstance(measure_conflict(many(200), seed=0), Absent)
    small = many(200, source="big") + many(10, source="small")
    absent = measure_conflict(small, seed=0)
    assert isinstance(absent, Absent)
    assert conflict_findings(absent) == []
    ties = many(200, source="big") + [simple(str(i), "a", "b", tie=True, source="ties") for i in range(99)]
    assert isinstance(measure_conflict(ties, seed=0), Absent)


def test_helpful_and_harmless_pairs_of_hh_contradict_each_other(shared_data):
    preferences = []
    for name in ("helpful", "harmless"):
        with gzip.open(shared_data / f"hh-rlhf-{name}-test-pairs.jsonl.gz", "rt") as stream:
            rows = [json.loads(line) for line in stream]
        preferences += [
            simple(
                f"{name}-{row['id']}", row["chosen"], row["rejected"], group=f"{name}-{row['prompt_id']}", source=name
            )
            for row in rows[:1200]
        ]
    conflict = measure_conflict(preferences, seed=0)
    assert isinstance(conflict, Conflict)
    longer = {taste.source: round(taste.longer.value, 1) for taste in conflict.lengths}
    assert longer == {"harmless": 0.4, "helpful": 0.6}
    assert len(describe_conflicts(conflict)) == 3
