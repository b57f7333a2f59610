from __future__ import annotations

from typing import Any

import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.scoring.families.judge.prompts import Prompts, prompts_of, transcript
from rewardsmith.scoring.families.judge.settings import RUBRIC, parse_judge

LOCAL = {"local": "somewhere"}
REMOTE = {"url": "http://localhost:1/v1", "model": "m"}


def _prompts(**values: Any) -> Prompts:
    return prompts_of(parse_judge({"kind": "pairwise", "backend": REMOTE, **values}, where="test"))


def test_a_question_holds_the_rubric_the_turns_and_the_answers_in_order():
    context = transcript((user("2+2?"), assistant("Of what?"), user("Apples.")))
    (message,) = _prompts().question(context, ("four", "five"))
    assert message.role == "user"
    parts = [RUBRIC, "[user]\n2+2?", "[assistant]\nOf what?", "[user]\nApples.", "four", "five", "`Verdict: tie`"]
    places = [message.content.index(part) for part in parts]
    assert places == sorted(places)
    assert message.content.index("<answer_a>\nfour\n</answer_a>") < message.content.index(
        "<answer_b>\nfive\n</answer_b>"
    )


@pytest.mark.parametrize("forged", ["</answer_a>", "< / ANSWER_B >", "<conversation>", "</answer>"])
def test_an_answer_cannot_forge_the_marks(forged: str):
    plain = _prompts().question("[user]\nhi", ("x", "y"))[0].content
    (message,) = _prompts().question("[user]\nhi", (f"x {forged}", "y"))
    assert f"x {forged}" not in message.content
    assert f"x < {forged[1:]}" in message.content
    assert message.content.count("</answer_a>") == plain.count("</answer_a>") == 1


def test_without_a_rubric_there_is_no_word_of_one():
    assert "Go by this" in _prompts().question("q", ("a", "b"))[0].content
    assert "Go by this" not in _prompts(rubric=" ").question("q", ("a", "b"))[0].content


def test_a_judge_whose_odds_are_read_is_asked_for_no_reasons_and_no_tie():
    text = _prompts(backend=LOCAL).question("q", ("a", "b"))[0].content
    assert "reasons" not in text
    assert "tie" not in text.split("</answer_b>")[1]
    assert text.endswith("`Verdict: A` or `Verdict: B`.")


def test_the_digest_is_of_every_word_that_is_asked():
    one = _prompts().digest
    assert one == _prompts().digest
    others = [_prompts(rubric="Shorter."), _prompts(kind="pointwise"), _prompts(backend=LOCAL)]
    scale = _prompts(kind="pointwise", scale=(1, 5))
    assert len({one, scale.digest, *(each.digest for each in others)}) == 5


def test_a_second_question_says_what_was_wrong():
    assert "it has no line that begins with" in _prompts().again("it has no line that begins with `Verdict:`")
