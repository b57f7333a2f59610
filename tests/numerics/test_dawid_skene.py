"""Dawid–Skene: crowd-kit's figures, a round by hand, order of the sides, smoothing, known labels."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.dawid_skene import DawidSkene, dawid_skene

SWAP = [1, 0, 2]


def votes_of(skills: list[float], n_items: int, *, seed: int, n_labels: int = 3) -> tuple[np.ndarray, ...]:
    """Truth, then item, rater and label of each vote: raters say the truth as often as their skill, else another."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_labels, size=n_items)
    items, raters = (each.reshape(-1) for each in np.indices((n_items, len(skills))))
    right = rng.random(len(items)) < np.array(skills)[raters]
    wrong = (truth[items] + rng.integers(1, n_labels, size=len(items))) % n_labels
    return truth, items, raters, np.where(right, truth[items], wrong)


def test_without_smoothing_it_is_crowd_kits():
    import pandas as pd
    from crowdkit.aggregation.classification.dawid_skene import DawidSkene as Reference

    _, items, raters, labels = votes_of([0.9, 0.7, 0.5, 0.6], 83, seed=1)
    keep = np.random.default_rng(0).random(len(items)) < 0.8
    items, raters, labels = items[keep], raters[keep], labels[keep]

    ours = dawid_skene(items, raters, labels, shape=(83, 4, 3), smoothing=0, max_rounds=10, tolerance=-np.inf)
    frame = pd.DataFrame({"task": items, "worker": raters, "label": labels})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Reference(n_iter=10, tol=-np.inf).fit(frame)

    probabilities = theirs.probas_.reindex(index=sorted(set(items.tolist())), columns=[0, 1, 2])
    assert ours.posterior[sorted(set(items.tolist()))] == pytest.approx(probabilities.to_numpy(), abs=1e-8)
    assert ours.prior == pytest.approx(theirs.priors_.sort_index().to_numpy(), abs=1e-8)
    for rater in range(4):
        for said in range(3):
            assert ours.confusion[rater, :, said] == pytest.approx(
                theirs.errors_.loc[(rater, said)].sort_index().to_numpy(), abs=1e-8
            )


def test_one_round_by_hand():
    # Items A and B, two raters: A gets 0, 0; B gets 0, 1. Shares of the votes: A (1, 0), B (½, ½).
    # Prior (¾, ¼). Rater 0 said 0 both times: from truth 0 (1 + ½) of 1½, from truth 1 ½ of ½.
    # Rater 1, truth 0: 0 once, 1 half a time: (2/3, 1/3); truth 1: 0 never, 1 half a time: (0, 1).
    # So B: ¾ · 1 · 1/3 against ¼ · 1 · 1: (½, ½). A: ¾ · 1 · 2/3 against ¼ · 1 · 0: (1, 0).
    items, raters, labels = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([0, 0, 0, 1])

    fit = dawid_skene(items, raters, labels, shape=(2, 2, 2), smoothing=0, max_rounds=1)

    assert fit.posterior == pytest.approx(np.array([[1, 0], [0.5, 0.5]]), abs=1e-6)
    assert fit.rounds == 1
    assert not fit.converged


def test_skilled_raters_outvote_careless_ones():
    skills = [0.95, 0.95, 0.4, 0.4, 0.4]
    truth, items, raters, labels = votes_of(skills, 400, seed=2)

    fit = dawid_skene(items, raters, labels, shape=(400, 5, 3))
    counts = np.zeros((400, 3))
    np.add.at(counts, (items, labels), 1)

    assert fit.converged
    assert fit.accuracy() == pytest.approx(np.array(skills), abs=0.06)
    assert (fit.posterior.argmax(axis=1) == truth).mean() > (counts.argmax(axis=1) == truth).mean() + 0.05


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.data())
def test_which_side_is_called_first_does_not_matter(seed: int, data: st.DataObject):
    _, items, raters, labels = votes_of([0.9, 0.6, 0.5], 17, seed=seed)
    turned = np.array(data.draw(st.lists(st.booleans(), min_size=17, max_size=17)))
    there = np.where(turned[items], np.array(SWAP)[labels], labels)

    one = dawid_skene(items, raters, labels, shape=(17, 3, 3), opposite=SWAP)
    other = dawid_skene(items, raters, there, shape=(17, 3, 3), opposite=SWAP)

    back = np.where(turned[:, None], other.posterior[:, SWAP], other.posterior)
    assert back == pytest.approx(one.posterior, abs=1e-6)
    assert one.confusion == pytest.approx(other.confusion, abs=1e-6)
    assert one.prior[0] == pytest.approx(one.prior[1])


def test_both_orders_are_the_plain_fit_of_every_item_twice():
    _, items, raters, labels = votes_of([0.9, 0.6, 0.5], 29, seed=5)
    twice = np.concatenate([items, items + 29]), np.concatenate([raters, raters])
    said = np.concatenate([labels, np.array(SWAP)[labels]])

    symmetric = dawid_skene(items, raters, labels, shape=(29, 3, 3), opposite=SWAP, smoothing=0, tolerance=1e-12)
    doubled = dawid_skene(*twice, said, shape=(58, 3, 3), smoothing=0, tolerance=1e-12)

    assert symmetric.posterior == pytest.approx(doubled.posterior[:29], abs=1e-4)


def test_a_rater_of_three_votes_is_not_infallible():
    truth, items, raters, labels = votes_of([0.9, 0.9, 0.9], 120, seed=3)
    three = np.flatnonzero(truth == 0)[:3]
    few = np.concatenate([items, three]), np.concatenate([raters, [3, 3, 3]]), np.concatenate([labels, [0, 0, 0]])

    smooth = dawid_skene(*few, shape=(120, 4, 3))
    bare = dawid_skene(*few, shape=(120, 4, 3), smoothing=0)

    # Three votes beside four of the average rater's, who is right nine times in ten: (3 + 4 · .9) / 7 = .94.
    assert smooth.confusion[3, 0, 0] == pytest.approx(0.94, abs=0.02)
    assert bare.confusion[3, 0, 0] > 0.99


def test_known_labels_stay_and_teach():
    # Two raters who always differ: nothing says who is right, until ten items are known.
    items, raters = (each.reshape(-1) for each in np.indices((40, 2)))
    labels = np.where(raters == 0, items % 2, 1 - items % 2)

    blind = dawid_skene(items, raters, labels, shape=(40, 2, 2), opposite=[1, 0])
    told = dawid_skene(items, raters, labels, shape=(40, 2, 2), known={item: item % 2 for item in range(10)})

    assert blind.posterior == pytest.approx(np.full((40, 2), 0.5))
    assert (told.posterior.argmax(axis=1) == np.arange(40) % 2).all()
    assert told.posterior[3].tolist() == [0.0, 1.0]


def test_an_item_without_votes_gets_the_prior():
    _, items, raters, labels = votes_of([0.9, 0.8], 20, seed=4)

    fit = dawid_skene(items, raters, labels, shape=(21, 2, 3))

    assert fit.posterior[20] == pytest.approx(fit.prior)
    assert isinstance(dawid_skene(*(np.empty(0, int),) * 3, shape=(2, 1, 3)), DawidSkene)


def test_impossible_votes_are_refused():
    one = np.array([0])
    with pytest.raises(DataError, match="label outside"):
        dawid_skene(one, one, np.array([2]), shape=(1, 1, 2))
    with pytest.raises(DataError, match="negative smoothing"):
        dawid_skene(one, one, one, shape=(1, 1, 2), smoothing=-1)
