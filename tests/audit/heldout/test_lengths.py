from __future__ import annotations

import numpy as np
import pytest
from tests.audit.planted import length_meter, many, observed, rater, simple

from rewardsmith.audit.family import settle
from rewardsmith.audit.heldout.accuracy import measure_accuracy
from rewardsmith.audit.heldout.lengths import length_findings, length_matched, measure_lengths
from rewardsmith.audit.observations import observe, score_once


def findings_of(scorer, preferences):
    rows = observe(preferences, score_once(scorer, preferences))
    lengths = measure_lengths(rows, seed=0)
    found = length_findings(lengths, measure_accuracy(rows, seed=0).estimate)
    return lengths, {finding.name: finding for finding in found}


def test_strata_by_hand():
    # 10 against 9: within 10% of the longer. 10 against 8: not.
    preferences = [
        simple("1", "a" * 10, "b" * 9),
        simple("2", "a" * 9, "b" * 10),
        simple("3", "a" * 10, "b" * 8),
        simple("4", "a" * 5, "b" * 10),
        simple("5", "a" * 5, "b" * 10),
    ]
    rows = observed(preferences, [(1, 0), (0, 1), (1, 0), (0, 1), (1, 0)])
    assert length_matched(rows).tolist() == [True, True, False, False, False]
    lengths = measure_lengths(rows, seed=0)
    assert (lengths.matched.value, lengths.matched.n) == (0.5, 2)
    assert (lengths.longer.value, lengths.longer.n) == (1.0, 1)
    assert (lengths.shorter.value, lengths.shorter.n) == (0.5, 2)


def test_the_correlation_does_not_depend_on_which_answer_was_preferred():
    rng = np.random.default_rng(3)
    lengths, rewards = rng.integers(1, 30, (40, 2)), rng.normal(size=(40, 2))
    one, other = [], []
    for number, (first, second) in enumerate(lengths):
        one.append(simple(str(number), "a" * first, "b" * second))
        other.append(simple(str(number), "b" * second, "a" * first))
    straight = measure_lengths(observed(one, rewards.tolist()), seed=0).correlation
    swapped = measure_lengths(observed(other, rewards[:, ::-1].tolist()), seed=0).correlation
    assert straight.value == pytest.approx(swapped.value)
    assert straight.n == 40


def test_the_partial_correlation_leaves_out_what_all_preferred_answers_share():
    # The chosen answer is always longer, by 1 to 40, and always better, by amounts that have nothing to do with it.
    rng = np.random.default_rng(0)
    preferences = [simple(str(number), "a" * (60 + number), "b" * 60) for number in range(1, 41)]
    rewards = [(1.0 + value, 0.0) for value in rng.permutation(40) / 1000]
    found = measure_lengths(observed(preferences, rewards), seed=0)
    assert found.correlation.value > 0.7
    assert abs(found.partial.value) < 0.3
    follows = measure_lengths(observed(preferences, [(number, 0.0) for number in range(1, 41)]), seed=0)
    assert follows.partial.value == pytest.approx(1)


def test_a_length_meter_is_caught_where_its_accuracy_looks_fine():
    lengths, found = findings_of(length_meter(), many(300, longer_share=0.8))
    assert lengths.longer.value == 1.0
    assert lengths.shorter.value == 0.0
    assert found["length.against"].severity == "warning"
    assert "write longer answers" in found["length.against"].summary
    assert found["length.matched"].severity == "warning"
    assert "LENGTH CANNOT HELP" in found["length.matched"].summary
    assert found["length.correlation"].severity == "warning"
    assert found["length.correlation"].estimate.value > 0.9
    assert found["length.partial"].severity == "warning"
    assert all(finding.p_value is not None and finding.p_value < 1e-3 for finding in found.values())


def test_a_model_that_prefers_short_answers_is_caught_too():
    preferences = many(300, longer_share=0.3)
    scorer = length_meter()
    scorer.reward = lambda conversation: -len(conversation[-1].content)
    lengths, found = findings_of(scorer, preferences)
    assert lengths.correlation.value < -0.9
    assert "write shorter answers" in found["length.against"].summary


def test_a_model_that_follows_the_raters_stays_quiet():
    preferences = many(300, longer_share=0.6)
    _, found = findings_of(rater(preferences, right=0.85), preferences)
    assert {finding.severity for finding in found.values()} == {"info"}


def test_far_weaker_where_lengths_match_is_told_although_above_a_coin():
    matched = [simple(f"m{number}", "aaaaa", "bbbbb") for number in range(400)]
    apart = [simple(f"a{number}", "a" * 20, "b") for number in range(400)]
    wins = [(1.0, 0.0) if number % 5 < 3 else (0.0, 1.0) for number in range(400)]
    rows = observed(matched + apart, wins + [(1.0, 0.0)] * 400)
    found = length_findings(measure_lengths(rows, seed=0), measure_accuracy(rows, seed=0).estimate)
    first = next(finding for finding in found if finding.name == "length.matched")
    assert first.severity == "warning"
    assert "FAR WEAKER" in first.summary
    # The misleading figure is named beside it: (.6 + 1) / 2.
    assert "80.0%" in first.summary


def test_a_few_matched_pairs_of_a_sound_model_are_no_fault_in_an_audit():
    # 24 of 40 matched pairs are right and 70% of all: the interval of .6 reaches one half, as chance would have it.
    matched = [simple(f"m{number}", "aaaaa", "bbbbb") for number in range(40)]
    apart = [
        simple(f"a{number}", "a" * 20, "b") if number % 2 else simple(f"a{number}", "a", "b" * 20)
        for number in range(200)
    ]
    wins = [(1.0, 0.0) if number < 24 else (0.0, 1.0) for number in range(40)]
    wins += [(1.0, 0.0) if number % 20 < 14 else (0.0, 1.0) for number in range(200)]
    rows = observed(matched + apart, wins)
    found = length_findings(measure_lengths(rows, seed=0), measure_accuracy(rows, seed=0).estimate)
    assert (found[0].name, found[0].severity) == ("length.matched", "warning")
    assert "NOT SHOWN TO WORK" in found[0].summary
    settled = {finding.name: finding for finding in settle(found)}
    assert settled["length.matched"].severity == "info"


def test_a_coin_on_many_matched_pairs_is_one():
    matched = [simple(f"m{number}", "aaaaa", "bbbbb") for number in range(200)]
    apart = [simple(f"a{number}", "a" * 20, "b") for number in range(200)]
    wins = [(1.0, 0.0) if number % 2 else (0.0, 1.0) for number in range(200)]
    rows = observed(matched + apart, wins + [(1.0, 0.0)] * 200)
    found = length_findings(measure_lengths(rows, seed=0), measure_accuracy(rows, seed=0).estimate)
    assert settle(found)[0].severity == "warning"


def test_too_few_matched_pairs_say_nothing():
    rows = observed([simple("1", "aaa", "b"), simple("2", "aaa", "b")], [(1, 0), (1, 0)])
    found = length_findings(measure_lengths(rows, seed=0), measure_accuracy(rows, seed=0).estimate)
    assert found[0].severity == "info"
    assert "too few" in found[0].summary
