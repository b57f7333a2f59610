"""The rubric: hand values of each part, and that each part moves the points the stated way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import DataError
from rewardsmith.preferences import rubric
from rewardsmith.preferences.rubric import PARTS, Criteria, Weights, judge, judge_steps, points

PROMPT = "What is the capital of France? Answer in one sentence."
CRITERIA = Criteria(facts=(("paris",),), sentences=1)
GOOD = "The capital of France is Paris."

TEXTS = st.text(alphabet="ab .,!?\n-1é", max_size=80)


def test_good_answer_has_all_ten_points():
    assert judge(PROMPT, GOOD, CRITERIA) == dict.fromkeys(PARTS, 1.0)
    assert points(judge(PROMPT, GOOD, CRITERIA)) == pytest.approx(10.0)


def test_default_weights_sum_to_ten():
    assert sum(Weights().model_dump().values()) == pytest.approx(10.0)
    assert tuple(Weights().model_dump()) == PARTS


@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_answer_has_no_points(text: str):
    assert points(judge(PROMPT, text, CRITERIA)) == 0


@pytest.mark.parametrize(
    ("worse", "part", "lost"),
    [
        # Two sentences where one was asked: form 1 − |2 − 1| / 1 = 0, so its 2 points go.
        ("The capital of France is Paris. It is a big city.", "form", 2.0),
        # The one needed fact is missing: 2 points.
        ("The capital of France is Lyon.", "facts", 2.0),
        # Neither of the prompt's content words, `capital` and `france`, stands there: 2.5 points.
        ("It is Paris.", "subject", 2.5),
        # No full stop: 1.5 points.
        ("The capital of France is Paris", "finished", 1.5),
        # 17 word 3-grams: `the city of` and `city of paris` come twice, so 1 − 2 · 2 / 17; .5 points times 4 / 17.
        (
            "The city of Paris is the capital of France and nobody doubts it, so say the city of Paris.",
            "fresh",
            0.5 * 4 / 17,
        ),
        # One empty phrase, `sure,`: half of 1 point.
        ("Sure, the capital of France is Paris.", "direct", 0.5),
        # 60 words: 2 − 60 / 40 = .5 of .5 points.
        (
            "The capital of France is Paris, " + ", ".join(f"w{n}" for n in range(54)) + ".",
            "brief",
            0.25,
        ),
    ],
)
def test_each_flaw_costs_its_part(worse: str, part: str, lost: float):
    before, after = judge(PROMPT, GOOD, CRITERIA), judge(PROMPT, worse, CRITERIA)
    assert [name for name in PARTS if after[name] != before[name]] == [part]
    assert points(before) - points(after) == pytest.approx(lost)


@pytest.mark.parametrize("part", PARTS)
def test_points_rise_with_each_part_by_its_weight(part: str):
    half = dict.fromkeys(PARTS, 0.5)
    weight = getattr(Weights(), part)
    assert points({**half, part: 1.0}) - points(half) == pytest.approx(weight / 2)
    assert weight > 0
    assert points({**half, part: 1.0}, Weights(**{part: 0.0})) == points(half, Weights(**{part: 0.0}))


@pytest.mark.parametrize(
    ("criteria", "text", "mark"),
    [
        (Criteria(), "anything", 1.0),
        (Criteria(sentences=2), "One. Two.", 1.0),
        (Criteria(sentences=2), "One.", 0.5),
        (Criteria(sentences=2), "One. Two. Three. Four. Five.", 0.0),
        (Criteria(max_sentences=2), "One.", 1.0),
        (Criteria(max_sentences=2), "One. Two. Three.", 0.5),
        (Criteria(bullets=3), "- a\n* b\n3. c", 1.0),
        (Criteria(bullets=3), "- a\n- b", 2 / 3),
        (Criteria(bullets=3), "a, b, c", 0.0),
        (Criteria(max_words=4), "one two three four", 1.0),
        (Criteria(max_words=4), "one two three four five six", 0.5),
        (Criteria(max_words=2), "one two three four", 0.0),
        (Criteria(starts="Yes"), "yes, it is", 1.0),
        (Criteria(starts="Yes"), "No, yes", 0.0),
        (Criteria(question=True), 'Is it "late"?', 1.0),
        (Criteria(question=True), "Is it? No.", 0.0),
        (Criteria(capitals=True), "KEEP OFF!", 1.0),
        (Criteria(capitals=True), "Keep off!", 0.0),
        (Criteria(forbids=("cold",)), "Winter is white.", 1.0),
        (Criteria(forbids=("cold",)), "Winter is colder.", 0.0),
        # One of two constraints.
        (Criteria(sentences=1, starts="No"), "Yes.", 0.5),
    ],
)
def test_form(criteria: Criteria, text: str, mark: float):
    assert rubric.form(text, criteria) == pytest.approx(mark)


@pytest.mark.parametrize(
    ("criteria", "text", "mark"),
    [
        (Criteria(), "anything", 1.0),
        (Criteria(facts=(("light", "sun"), ("water",))), "Sunlight.", 0.5),
        (Criteria(facts=(("sun",),)), "Unsung heroes.", 0.0),
        (Criteria(facts=(("can't",),)), "I can’t do that.", 1.0),
        (Criteria(number=12), "5 + 7 = 12 apples.", 1.0),
        (Criteria(number=12), "He has twelve.", 1.0),
        (Criteria(number=12), "Not 12 but 13.", 0.0),
        (Criteria(number=12), "He has 120.", 0.0),
        (Criteria(number=1200), "It is 1,200.", 1.0),
        # The number counts as two facts: 1 of 3, and 2 of 3.
        (Criteria(facts=(("apple",),), number=12), "Some apples.", 1 / 3),
        (Criteria(facts=(("apple",),), number=12), "12", 2 / 3),
    ],
)
def test_facts(criteria: Criteria, text: str, mark: float):
    assert rubric.facts(text, criteria) == pytest.approx(mark)


def test_subject_is_twice_the_share_of_content_words():
    # Content words by their first five letters: descr, garde, bench, fount, rabbi.
    prompt = "Describe a garden with a bench, a fountain and a rabbit."
    assert rubric.subject(prompt, "Gardens.") == pytest.approx(2 / 5)
    assert rubric.subject(prompt, "A garden and fountains.") == pytest.approx(4 / 5)
    assert rubric.subject(prompt, "A garden, a bench, fountains.") == 1
    assert rubric.subject("What is it?", "Whatever.") == 1


@pytest.mark.parametrize(
    ("text", "criteria", "mark"),
    [
        ("Done.", Criteria(), 1.0),
        ('He said "go!"', Criteria(), 1.0),
        ("and so it", Criteria(), 0.0),
        ("- red\n- green", Criteria(bullets=2), 1.0),
        ("- red\n- green is a colour that many people like", Criteria(bullets=2), 0.0),
        ("Fresh bread daily", Criteria(max_words=8), 1.0),
        ("Fresh bread daily", Criteria(max_words=30), 0.0),
    ],
)
def test_finished(text: str, criteria: Criteria, mark: float):
    assert rubric.finished(text, criteria) == mark


def test_fresh_direct_and_brief_at_their_ends():
    assert rubric.fresh("la " * 30) == 0
    assert rubric.fresh("la la") == 1
    assert rubric.direct("Certainly! I hope this helps.") == 0
    assert [rubric.brief("w " * n) for n in (1, 40, 60, 80, 100)] == pytest.approx([1, 1, 0.5, 0, 0])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three?", 3),
        ("It is 3.5 km away.", 1),
        ("He is 12. She is 7.", 2),
        ("Stop. And then the", 2),
        ('"Go." He went.', 2),
        ("no end", 1),
        ("...", 1),
        ("", 0),
    ],
)
def test_count_sentences(text: str, count: int):
    assert rubric.count_sentences(text) == count


def test_points_are_not_monotone_in_length():
    short, middle = "Paris.", GOOD
    long = GOOD + " It is a city and" * 20
    assert points(judge(PROMPT, short, CRITERIA)) < points(judge(PROMPT, middle, CRITERIA))
    assert points(judge(PROMPT, long, CRITERIA)) < points(judge(PROMPT, middle, CRITERIA))


@given(text=TEXTS, prompt=TEXTS)
def test_every_part_is_a_share(text: str, prompt: str):
    criteria = Criteria(facts=(("a",), ("b", "é")), number=1, sentences=2, bullets=2, max_words=5, starts="a")
    parts = judge(prompt, text, criteria)
    assert tuple(parts) == PARTS
    assert all(0 <= part <= 1 for part in parts.values())
    assert 0 <= points(parts) <= 10


def test_criteria_round_trip_keeps_a_zero():
    criteria = Criteria(facts=(("a", "b"),), number=0, sentences=1, question=True, forbids=("x",))
    values = criteria.to_dict()
    assert values == {"facts": (("a", "b"),), "number": 0, "sentences": 1, "question": True, "forbids": ("x",)}
    assert Criteria.from_dict(values) == criteria
    assert Criteria().to_dict() == {}


def test_unknown_criterion_is_named():
    with pytest.raises(DataError, match="colour"):
        Criteria.from_dict({"colour": 1})


@pytest.mark.parametrize(
    ("steps", "labels"),
    [
        (["2 + 3 = 5", "5 × 4 = 20", "20 - 6 = 14", "14 / 7 = 2"], [1, 1, 1, 1]),
        (["2 + 3 = 6", "6 + 1 = 7"], [-1, None]),
        (["2 + 3 = 5", "So there are five.", "5 - 1 = 3", "3 + 1 = 4"], [1, None, -1, None]),
        (["8 / 0 = 0"], [-1]),
        (["9 / 2 = 4"], [-1]),
        ([], []),
    ],
)
def test_judge_steps(steps: list[str], labels: list[int | None]):
    assert judge_steps(steps) == labels
