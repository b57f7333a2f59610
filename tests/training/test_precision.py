"""The choice of arithmetic, which every machine must be able to make."""

from __future__ import annotations

from rewardsmith.training.precision import bf16_pays, resolve_precision


def test_what_is_asked_for_is_taken():
    assert resolve_precision("float32") == "float32"
    assert resolve_precision("bf16") == "bf16"


def test_auto_takes_what_pays_here():
    assert resolve_precision("auto") == ("bf16" if bf16_pays() else "float32")
