from __future__ import annotations

import numpy as np
from tests.audit.planted import many, simple

from rewardsmith.audit.heldout.words import fit_words


def test_fitted_on_the_training_pairs_where_there_are_some():
    train = many(60, start=1000, good="please", bad="never")
    floor = fit_words(many(20, good="please", bad="never"), train)
    assert (floor.margin > 0).all()
    assert floor.how == "fitted on 60 training pairs of 60 prompt groups"
    # The words that win in training lose here.
    assert (fit_words(many(20, good="never", bad="please"), train).margin < 0).all()


def test_in_grouped_folds_without_training_pairs():
    floor = fit_words(many(60, good="please", bad="never"), None)
    assert (floor.margin > 0).mean() > 0.9
    assert "5 folds by prompt group" in floor.how


def test_no_pair_is_judged_by_a_model_that_saw_its_group():
    # Each group has a word of its own; only a model that saw the group could know it.
    preferences = [
        simple(f"{group}-{copy}", f"only{group}", f"other{group}", group=str(group))
        for group in range(10)
        for copy in (0, 1)
    ]
    assert np.allclose(fit_words(preferences, None).margin, 0)


def test_where_there_is_nothing_to_learn_from_it_is_a_coin():
    assert fit_words([simple("1", "a", "b"), simple("2", "a", "b", group="1")], None).margin.tolist() == [0.0, 0.0]
    ties = [simple(str(number), "yes", "no", tie=True) for number in range(6)]
    assert not fit_words(ties, None).margin.any()
    assert not fit_words(ties, ties).margin.any()


def test_one_margin_a_pair_ties_included():
    preferences = [*many(10, good="please"), simple("tie", "please", "never", tie=True)]
    assert fit_words(preferences, many(40, start=100, good="please", bad="never")).margin.shape == (11,)
