"""The thresholds come back, whatever happens."""

from __future__ import annotations

import gc

import pytest

from rewardsmith.preferences.garbage import rare_collections


def test_thresholds_are_put_back():
    earlier = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold()[0] > earlier[0]
    assert gc.get_threshold() == earlier


def test_thresholds_are_put_back_after_an_error():
    earlier = gc.get_threshold()
    with pytest.raises(ValueError, match="x"), rare_collections():
        raise ValueError("x")
    assert gc.get_threshold() == earlier
