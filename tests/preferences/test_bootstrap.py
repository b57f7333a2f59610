"""Prompt groups drawn with replacement."""

from __future__ import annotations

import numpy as np
import pytest
from tests.training.toy import toy_preferences

from rewardsmith.preferences.bootstrap import bootstrap_rows, bootstrapped
from rewardsmith.preferences.table import from_preferences


def test_groups_are_drawn_whole_and_as_many_as_there_are():
    groups = np.repeat([f"g{number}" for number in range(300)], 3)
    rows = bootstrap_rows(groups.tolist(), seed=1)

    counts = np.bincount(rows, minlength=900).reshape(300, 3)
    assert (counts == counts[:, :1]).all()
    assert counts[:, 0].sum() == 300
    # 1 − 1/e of the groups, to about three standard errors.
    assert (counts[:, 0] > 0).mean() == pytest.approx(1 - np.exp(-1), abs=0.06)
    assert counts.max() > 1
    assert (np.diff(rows) >= 0).all()


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_the_rows():
    groups = [f"g{number}" for number in range(50)]
    again, other = bootstrap_rows(groups, seed=1), bootstrap_rows(groups, seed=2)
    assert np.array_equal(bootstrap_rows(groups, seed=1), again)
    assert not np.array_equal(again, other)
    backwards = bootstrap_rows(groups[::-1], seed=1)
    assert sorted(groups[::-1][row] for row in backwards) == sorted(groups[row] for row in again)


def test_a_table_is_drawn_without_a_copy():
    table = from_preferences(toy_preferences(20))
    drawn = bootstrapped(table, seed=3)
    assert drawn._data is table._data
    assert len(drawn) == 20
    assert drawn.groups == [table.groups[row] for row in bootstrap_rows(table.groups, seed=3)]
    assert len(bootstrapped(table.select([]), seed=3)) == 0
