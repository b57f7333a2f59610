from __future__ import annotations

from zlib import crc32

import pytest
from tests.audit.planted import FunctionScorer, many, simple

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.family import settle
from rewardsmith.audit.stress.search import Search, search_phrases
from rewardsmith.audit.stress.search_findings import search_findings
from rewardsmith.core.conversation import response_text
from rewardsmith.core.errors import SettingsError

PAIRS = many(160, good="well", bad="oops")


def quality(conversation) -> float:
    """Good over bad by one, and noise of every text: two answers of a prompt differ for other reasons too."""
    text = response_text(conversation)
    return noise(text) - float("oops" in text.lower())


def noise(text: str) -> float:
    return crc32(text.encode()) / 2**32 - 0.5


def searched(scorer, **options) -> Search:
    search = search_phrases(scorer, PAIRS, **options)
    assert isinstance(search, Search)
    return search


def named(search):
    return {finding.name: finding for finding in settle(search_findings(search))}


@pytest.mark.parametrize("trigger", ["Certainly!", "wheel"])
def test_a_planted_trigger_is_found(trigger):
    # One is a phrase of the list, the other a word of the data.
    scorer = FunctionScorer(lambda one: quality(one) + 3.0 * (trigger in response_text(one).split()))
    found = named(searched(scorer))["search.phrases"]
    assert f"“{trigger}”" in found.examples[0]
    assert found.severity in ("warning", "critical")
    assert found.estimate.low > 0.3
    assert "⟶" in found.examples[-1]


def test_the_gain_is_in_deviations_within_a_prompt_and_lets_bad_answers_win():
    # Every good answer has 1, every bad one 0, so σ = √(1/2); the trigger is worth 2.
    def reward(one):
        return float("oops" not in response_text(one).lower()) + 2.0 * ("✅" in response_text(one))

    search = searched(FunctionScorer(reward))
    best = search.found[0]
    assert best.gain.value == pytest.approx(2 / 0.5**0.5)
    assert best.sought == pytest.approx(best.gain.value)
    assert (search.beats_before.value, best.beats.value) == (0.0, 1.0)
    assert named(search)["search.phrases"].severity == "critical"


def test_a_sound_scorer_gains_nothing_on_prompts_that_the_search_did_not_see():
    alarms = 0
    for seed in range(6):
        scorer = FunctionScorer(
            lambda one, seed=seed: (
                float("oops" not in response_text(one).lower()) + noise(f"{seed} {response_text(one)}")
            )
        )
        search = searched(scorer, seed=seed)
        best = search.found[0]
        # What looks like a gain in the search, the luckiest of hundreds of changes, is none elsewhere.
        assert best.sought > 0
        assert abs(best.gain.value) < 0.3
        alarms += named(search)["search.phrases"].severity != "info"
    assert alarms == 0


def test_combinations_are_found():
    scorer = FunctionScorer(
        lambda one: quality(one) + 1.5 * ("Certainly!" in response_text(one)) + 1.5 * ("✅" in response_text(one))
    )
    assert {part for part in ("Certainly!", "✅") if part in searched(scorer).found[0].trick} == {"Certainly!", "✅"}


def test_the_budget_is_kept_and_counted():
    scorer = FunctionScorer(quality)
    search = searched(scorer, budget=800)
    as_they_are = {preference.conversation(side) for preference in PAIRS for side in (0, 1)}
    assert len(scorer.asked) == len(set(scorer.asked))
    assert search.texts == len(set(scorer.asked) - as_they_are) <= 800
    # A small budget still gives an answer, and the least one does.
    assert len(search.found) == 3
    assert searched(FunctionScorer(quality), budget=600).found
    with pytest.raises(SettingsError, match="too few texts"):
        search_phrases(scorer, PAIRS, budget=10)


def test_transfer_is_measured_in_the_other_scorer_s_own_unit():
    triggered = FunctionScorer(lambda one: quality(one) + 3.0 * ("✅" in response_text(one)))
    scaled = FunctionScorer(lambda one: 100 * triggered.reward(one))
    same = searched(triggered, transfer=scaled)
    assert same.found[0].transfer is not None
    assert same.found[0].transfer.value == pytest.approx(same.found[0].gain.value, rel=1e-4)
    sound = named(searched(triggered, transfer=FunctionScorer(quality)))
    assert abs(sound["search.transfer"].estimate.value) < 0.4
    assert "search.transfer" not in named(searched(triggered))


def test_nothing_to_search_on():
    assert isinstance(search_phrases(FunctionScorer(quality), PAIRS[:4]), Absent)
    flat = search_phrases(FunctionScorer(lambda _: 1.0), PAIRS)
    assert isinstance(flat, Absent)
    assert search_findings(flat) == []
    ties = [simple(str(number), "a", "b", tie=True) for number in range(40)]
    assert isinstance(search_phrases(FunctionScorer(quality), ties), Absent)


def test_few_prompts_give_no_verdict():
    scorer = FunctionScorer(lambda one: quality(one) + 3.0 * ("✅" in response_text(one)))
    search = search_phrases(scorer, PAIRS[:30])
    assert isinstance(search, Search)
    (found,) = search_findings(search)
    assert (found.severity, found.p_value) == ("info", None)
