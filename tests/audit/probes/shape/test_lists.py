"""Lists in another order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.audit.probes.probe import Item
from rewardsmith.audit.probes.shape import lists
from rewardsmith.core.conversation import response_text, user


def test_written_out() -> None:
    text = "Some fruits:\n\n- figs\n- an apple\n- plums\n\nEnjoy!"
    assert lists.reorder(text, lists.reverse) == "Some fruits:\n\n- plums\n- an apple\n- figs\n\nEnjoy!"
    assert lists.shortest_first(["bb", "a", "ab"]) == ["a", "ab", "bb"]
    assert lists.longest_first(["bb", "a", "ab"]) == ["bb", "ab", "a"]


@pytest.mark.parametrize(
    "text",
    [
        "no list",
        "- a\n- b",
        "- a\n- b\n  - deeper\n- c",
        "- a\n- b\n- c\n  runs on",
        "- first do this\n- then that\n- go",
        "1. a\n2. b\n3. c",
    ],
)
def test_where_the_order_may_mean_something_it_stays(text: str) -> None:
    assert lists.reorder(text, lists.reverse) == text


@given(st.lists(st.text(alphabet="xyz ", min_size=1).map(str.strip).filter(bool), min_size=3))
def test_keeps_the_items_and_turns_back(items: list[str]) -> None:
    text = "\n".join(f"* {item}" for item in items)
    turned = lists.reorder(text, lists.reverse)
    assert sorted(turned.split("\n")) == sorted(text.split("\n"))
    assert lists.reorder(turned, lists.reverse) == text


def test_own_lists_come_first_and_built_ones_fill_up() -> None:
    own = [Item((user(f"q{n}"),), f"- a{n}\n- bbb\n- cc", f"g{n}", chosen=True) for n in range(50)]
    generator = np.random.default_rng(0)
    few = lists.list_order_edits(own[:3], generator)
    assert [edit.group for edit in few[:3]] == ["g0", "g1", "g2"]
    assert len({edit.group for edit in few}) == 3 + len(lists.KINDS) >= 20
    # Three versions of each kind, so that the mean of its group is known better.
    assert len(few) == 3 + 3 * len(lists.KINDS)
    assert len({edit.before for edit in few}) == len(few)
    assert {edit.group for edit in lists.list_order_edits(own, generator)} == {f"g{n}" for n in range(50)}
    by_length = lists.list_length_edits(own[:1], generator)[0]
    assert response_text(by_length.before) == "- a0\n- cc\n- bbb"
    assert response_text(by_length.after) == "- bbb\n- cc\n- a0"


def test_built_lists_stand_in_the_order_of_the_alphabet() -> None:
    assert all(list(items) == sorted(items) for _, items in lists.KINDS)
