from __future__ import annotations

import dataclasses
import io

from rich.console import Console
from tests.audit.planted import FunctionScorer, length_meter, many, rater

from rewardsmith.audit.evaluate import evaluate
from rewardsmith.audit.report.summary_table import findings_table, summary_table


def shown(table):
    stream = io.StringIO()
    Console(file=stream, width=200, color_system=None).print(table)
    return stream.getvalue()


def test_accuracy_floors_lengths_and_sources_stand_in_the_table():
    heldout = many(60, source="one") + many(60, source="[red]two", seed=1)
    evaluation = evaluate(rater(heldout, right=0.8), heldout)
    text = shown(summary_table(evaluation))
    for needle in ("this model", "longer wins", "shorter wins", "bag of words", "equally long", "one", "[red]two"):
        assert needle in text
    assert f"{100 * evaluation.accuracy.estimate.value:.1f}%" in text
    assert "0 equal rewards count half" in text


def test_conversations_that_were_cut_to_fit_are_counted_under_the_table():
    heldout = many(20)
    evaluation = evaluate(rater(heldout, right=0.8), heldout)
    assert "cut to fit" not in shown(summary_table(evaluation))
    cut = dataclasses.replace(evaluation, counts=dataclasses.replace(evaluation.counts, truncated=7))
    assert "7 of 40 conversations were too long and were cut to fit" in shown(summary_table(cut))


def test_findings_show_what_is_wrong_and_nothing_else():
    heldout = many(100)
    text = shown(findings_table(evaluate(length_meter(), heldout)))
    assert "length.matched" in text
    assert "health.finite" not in text
    assert text.index("critical") < text.index("warning") if "critical" in text else True
    assert "critical" in shown(findings_table(evaluate(FunctionScorer(lambda _: 1.0), heldout)))


def test_a_clean_evaluation_says_so():
    heldout = many(300)
    assert "no check raised a warning" in shown(findings_table(evaluate(rater(heldout, right=0.85), heldout)))
