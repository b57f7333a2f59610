from __future__ import annotations

import pytest
from tests.audit.planted import FunctionScorer, many, observed, rater, simple

from rewardsmith.audit.heldout.accuracy import measure_accuracy
from rewardsmith.audit.heldout.sources import measure_sources, source_findings
from rewardsmith.audit.heldout.words import fit_words
from rewardsmith.audit.observations import observe, score_once


def test_accuracy_a_source_by_hand():
    preferences = [
        simple("1", "aa", "b", source="x"),
        simple("2", "a", "bb", source="x"),
        simple("3", "a", "bb", source="y"),
        simple("4", "a", "b", source="ties", tie=True),
    ]
    rows = observed(preferences, [(1, 0), (1, 0), (0, 1), (1, 0)])
    x, y = measure_sources(rows, fit_words(preferences, None), preferences, None, seed=0)
    assert (x.name, x.accuracy.value, x.longer.value) == ("x", 1.0, 0.5)
    assert (y.name, y.accuracy.value, y.longer.value) == ("y", 0.0, 0.0)


def findings_of(scorer, preferences):
    rows = observe(preferences, score_once(scorer, preferences))
    sources = measure_sources(rows, fit_words(preferences, None), preferences, None, seed=0)
    found = source_findings(sources, measure_accuracy(rows, seed=0).estimate)
    return {finding.name: finding for finding in found}


def test_a_source_that_the_model_has_backwards_is_told_although_the_pooled_figure_is_fine():
    large, small = many(300, source="large"), many(60, source="small", seed=1)
    good, bad = rater(large, right=0.95), rater(small, right=0.1)
    known = {preference.conversation(index) for preference in large for index in (0, 1)}
    both = FunctionScorer(lambda text: good.reward(text) if text in known else bad.reward(text))
    found = findings_of(both, large + small)
    assert found["source.accuracy.large"].severity == "info"
    assert found["source.accuracy.small"].severity == "warning"
    assert "below chance" in found["source.accuracy.small"].summary
    assert found["source.pooling"].severity == "warning"
    assert found["source.pooling"].estimate.value > 0.5
    assert found["source.accuracy.large"].p_value == pytest.approx(1)
    assert max(found[name].p_value for name in ("source.accuracy.small", "source.pooling")) < 1e-6


def test_sources_that_fare_alike_stay_quiet():
    preferences = many(150, source="a") + many(150, source="b", seed=1)
    found = findings_of(rater(preferences, right=0.85), preferences)
    assert {finding.severity for finding in found.values()} == {"info"}


@pytest.mark.parametrize("sources", [("only",), ()])
def test_a_single_source_needs_no_findings_of_its_own(sources):
    preferences = [preference for source in sources for preference in many(30, source=source)]
    rows = observe(preferences, score_once(rater(preferences, right=0.8), preferences))
    measured = measure_sources(rows, fit_words(preferences, None), preferences, None, seed=0)
    assert source_findings(measured, measure_accuracy(rows, seed=0).estimate) == []
