"""The picture of over-optimisation."""

from __future__ import annotations

from rewardsmith.figures.overoptimisation import overoptimisation_plot
from rewardsmith.figures.plots import Curve

GOLD = Curve([0.2, 0.6, 1.2, 4.0], [0.2, 0.4, 0.5, 0.1], [0.1, 0.3, 0.4, 0.0], [0.3, 0.5, 0.6, 0.2])
PROXY = Curve([0.2, 0.6, 1.2, 4.0], [0.3, 0.6, 0.9, 1.5])
FIT = Curve([0.0, 1.0, 4.0], [0.0, 0.5, 0.1], [0.0, 0.4, 0.0], [0.0, 0.6, 0.2])


def test_it_shows_points_curve_and_where_to_stop():
    svg = overoptimisation_plot(
        {"gold": GOLD, "reward": PROXY}, fitted=FIT, budget_nats=1.0, peak_nats=1.2, title="T <i>", y_label="gain"
    )
    assert svg.startswith("<svg")
    for told in ("gold, fitted", "budget: 1.00", "peak of the curve: 1.20", "Budget at 1.00.", "Last gain: gold 0.1"):
        assert told in svg
    assert "<i>" not in svg


def test_what_lies_beyond_the_points_is_not_marked():
    svg = overoptimisation_plot({"gold": GOLD}, budget_nats=0.0, peak_nats=float("inf"), title="T")
    assert "budget" not in svg
    assert "peak" not in svg
    assert "fitted" not in svg


def test_nothing_is_said_to_be_nothing():
    assert "no data" in overoptimisation_plot({"gold": Curve([], [])}, title="T")
