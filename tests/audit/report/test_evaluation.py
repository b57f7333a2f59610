from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from tests.audit.planted import FeatureScorer, FunctionScorer, count_features, length_meter, many, rater, simple

from rewardsmith.audit.evaluate import evaluate
from rewardsmith.audit.report.evaluation import Context, flat_rows, render_report
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Preference
from rewardsmith.figures.markdown import escape

HOSTILE = "<script>alert('x')</script> [link](javascript:1) `code` <img src=x onerror=y>"
TITLES = (
    "In plain words",
    "Accuracy and floors",
    "Findings",
    "Length",
    "Sources",
    "Margins",
    "Calibration",
    "Disagreement",
    "Training",
    "More labels?",
    "To read",
    "What was evaluated",
    "How to do it again",
)
LOG = [{"step": 1, "loss": 0.7, "accuracy": 0.5}, {"step": 2, "eval_loss": 0.6, "eval_accuracy": 0.6}]


@pytest.fixture(scope="module")
def full():
    """Every part present: two sources that conflict, votes, training data, a log, features."""
    heldout = many(120, source="one", longer_share=0.9, good="please", bad="never") + many(
        120, source="two", longer_share=0.1, seed=1, good="never", bad="please"
    )
    votes = (("chosen",) * 3, ("chosen", "chosen", "rejected"))
    heldout = [replace(preference, votes=votes[number % 2]) for number, preference in enumerate(heldout)]
    train = many(120, start=1000, source="one") + many(120, start=1000, source="two", seed=1)
    scorer = FeatureScorer(rater([*heldout, *train], right=0.7).reward, count_features)
    return evaluate(scorer, heldout, train=train, training_log=LOG)


@pytest.fixture(scope="module")
def report(full):
    return render_report(full)


def test_html_and_markdown_hold_every_finding(full, report):
    text = html.unescape(report.html)
    assert len(full.findings) > 18
    for finding in full.findings:
        assert finding.name in text
        assert finding.summary in text
        assert escape(finding.summary) in report.markdown


def test_every_part_is_shown(report):
    for title in TITLES:
        assert f"<h2>{title}</h2>" in report.html
        assert f"## {title}" in report.markdown
    assert "Not measured" not in report.markdown
    assert report.html.count("<svg") >= 8
    assert "THE SOURCES CONTRADICT EACH OTHER" in report.markdown


def test_the_head_says_how_many_conversations_were_cut_to_fit(full, report):
    assert full.counts.truncated is None
    for page, end in ((report.html, "<h2>"), (report.markdown, "\n## ")):
        assert "not counted" in page.partition(end)[0]
    cut = render_report(replace(full, counts=replace(full.counts, scored=1200, truncated=34)))
    for page, end in ((cut.html, "<h2>"), (cut.markdown, "\n## ")):
        assert "34 of 1,200 conversations" in page.partition(end)[0]


def test_the_page_fetches_nothing(report):
    page = report.html
    assert not re.search(r"<(script|link|img|iframe)\b", page)
    assert not re.search(r"""(src|href)=["'](?!#)""", page.replace("xlink:href", ""))
    assert "@import" not in page


def test_hostile_texts_stay_texts():
    heldout = [
        Preference((user(HOSTILE),), ((assistant(HOSTILE + " a"),), (assistant(HOSTILE),)), simple("", "a", "b").pairs,
                   f"<b>{number}</b>", f"<i>{number}</i>", "<u>source</u>" if number % 2 else "$x$ & y")
        for number in range(30)
    ]  # fmt: skip
    scorer = FunctionScorer(lambda conversation: -len(conversation[-1].content))
    report = render_report(evaluate(scorer, heldout), Context(name=HOSTILE, recipe={"data": {"path": HOSTILE}}))
    assert "<script" not in report.html
    assert "<b>0" not in report.html
    assert "<u>source" not in report.html
    assert "&lt;script&gt;" in report.html
    # A backslash before it makes a character of Markdown plain.
    assert not re.search(r"(?<!\\)<script", report.markdown)
    assert not re.search(r"(?<!\\)\[link", report.markdown)


def test_the_context_stands_in_the_report(full):
    context = Context(
        name="my model",
        recipe={"training": {"learning_rate": 2e-5}, "data": {"sources": []}},
        data_counts={"read": 9, "rejected": {"tie": 2}},
        commands=("rewardsmith evaluate model data",),
        parents={"data": "d" * 64},
    )
    found = render_report(full, context)
    for text in (found.html, found.markdown.replace("\\", "")):
        for needle in (
            "Evaluation of my model",
            "training.learning_rate",
            "2e-05",
            "rejected.tie",
            "rewardsmith evaluate",
            "d" * 64,
        ):
            assert needle in text


@pytest.mark.parametrize(
    "scorer", [length_meter(), FunctionScorer(lambda _: float("nan")), FunctionScorer(lambda _: 1.0)]
)
@pytest.mark.parametrize("heldout", [many(12), [simple(str(number), "a", "b", tie=True) for number in range(3)]])
def test_a_poor_or_small_evaluation_still_gives_a_whole_report(scorer, heldout):
    report = render_report(evaluate(scorer, heldout))
    assert report.html.rstrip().endswith("</html>")
    assert ">nan" not in report.html.lower().replace("is nan", "")
    assert "Not measured" in report.markdown


def test_long_texts_are_cut_and_say_so():
    heldout = [simple(str(number), "a" * 5000, "b") for number in range(5)]
    report = render_report(evaluate(length_meter(), heldout))
    assert "[3,500 more characters]" in html.unescape(report.html)


def test_nested_settings_become_dotted_keys():
    rows = flat_rows({"a": {"b": 1, "c": {"d": None}}, "e": [1, 2], "f": {}})
    assert rows == (("a.b", "1"), ("a.c.d", ""), ("e", "[1, 2]"), ("f", "{}"))
