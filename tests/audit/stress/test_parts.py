from __future__ import annotations

import numpy as np
import pytest
from tests.audit.planted import FeatureScorer, FunctionScorer, count_features, length_meter, many

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.evaluation import to_json
from rewardsmith.audit.stress.lineage import Lineage, compare_lineage
from rewardsmith.audit.stress.parts import lineage_part, pressure_part, search_part, shift_part
from rewardsmith.audit.stress.pressure import measure_pressure
from rewardsmith.audit.stress.search import search_phrases
from rewardsmith.audit.stress.shift import measure_shift
from rewardsmith.core.conversation import assistant, response_text, user
from rewardsmith.figures.markdown import render_markdown
from rewardsmith.figures.page import render_page
from rewardsmith.preferences.candidates import Candidates


def candidates(prompts: int = 25):
    rng = np.random.default_rng(0)
    made = []
    for number in range(prompts):
        responses = tuple((assistant("- word " * size),) for size in range(1, 9))
        made.append(Candidates((user(f"p{number}"),), responses, rng.normal(size=8), str(number)))
    return made


def parts():
    lineage = Lineage("llama", 64, None, frozenset({("a", 0)}))
    meter = FeatureScorer(lambda one: float(len(response_text(one))), count_features)
    return {
        "pressure": lambda: pressure_part(measure_pressure(meter, candidates(), rating="good <b>")),
        "shift": lambda: shift_part(measure_shift(meter, many(60), many(60, start=100), train=many(60, start=200))),
        "lineage": lambda: lineage_part(compare_lineage(lineage, lineage)),
        "search": lambda: search_part(search_phrases(meter, many(100), transfer=length_meter(), budget=1000)),
    }


@pytest.mark.parametrize("name", ["pressure", "shift", "lineage", "search"])
def test_every_part_has_findings_a_section_and_data(name):
    part = parts()[name]()
    assert part.name == name
    assert part.findings
    page = render_page("t", part.sections)
    assert part.sections[0].title in page
    assert "<b>" not in page
    assert render_markdown("t", part.sections)
    assert to_json(part.data)


def test_the_curve_says_selection_nats_and_no_kl():
    page = render_page("t", parts()["pressure"]().sections)
    assert "selection nats" in page
    assert page.count("<svg") == 2


def test_a_part_that_could_not_be_measured_says_why():
    flat = FunctionScorer(lambda _: 1.0)
    part = search_part(search_phrases(flat, many(100)))
    assert (part.findings, isinstance(part.data, Absent)) == ((), True)
    assert "does not vary" in render_markdown("t", part.sections)
    none = pressure_part(Absent("No prompt has candidates."))
    assert "No prompt has candidates." in render_markdown("t", none.sections)


def test_without_features_the_section_says_so():
    part = shift_part(measure_shift(length_meter(), many(30), many(30, start=100)))
    assert "No distance from the training data" in render_markdown("t", part.sections)
