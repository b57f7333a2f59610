"""Ratings."""

from __future__ import annotations

import random

import pytest

from rewardsmith.core.conversation import assistant, response_text, user
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.outcome import Reason, Rejection


def rated(prompt: str, response: str, **ratings: float | str | None) -> dict:
    return {"prompt_id": f"id-{prompt}", "prompt": prompt, "response": response, "ratings": ratings, "source": "S"}


def helpsteer(prompt: str, response: str, helpfulness: int, verbosity: int = 2) -> dict:
    return {
        "prompt": prompt,
        "response": response,
        "helpfulness": helpfulness,
        "correctness": 3,
        "coherence": 4,
        "complexity": 1,
        "verbosity": verbosity,
    }


def completion(response: str, overall: float | None, helpfulness: str) -> dict:
    return {
        "annotations": {
            "helpfulness": {"Rating": helpfulness, "Rationale": "…", "Type": ["1"]},
            "honesty": {"Rating": "N/A", "Rationale": "…"},
        },
        "custom_system_prompt": "…",
        "critique": "…",
        "fine-grained_score": 4.25,
        "model": "m",
        "overall_score": overall,
        "principle": "honesty",
        "response": response,
    }


def wins(preference: Preference) -> set[tuple[str, str]]:
    texts = [response_text(response) for response in preference.responses]
    return {(texts[pair.chosen], texts[pair.rejected]) for pair in preference.pairs}


def test_rows_of_a_prompt_come_together_wherever_they_stand(read_all) -> None:
    results = read_all(rated("p", "a", x=1), rated("q", "c", x=3), rated("p", "b", x=2), rated("q", "d", x="0.5"))
    first, second = (result.outcome for result in results)
    assert [result.row.line for result in results] == [1, 2]
    assert first == Preference(
        prompt=(user("p"),),
        responses=((assistant("a"),), (assistant("b"),)),
        pairs=(Pair(1, 0, margin=1.0),),
        id="f:1",
        group="id-p",
        source="S",
        meta={"lines": [1, 3]},
    )
    assert wins(second) == {("c", "d")}
    assert second.meta["lines"] == [2, 4]


def test_several_ratings_need_a_name(read_all) -> None:
    rows = [rated("p", "a", x=1, y=2), rated("p", "b", x=2, y=1)]
    with pytest.raises(SettingsError, match="`rating:` as one of x, y"):
        read_all(*rows)
    assert wins(read_all(*rows, rating="x")[0].outcome) == {("b", "a")}
    assert wins(read_all(*rows, rating="y")[0].outcome) == {("a", "b")}
    assert wins(read_all(*rows, rating="-y")[0].outcome) == {("b", "a")}


def test_a_rating_that_no_row_carries(read_all) -> None:
    with pytest.raises(DataError, match="no row has a rating 'z'; wanted one of x, y"):
        read_all(rated("p", "a", x=1, y=2), rating="z")


def test_every_row_is_accounted_for(read_all) -> None:
    rows = [
        rated("p", "a", x=1),
        rated("p", "b", x=2),
        rated("p", "c", y=2),
        rated("lone", "a", x=1),
        rated("equal", "a", x=1),
        rated("equal", "b", x=1),
        rated("p", " ", x=1),
        rated("p", "d", x=None),
        None,
        {"other": 1},
        rated("p", "e", x="high"),
    ]
    results = read_all(*rows, rating="x")
    reasons = {result.row.line: result.outcome.reason for result in results if isinstance(result.outcome, Rejection)}
    assert reasons == {
        3: Reason.UNREADABLE,
        4: Reason.TOO_FEW_RESPONSES,
        5: Reason.NO_COMPARISON,
        6: Reason.NO_COMPARISON,
        7: Reason.EMPTY_SIDE,
        8: Reason.UNREADABLE,
        9: Reason.UNREADABLE,
        10: Reason.UNREADABLE,
        11: Reason.WRONG_TYPE,
    }
    kept = [
        line for result in results if isinstance(result.outcome, Preference) for line in result.outcome.meta["lines"]
    ]
    assert sorted(kept + list(reasons)) == list(range(1, len(rows) + 1))
    assert all(result.row.values is not None for result in results if result.row.line in (4, 5, 6))


def test_the_bound_holds_and_does_not_depend_on_the_order(read_all) -> None:
    rows = [rated("p", f"response {n}", x=n) for n in range(50)]
    first = read_all(*rows, max_responses=4)[0].outcome
    shuffled = random.Random(5).sample(rows, len(rows))
    second = read_all(*shuffled, max_responses=4)[0].outcome
    assert wins(first) == wins(second)
    assert len(first.responses) == 4
    assert first.meta == {"lines": list(range(1, 51)), "left_out": {"max_responses": 46}}


def test_equal_texts_are_one_response_with_the_mean_rating(read_all) -> None:
    outcome = read_all(rated("p", "a", x=1), rated("p", "b", x=2.5), rated("p", "a", x=5))[0].outcome
    # (1 + 5) / 2 = 3 beats 2.5 by .5.
    assert outcome.pairs == (Pair(0, 1, margin=0.5),)
    assert outcome.meta == {"lines": [1, 2, 3], "left_out": {"repeated": 1}}


def test_rows_of_a_refused_prompt_that_were_not_kept_are_still_reported(read_all) -> None:
    results = read_all(*[rated("p", f"response {n}", x=1) for n in range(20)], max_responses=3)
    assert [result.row.line for result in results] == list(range(1, 21))
    assert {result.outcome.reason for result in results} == {Reason.NO_COMPARISON}


def test_helpsteer(read_all) -> None:
    rows = [helpsteer("p", "a", 4, 0), helpsteer("p", "b", 2, 1)]
    outcome = read_all(*rows, rating="helpfulness")[0].outcome
    assert wins(outcome) == {("a", "b")}
    assert outcome.pairs[0].margin == 2.0
    assert wins(read_all(*rows, rating="verbosity")[0].outcome) == {("b", "a")}
    with pytest.raises(SettingsError, match="helpfulness, correctness, coherence, complexity, verbosity"):
        read_all(*rows)


def test_helpsteer2_marks_further_turns(read_all) -> None:
    prompt = "Hi\n<extra_id_1>Assistant\nHello!\n<extra_id_1>User\nWhat is a pen?"
    outcome = read_all(helpsteer(prompt, "a", 4), helpsteer(prompt, "b", 2), rating="helpfulness")[0].outcome
    assert outcome.prompt == (user("Hi"), assistant("Hello!"), user("What is a pen?"))


def test_ultrafeedback(read_all) -> None:
    row = {
        "source": "evol_instruct",
        "instruction": "q",
        "models": ["m1", "m2", "m3", "m4"],
        "completions": [
            completion("a", 7.5, "2"),
            completion("b", 6.0, "5"),
            completion("c", 7.5, "1"),
            completion("d", None, "3"),
        ],
        "correct_answers": ["None"],
        "incorrect_answers": ["None"],
    }
    outcome = read_all(row)[0].outcome
    assert wins(outcome) == {("a", "b"), ("c", "b")}
    assert outcome.source == "evol_instruct"
    assert outcome.meta["left_out"] == {"unjudged": 1}
    assert wins(read_all(row, rating="helpfulness", min_rating_gap=3)[0].outcome) == {("b", "a"), ("b", "c")}
    assert read_all(row, rating="fine-grained_score")[0].outcome.reason is Reason.NO_COMPARISON
    with pytest.raises(DataError, match="no row has a rating 'verbosity'; wanted one of overall_score"):
        read_all(row, rating="verbosity")


def test_ultrafeedback_rejections(read_all) -> None:
    rows = [
        {"instruction": "q", "completions": []},
        {"instruction": "q", "completions": [{"response": 3}]},
        {"instruction": "q", "completions": "text"},
        {"instruction": "", "completions": [completion("a", 1, "1"), completion("b", 2, "1")]},
    ]
    assert [result.outcome.reason for result in read_all(*rows)] == [
        Reason.TOO_FEW_RESPONSES,
        Reason.WRONG_TYPE,
        Reason.WRONG_TYPE,
        Reason.EMPTY_SIDE,
    ]
