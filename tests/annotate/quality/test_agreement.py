"""Agreement: the figures of `krippendorff` and `statsmodels` on real votes, slices, questions."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import krippendorff
import numpy as np
import pytest
from statsmodels.stats.inter_rater import fleiss_kappa
from tests.annotate.quality.made import pair_votes, task, vote

from rewardsmith.annotate.answers import AttributesAnswer, PairAnswer
from rewardsmith.annotate.quality.agreement import Agreement, measure_agreement
from rewardsmith.annotate.votes import Vote

SIDES = {"chosen": "first", "rejected": "second", "tie": "tie"}


def by_name(rows: tuple[Agreement, ...]) -> dict[tuple[str, str], Agreement]:
    return {(row.question, row.part): row for row in rows}


def test_equals_krippendorff_and_statsmodels_on_the_votes_of_pandalm(shared_data: Path):
    with gzip.open(shared_data / "pandalm-human-votes.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    tasks = {row["id"]: task(row["id"], group=row["prompt_id"]) for row in rows}
    votes = [
        vote(row["id"], rater, SIDES[said])
        for row in rows
        for rater, said in zip(row["meta"]["annotator_ids"], row["votes"], strict=True)
    ]

    (whole,) = measure_agreement(votes, tasks)

    # The independent figures: a matrix of raters by items, each item in both orders of its sides.
    order = ["chosen", "rejected", "tie"]
    matrix = np.array([[order.index(said) for said in row["votes"]] for row in rows]).T
    both = np.concatenate([matrix, np.array([1, 0, 2])[matrix]], axis=1)
    counts = np.array([[list(column).count(label) for label in range(3)] for column in both.T])
    alpha = krippendorff.alpha(both.astype(float), level_of_measurement="nominal")
    raw = np.mean([np.mean([a == b, a == c, b == c]) for a, b, c in matrix.T])
    assert whole.alpha.value == pytest.approx(alpha, abs=1e-9)
    assert whole.kappa.value == pytest.approx(fleiss_kappa(counts), abs=1e-9)
    assert whole.raw.value == pytest.approx(raw, abs=1e-9)
    assert (whole.items, whole.votes, whole.raters) == (865, 2595, 3)
    assert whole.alpha.groups == 153
    for estimate in (whole.alpha, whole.kappa, whole.raw):
        assert estimate.low < estimate.value < estimate.high


def test_by_hand():
    # Two raters, items 11, 12: in both orders 11, 22, 12, 21: P̄ = ½, P_e = ½, κ = 0.
    # α = 1 − (N − 1) · Σ disagreeing / …: 8 values, observed ½, expected 2 · 4 · 4 / (8 · 7) = 4/7: 1 − 7/8 = 1/8.
    tasks = {"a": task("a"), "b": task("b")}

    (row,) = measure_agreement([*pair_votes("1 1", "a"), *pair_votes("1 2", "b")], tasks)

    assert row.kappa.value == pytest.approx(0.0)
    assert row.alpha.value == pytest.approx(1 / 8)
    assert row.raw.value == pytest.approx(0.5)
    assert row.level == "nominal"


def test_each_axis_is_a_question_and_judges_are_no_second_opinion():
    tasks = {f"t{number}": task(f"t{number}") for number in range(6)}
    votes = []
    for name in tasks:
        votes += [
            vote(name, "r", PairAnswer("first", {"kind": "first"})),
            vote(name, "s", PairAnswer("first", {"kind": "second"})),
            vote(name, "judge", PairAnswer("second", {"kind": "first"}), origin="judge"),
        ]

    humans, everybody = (by_name(measure_agreement(votes, tasks, origin=origin)) for origin in ("human", None))

    assert list(humans) == [("overall", "all"), ("kind", "all")]
    assert humans["overall", "all"].raw.value == 1.0
    assert humans["kind", "all"].raw.value == 0.0
    assert everybody["overall", "all"].raw.value == pytest.approx(1 / 3)


def test_slices_are_by_source_length_and_guidelines():
    tasks, votes = {}, []
    for number in range(20):
        source = "agreed" if number < 10 else "disputed"
        texts = ("one two", "three") if number % 2 else ("one " * 50, "two " * 50)
        tasks[f"t{number}"] = task(f"t{number}", source=source, responses=texts)
        other = "first" if source == "agreed" else "second"
        version = 1 + number // 10
        votes += [
            vote(f"t{number}", "r", "first", guidelines=version),
            vote(f"t{number}", "s", other, guidelines=version),
        ]

    rows = by_name(measure_agreement(votes, tasks))

    parts = [part for _, part in rows]
    assert parts == [
        "all",
        "source: agreed",
        "source: disputed",
        "length: over 54 words",
        "length: up to 54 words",
        "guidelines: version 1",
        "guidelines: version 2",
    ]
    assert rows["overall", "source: agreed"].raw.value == 1.0
    assert rows["overall", "source: disputed"].raw.value == 0.0
    assert rows["overall", "guidelines: version 2"].items == 10


def test_numbers_on_a_scale_are_compared_by_their_order():
    def rated(name: str, *values: int) -> list[Vote]:
        return [vote(name, f"r{place}", AttributesAnswer({"clear": value})) for place, value in enumerate(values)]

    tasks = {f"t{number}": task(f"t{number}", kind="attributes", responses=("text",)) for number in range(4)}
    values = [(1, 2), (2, 2), (4, 5), (5, 4)]
    (row,) = measure_agreement(
        [each for name, two in zip(tasks, values, strict=True) for each in rated(name, *two)], tasks
    )

    expected = krippendorff.alpha(np.array(values, dtype=float).T, level_of_measurement="ordinal")
    assert row.level == "ordinal"
    assert row.question == "clear"
    assert row.alpha.value == pytest.approx(expected, abs=1e-9)
    assert row.alpha.value > row.kappa.value + 0.3


def test_a_ranking_counts_its_comparisons_and_steps_are_labels():
    ranked = {"a": task("a", kind="ranking", responses=("x", "y", "z"))}
    (row,) = measure_agreement([vote("a", "r", (1, 2, 3)), vote("a", "s", (1, 3, 2))], ranked)
    assert (row.items, row.raw.value) == (3, pytest.approx(2 / 3))

    solved = {"a": task("a", kind="first_error", responses=("x",), steps=("x", "y"))}
    (row,) = measure_agreement([vote("a", "r", 1), vote("a", "s", 1)], solved)
    assert row.raw.value == 1.0
    assert math.isnan(row.alpha.value)  # one label only: nothing could go wrong


def test_no_two_votes_are_no_row():
    assert measure_agreement(pair_votes("1"), {"t": task("t")}) == ()
    assert measure_agreement([], {}) == ()
