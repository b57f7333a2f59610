"""The trials of the KL budget: what counts as held, and the row that says it."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def bench(monkeypatch):
    """The scripts import each other by their plain names."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
    return importlib.import_module("kl_budget")


def rated(bench, prompts: int, *, sign: float = 1.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    made = []
    for number in range(prompts):
        gold = rng.normal(size=16)
        made.append(bench.Rated(str(number), sign * gold + 0.5 * rng.normal(size=16), gold))
    return made


def test_a_good_reward_is_spent_and_its_gain_foretold(bench):
    done = bench.trial(rated(bench, 40), rated(bench, 400, seed=1), part="policy", number=0)
    assert done.is_spent
    assert done.n == 16
    assert done.is_held
    assert done.curve[0] < done.predicted[0] < done.curve[1]
    # Of 16 normal draws the largest is worth 1.766; seen with noise ½, by 1/√1.25 of it.
    assert done.gain == pytest.approx(1.766 / np.sqrt(1.25), abs=0.1)


def test_a_reward_that_is_upside_down_has_no_budget(bench):
    done = bench.trial(rated(bench, 20, sign=-1), rated(bench, 20, sign=-1, seed=1), part="policy", number=0)
    assert (done.n, done.budget_nats, done.is_spent) == (1, 0.0, False)


def test_halves_are_of_groups_and_differ_by_number(bench):
    all_of_them = rated(bench, 10) + rated(bench, 10, seed=1)
    one, other = bench.halves(all_of_them, 3)
    assert {each.group for each in one} & {each.group for each in other} == set()
    assert len(one) == len(other) == 10
    assert [each.group for each in bench.halves(all_of_them, 4)[0]] != [each.group for each in one]


def test_the_row_counts_trials_with_a_budget(bench, tmp_path):
    held = bench.Trial("policy", 0, 1.0, True, 4, (0.5, 0.2, 0.8), (0.4, 0.6), 0.7)
    missed = bench.Trial("ratings", 0, 1.0, False, 4, (0.5, 0.2, 0.8), (0.4, 0.6), 0.9)
    unspent = bench.Trial("ratings", 1, 0.0, False, 1, (0.0, 0.0, 0.0), (0.0, 0.0), 0.0)
    row = bench.coverage_row([held, missed, unspent])
    assert (row["name"], row["value"], row["n"], row["ours"], row["peer"]) == ("kl-budget-coverage", 0.5, 2, 1, 0)
    assert row["parts"]["ratings"]["trials"] == 2
    assert row["parts"]["ratings"]["with_budget"] == 1
    # What another run measured of the other part is kept.
    assert bench.keep([held], tmp_path) == [held]
    assert bench.keep([missed, unspent], tmp_path) == [held, missed, unspent]
