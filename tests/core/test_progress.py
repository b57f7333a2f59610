from __future__ import annotations

import sys

import pytest

from rewardsmith.core.progress import track


def test_items_pass_through_in_order(capsys: pytest.CaptureFixture[str]):
    assert list(track(iter([3, 1, 2]), "working")) == [3, 1, 2]
    assert capsys.readouterr().err == ""


def test_a_bar_loses_no_item(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(track(iter([3, 1, 2]), "tokenising", total=3)) == [3, 1, 2]
