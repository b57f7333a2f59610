"""The rubric in words."""

from __future__ import annotations

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.rationale import SENTENCES, rubric_rationale, rubric_rationales
from rewardsmith.preferences.rubric import PARTS, Criteria

PROMPT = "Which planet is closest to the sun?"
CRITERIA = Criteria(facts=(("mercury",),), max_words=25)


def test_a_response_that_earns_all_is_praised_in_every_sentence() -> None:
    found = rubric_rationale(PROMPT, "Mercury is the planet closest to the sun.", CRITERIA)
    assert found == " ".join(sentences[0] for sentences in SENTENCES.values())


def test_each_fault_is_named() -> None:
    found = rubric_rationale(PROMPT, "Sure! Great question. The planet closest to the sun is Venus, which", CRITERIA)
    for said in ("It stops in the middle.", "It lacks the facts.", "It is full of empty phrases."):
        assert said in found
    assert "It is finished." not in found


def test_an_empty_response_earns_nothing() -> None:
    assert rubric_rationale(PROMPT, " ", CRITERIA) == " ".join(sentences[2] for sentences in SENTENCES.values())


def test_every_part_of_the_rubric_has_its_sentences() -> None:
    assert set(SENTENCES) == set(PARTS)


def test_the_criteria_of_the_row_are_used_where_there_are_any() -> None:
    responses = tuple((assistant(f"The planet closest to the sun is {name}."),) for name in ("Mercury", "Venus"))
    given = {"prompt": (user(PROMPT),), "responses": responses, "pairs": (Pair(0, 1),), "id": "a", "group": "a"}
    with_criteria = Preference(**given, source="s", meta={"criteria": {"facts": [["mercury"]]}})
    assert ["It has the facts." in each for each in rubric_rationales(with_criteria)] == [True, False]
    assert ["It has the facts." in each for each in rubric_rationales(Preference(**given, source="s"))] == [True, True]
