"""Pictures: well-formed, labelled, described, the same each time, and without a trace in matplotlib's settings."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import matplotlib
import numpy as np
import pytest

from rewardsmith.core.finding import Estimate
from rewardsmith.figures.plots import Curve, bars, curves, histogram, reliability_diagram
from rewardsmith.figures.style import GRID, INK
from rewardsmith.numerics.calibration import reliability

MARGINS = np.random.default_rng(0).normal(1, 2, 300)
SHARE = Estimate(0.62, 0.6, 0.64, 300, 200)


def draw_histogram() -> str:
    return histogram({"a": MARGINS, "b": MARGINS[:50]}, title="Margins", x_label="margin", zero_line=True)


def draw_lengths() -> str:
    return histogram({"a": np.exp(MARGINS + 3)}, title="Lengths", x_label="characters", log_x=True)


def draw_reliability() -> str:
    return reliability_diagram(reliability(MARGINS), reliability(MARGINS, temperature=2), title="Calibration")


def draw_curves() -> str:
    line = Curve([1, 10, 100], [3.0, 2.0, 1.0], [2.5, 1.5, 0.5], [3.5, 2.5, 1.5])
    return curves({"loss": line}, title="Loss", x_label="step", y_label="nats", log_x=True, references={"log 2": 0.69})


def draw_bars() -> str:
    one = Estimate(1.0, math.nan, math.nan, 5, 1)
    return bars({"model": SHARE, "one group": one}, title="Accuracy", x_label="share", references={"coin": 0.5})


ALL = [draw_histogram, draw_lengths, draw_reliability, draw_curves, draw_bars]
LABELS = [
    ("Margins", "margin", "share of pairs"),
    ("Lengths", "characters", "1,000"),
    ("Calibration", "predicted probability", "observed share"),
    ("Loss", "step", "log 2"),
    ("Accuracy", "coin", "one group"),
]


def texts_of(svg: str) -> list[str]:
    return [
        "".join(node.itertext()).strip() for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("text")
    ]


@pytest.mark.parametrize(("draw", "labels"), list(zip(ALL, LABELS, strict=True)))
def test_pictures_are_labelled_svg(draw: Callable[[], str], labels: tuple[str, ...]):
    svg = draw()
    texts = texts_of(svg)
    assert all(label in texts for label in labels)
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert len(root.get("aria-label") or "") > 20
    assert "viewBox" in root.attrib
    assert not any("mathdefault" in text for text in texts)


@pytest.mark.parametrize("draw", ALL)
def test_pictures_take_the_pages_colours_and_fetch_nothing(draw: Callable[[], str]):
    svg = draw()
    assert "currentColor" in svg
    assert INK not in svg
    assert GRID not in svg
    assert "<script" not in svg
    assert "<image" not in svg
    assert "DejaVu" not in svg


@pytest.mark.parametrize("draw", ALL)
def test_the_same_picture_gives_the_same_bytes_and_leaves_the_settings_alone(draw: Callable[[], str]):
    before = dict(matplotlib.rcParams)
    assert draw() == draw()
    assert dict(matplotlib.rcParams) == before


def test_the_alt_text_says_the_numbers():
    assert "model 0.620 [0.600, 0.640] (n=300)" in draw_bars()
    assert f"a {np.median(MARGINS):.4g}" in draw_histogram()


def test_names_of_data_are_text():
    svg = histogram({"<b>&": MARGINS, "$x_1$": MARGINS}, title='"><script>', x_label="$\\frac{")
    assert "<script>" not in svg
    texts = texts_of(svg)
    assert "<b>&" in texts
    assert "$x_1$" in texts
    assert "$\\frac{" in texts


def test_pictures_without_data_say_so():
    nan = Estimate(math.nan, math.nan, math.nan, 0, 0)
    empty = np.empty(0)
    pictures = [
        histogram({"a": empty}, title="t", x_label="x"),
        histogram({"a": np.array([math.nan, -1.0])}, title="t", x_label="x", log_x=True),
        reliability_diagram([], title="t"),
        curves({}, title="t", x_label="x", y_label="y"),
        bars({"a": nan}, title="t", x_label="x"),
    ]
    assert all("no data" in texts_of(picture) for picture in pictures)


def test_constant_data_are_drawn():
    ones = np.ones(3)
    assert "no data" not in texts_of(histogram({"a": ones}, title="t", x_label="x", log_x=True))
