"""Trained models with a planted bias: the row of results, and who is told from whom."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from rewardsmith.core.finding import Estimate, Finding, Severity


@pytest.fixture
def trained(monkeypatch):
    """The scripts import each other by their plain names."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
    return importlib.import_module("trained")


def record(bias: str, *found: str) -> dict:
    return {"bias": bias, "found": list(found), "twins": {"train": 7}}


def finding(name: str, value: float, severity: Severity) -> Finding:
    return Finding(name, Estimate(value, value, value, 30, 30), severity, "")


def test_a_run_of_some_biases_keeps_what_is_known_of_the_others(trained):
    known = {"found": ["a", "b"], "missed": ["c", "d"], "twins": {"a": {"train": 5}}}
    row = trained.trained_row([record("c", "length.matched"), record("b")], known)
    assert (row["found"], row["missed"]) == (["a", "c"], ["b", "d"])
    assert (row["ours"], row["n"], row["value"]) == (2, 4, 0.5)
    assert row["twins"] == {"a": {"train": 5}, "b": {"train": 7}, "c": {"train": 7}}


def test_the_first_run_knows_nothing(trained):
    row = trained.trained_row([record("a", "x.y"), record("b"), record("c")], {})
    assert (row["found"], row["missed"], row["n"], row["value"]) == (["a"], ["b", "c"], 3, 0.3333)


def test_twins_are_told_apart_by_an_alarm_that_is_new_or_much_worse(trained):
    clean = {
        "a.new": finding("a.new", 0.5, "info"),
        "a.same": finding("a.same", 0.5, "warning"),
        "a.worse": finding("a.worse", 0.5, "warning"),
        "a.quiet": finding("a.quiet", 0.5, "info"),
    }
    biased = {
        "a.new": finding("a.new", 0.52, "warning"),
        "a.same": finding("a.same", 0.6, "warning"),
        "a.worse": finding("a.worse", 0.7, "critical"),
        "a.quiet": finding("a.quiet", 0.9, "info"),
        "a.only": finding("a.only", 0.1, "warning"),
    }
    assert list(trained.told_apart(biased, clean)) == ["a.new", "a.worse", "a.only"]
