from __future__ import annotations

from tests.audit.planted import FunctionScorer, many, rater, simple

from rewardsmith.audit.evaluate import evaluate
from rewardsmith.audit.report.headline import best_floor, does_not_say, headline, says

HELDOUT = many(300, longer_share=0.6)


def test_the_headline_holds_the_accuracy_and_the_best_floor():
    evaluation = evaluate(rater(HELDOUT, right=0.9), HELDOUT)
    assert best_floor(evaluation).name in headline(evaluation)
    assert f"{100 * evaluation.accuracy.estimate.value:.1f}%" in headline(evaluation)
    assert "0 critical findings and 0 warnings" in headline(evaluation)


def test_a_good_model_is_said_to_know_more_than_the_best_floor_and_no_more_than_that():
    evaluation = evaluate(rater(HELDOUT, right=0.9), HELDOUT)
    assert "is better than a coin" in says(evaluation)[0]
    assert "knows more than" in says(evaluation)[1]
    missing = " ".join(does_not_say(evaluation))
    assert "policy may be optimised" in missing
    assert "Leakage: not measured. No training data was given." in missing


def test_a_coin_is_not_said_to_know_anything():
    evaluation = evaluate(rater(HELDOUT, right=0.5, seed=1), HELDOUT)
    assert "not shown to be better than a coin" in says(evaluation)[0]
    assert "not shown to know more" in says(evaluation)[1]


def test_something_broken_comes_before_any_figure():
    sentences = says(evaluate(FunctionScorer(lambda _: 1.0), HELDOUT))
    assert "do not trust the figures" in sentences[0]
    assert any("says nothing" in sentence for sentence in sentences)


def test_without_a_judged_pair_there_is_still_a_headline():
    ties = [simple(str(number), "a", "b", tie=True) for number in range(5)]
    evaluation = evaluate(rater(ties, right=1.0), ties)
    assert headline(evaluation).startswith("No held-out pair could be judged")
    assert says(evaluation)
    assert does_not_say(evaluation)
