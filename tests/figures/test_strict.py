from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from rewardsmith.core.errors import RewardsmithError
from rewardsmith.core.finding import Estimate
from rewardsmith.figures.plots import bars
from rewardsmith.figures.stacks import stacked_bars
from rewardsmith.figures.strict import without_styles

_SVG = '<svg xmlns="http://www.w3.org/2000/svg" class="plot" style="max-width: 720px" aria-label="A &lt;b&gt;">{}</svg>'


def test_styles_become_attributes_and_say_the_same():
    made = without_styles(_SVG.format('<path style="fill: none; stroke: #0072B2; stroke-width: 2" d="M 0 0"/>'))
    path = ElementTree.fromstring(made)[0]
    assert path.attrib == {"d": "M 0 0", "fill": "none", "stroke": "#0072B2", "stroke-width": "2"}
    assert "style" not in made
    assert 'aria-label="A &lt;b&gt;"' in made


def test_ids_stay_where_something_refers_to_them():
    inside = '<g id="figure_1"><path id="m1"/><use href="#m1"/><g clip-path="url(#c2)"/><clipPath id="c2"/></g>'
    ids = [each.get("id") for each in ElementTree.fromstring(without_styles(_SVG.format(inside))).iter()]
    assert [each for each in ids if each] == ["m1", "c2"]


def test_a_property_that_svg_has_not_is_refused():
    with pytest.raises(RewardsmithError, match="position"):
        without_styles(_SVG.format('<g style="position: fixed"/>'))


def test_pictures_keep_their_texts_their_colours_and_what_is_said_of_them():
    svg = bars({"<Ada>": Estimate(0.5, 0.4, 0.6, 10, 10)}, title="T", x_label="x")
    strict = without_styles(svg)
    assert " style=" not in strict
    assert "<style" not in strict
    before, after = ElementTree.fromstring(svg), ElementTree.fromstring(strict)
    assert [*after.itertext()] != []
    assert (
        "".join(after.itertext()).split()
        == "".join(text for text in before.itertext() if "stroke-linejoin" not in text).split()
    )
    assert after.get("aria-label") == before.get("aria-label")
    assert "var(--line" in strict
    assert "<Ada>" in [text.strip() for text in after.itertext()]


def test_stacked_bars_say_their_sizes_and_nothing_where_there_is_none():
    svg = stacked_bars({"1 bread": {"votes": 2, "none": 3}, "2 sums": {"votes": 0, "none": 1}}, title="T", x_label="x")
    assert 'aria-label="Stacked bars. T. 1 bread: votes 2, none 3; 2 sums: votes 0, none 1."' in svg
    assert "no data" in stacked_bars({}, title="T", x_label="x")
