"""β, by hand."""

from __future__ import annotations

import pytest

from rewardsmith.core.errors import SettingsError
from rewardsmith.optimise.anchor import AdaptiveAnchor, Anchor, AnchorSettings, FixedAnchor, make_anchor
from rewardsmith.optimise.watch import WatchSettings

WATCH = WatchSettings(baseline_lines=2, window_lines=1, noise=3.0, least_share=0.25)
ADAPTIVE = AnchorSettings(kind="adaptive", beta=0.1, factor=2.0, fall=0.5, patience=2, most=0.3)


def betas(anchor: Anchor, lengths: list[float]) -> list[float]:
    found = []
    for length in lengths:
        anchor.observe({"length": length})
        found.append(anchor.beta)
    return found


def test_a_fixed_one_stays():
    assert betas(FixedAnchor(0.1), [1, 1, 99, 99]) == [0.1] * 4
    assert isinstance(make_anchor(AnchorSettings(beta=0.1), WATCH), FixedAnchor)


def test_it_rises_when_a_sign_moves_not_beyond_its_most_and_not_at_once_again():
    # 10, 10 are usual; 20 is moved at once. ×2, then wait a line, ×2 cut to 0.3, wait, stay.
    found = betas(make_anchor(ADAPTIVE, WATCH), [10, 10, 20, 20, 20, 20, 20])
    assert found == pytest.approx([0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3])


def test_it_falls_back_slowly_to_where_it_began():
    found = betas(make_anchor(ADAPTIVE, WATCH), [10, 10, 20, 20, 20, 10, 10, 10])
    assert found == pytest.approx([0.1, 0.1, 0.2, 0.2, 0.3, 0.15, 0.1, 0.1])


def test_the_same_lines_give_the_same_beta():
    lengths = [10.0, 11, 19, 30, 12, 50]
    assert betas(make_anchor(ADAPTIVE, WATCH), lengths) == betas(make_anchor(ADAPTIVE, WATCH), lengths)


@pytest.mark.parametrize("beta", [0.0, 2.0])
def test_a_beta_that_cannot_move_is_refused(beta: float):
    with pytest.raises(SettingsError, match="cannot move"):
        AdaptiveAnchor(AnchorSettings(kind="adaptive", beta=beta))
