"""The whole report: counts, JSON, page, tables, and agreement over time."""

from __future__ import annotations

import json

import pytest
from bench.simulated_raters import Habits, honest, simulate
from tests.annotate.quality.made import pair_votes, task, vote

from rewardsmith.annotate.quality.over_time import agreement_over_time
from rewardsmith.annotate.quality.page import render_html, render_text
from rewardsmith.annotate.quality.report import QualityReport, quality_report
from rewardsmith.annotate.quality.tables import tables_of
from rewardsmith.annotate.raters import Rater
from rewardsmith.annotate.settings import ProjectSettings

PROJECT = ProjectSettings(name="p", title="Tea & <b>coffee</b>", kind="pair", overlap=3)


@pytest.fixture(scope="module")
def report() -> QualityReport:
    raters = honest(4) | {"<i>mallory": Habits(place=4.0)}
    project = simulate(raters, n_tasks=150, gold=5, repeats=10, seed=2)
    names = {name: Rater(name, name) for name in raters}
    return quality_report(PROJECT, project.votes, project.tasks, raters=names)


def test_counts_by_hand():
    tasks = {name: task(name) for name in "abcd"}
    votes = [
        *pair_votes("1 2 t", "a"),
        *pair_votes("1 1 -", "b"),
        vote("c", "r0", "first", time=5, gold=True),
        vote("a", "r0", "first", time=6, repeat=True),
        vote("b", "judge", "first", origin="judge"),
        vote("b", "boss", "first", time=9, adjudication=True),
    ]

    made = quality_report(PROJECT, votes, tasks)

    assert made.counts == {
        "tasks": 4,
        "voted": 2,
        "votes": 5,
        "judged": 1,
        "skips": 1,
        "repeats": 1,
        "tests": 1,
        "adjudications": 1,
        "raters": 4,  # r0, r1, r2, judge
        "disputed": 1,
    }
    assert made.disputed == ("a",)
    assert made.methods is not None
    assert made.methods.items == 2


def test_json_has_no_number_that_is_none(report: QualityReport):
    shown = json.loads(json.dumps(report.to_dict(), allow_nan=False))

    assert shown["agreement"][0]["alpha"]["value"] == report.agreement[0].alpha.value
    assert shown["raters"][0]["flags"][0]["kind"] == "position"
    assert shown["raters"][1]["repeats"]["n"] == 10
    empty = quality_report(PROJECT, [], {}).to_dict()
    assert empty["agreement"] == []
    assert empty["bias"]["longer"]["value"] is None


def test_the_page_names_raters_and_escapes_them(report: QualityReport):
    page = render_html(report)

    assert "Krippendorff" in page
    assert "&lt;i&gt;mallory" in page
    assert "<i>mallory" not in page
    assert "<b>coffee" not in page
    assert page.count("<svg") >= 5
    assert "prefers what is shown first" in page
    assert "prefers what is shown first" in render_text(report)


def test_a_project_without_votes_has_a_page_too():
    page = render_html(quality_report(PROJECT, [], {"a": task("a")}))

    assert "nothing is known of agreement" in page
    assert "Nobody has voted yet" in page


def test_tables_say_what_needs_a_look(report: QualityReport):
    titles = [str(table.title) for table in tables_of(report)]

    assert titles[1:] == ["Agreement of humans", "Raters", "Worth a look"]
    assert len(tables_of(quality_report(PROJECT, [], {}))) == 3


def test_agreement_over_time_goes_by_the_last_vote():
    tasks = {f"t{number}": task(f"t{number}") for number in range(40)}
    votes = []
    for number in range(40):
        # The later half is settled last, though its first votes were early, and nobody agrees on it.
        late = number >= 20
        votes += [
            vote(f"t{number}", "r", "first", time=number),
            vote(f"t{number}", "s", "second" if late else "first", time=1000 + number if late else 100 + number),
        ]

    windows = agreement_over_time(votes, tasks, windows=2)

    assert [window.agreement.raw.value for window in windows] == [1.0, 0.0]
    assert [(window.start, window.end) for window in windows] == [(100, 119), (1020, 1039)]
    assert len(agreement_over_time(votes, tasks)) == 4  # at least ten items each
    assert agreement_over_time([], tasks) == ()
    assert agreement_over_time(votes, tasks, question="unasked") == ()
