"""Explicit prompts and the pair schema: label, votes, margin."""

from __future__ import annotations

import pytest

from rewardsmith.core.conversation import Message, assistant, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.groups import group_of
from rewardsmith.preferences.outcome import Reason, Rejection

PLAIN = {"prompt": "q", "chosen": "a", "rejected": "b"}


def one(read_all, row, **settings):
    (result,) = read_all(row, **settings)
    return result.outcome


def rejected(read_all, **row) -> Reason:
    outcome = one(read_all, PLAIN | row)
    assert isinstance(outcome, Rejection)
    return outcome.reason


def test_trl_plain(read_all) -> None:
    assert one(read_all, {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."}) == Preference(
        prompt=(user("The sky is"),),
        responses=((assistant(" blue."),), (assistant(" green."),)),
        pairs=(Pair(0, 1),),
        id="f:1",
        group=group_of((user("The sky is"),)),
        source="f",
    )


def test_trl_conversational(read_all) -> None:
    row = {
        "prompt": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "q"}],
        "chosen": [{"role": "assistant", "content": "a"}],
        "rejected": [{"role": "assistant", "content": "b"}],
        "margin": 2,
        "tools": None,
    }
    outcome = one(read_all, row)
    assert outcome.prompt == (Message("system", "Be short."), user("q"))
    assert outcome.responses == ((assistant("a"),), (assistant("b"),))
    assert outcome.pairs == (Pair(0, 1, margin=2.0),)
    assert outcome.meta == {}


def test_the_alignment_handbook_s_ultrafeedback_repeats_the_prompt(read_all) -> None:
    row = {
        "prompt": "q",
        "prompt_id": "abc",
        "chosen": [{"content": "q", "role": "user"}, {"content": "a", "role": "assistant"}],
        "rejected": [{"content": "q", "role": "user"}, {"content": "b", "role": "assistant"}],
        "messages": [],
        "score_chosen": 8.5,
        "score_rejected": 6.0,
    }
    outcome = one(read_all, row)
    assert outcome.prompt == (user("q"),)
    assert outcome.responses == ((assistant("a"),), (assistant("b"),))
    assert outcome.pairs == (Pair(0, 1, margin=2.5),)
    assert outcome.group == "abc"
    row["rejected"][0]["content"] = "another prompt"
    assert one(read_all, row).reason is Reason.DIFFERENT_PROMPTS


def test_reward_bench(read_all) -> None:
    row = {
        "prompt": "q",
        "chosen": "a",
        "chosen_model": "m1",
        "rejected": "b",
        "rejected_model": "m2",
        "subset": "alpacaeval-easy",
        "id": 17,
    }
    outcome = one(read_all, row)
    assert outcome.id == "17"
    assert outcome.meta == {"chosen_model": "m1", "rejected_model": "m2", "subset": "alpacaeval-easy"}


def test_a_prompt_in_transcript_form(read_all) -> None:
    row = {"prompt": "\n\nHuman: q\n\nAssistant: hm\n\nHuman: r\n\nAssistant:", "chosen": " a", "rejected": " b"}
    assert one(read_all, row).prompt == (user("q"), assistant("hm"), user("r"))


def test_identity_comes_from_the_row_then_from_the_source(read_all) -> None:
    row = PLAIN | {"id": "x1", "prompt_id": 7, "source": "own", "meta": {"k": 1}, "extra": 2}
    outcome = one(read_all, row)
    assert (outcome.id, outcome.group, outcome.source) == ("x1", "7", "own")
    assert outcome.meta == {"k": 1, "extra": 2}
    named = one(read_all, PLAIN | {"source": "own"}, name="mine")
    assert (named.id, named.source) == ("mine:1", "mine")


def test_a_tie(read_all) -> None:
    row = PLAIN | {"label": "tie", "votes": ["tie", "chosen", "rejected"], "meta": {"annotator_ids": [3, 4, 5]}}
    outcome = one(read_all, row)
    assert outcome.pairs == (Pair(0, 1, prob_chosen=0.5, tie=True),)
    assert outcome.votes == ("tie", "chosen", "rejected")
    assert outcome.raters == ("3", "4", "5")


def test_votes_do_not_soften_the_label_by_themselves(read_all) -> None:
    outcome = one(read_all, PLAIN | {"label": "chosen", "votes": ["chosen", "chosen", "rejected"]})
    assert outcome.pairs == (Pair(0, 1, prob_chosen=1.0),)
    assert one(read_all, PLAIN | {"prob_chosen": 0.75}).pairs == (Pair(0, 1, prob_chosen=0.75),)


def test_without_a_label_the_votes_say_whether_it_is_a_tie(read_all) -> None:
    assert one(read_all, PLAIN | {"votes": ["chosen", "rejected"]}).pairs[0].tie
    assert one(read_all, PLAIN | {"votes": ["chosen", "chosen", "rejected"]}).pairs == (Pair(0, 1),)


def test_scores_that_contradict_the_label_give_no_margin(read_all) -> None:
    assert one(read_all, PLAIN | {"score_chosen": 1, "score_rejected": 2}).pairs == (Pair(0, 1),)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"votes": ["abstain", "abstain"]}, Reason.ABSTENTION),
        ({"votes": []}, Reason.ABSTENTION),
        ({"label": "abstain"}, Reason.ABSTENTION),
        ({"label": "left"}, Reason.WRONG_TYPE),
        ({"label": 1}, Reason.WRONG_TYPE),
        ({"votes": ["chosen", 1]}, Reason.WRONG_TYPE),
        ({"votes": "chosen"}, Reason.WRONG_TYPE),
        ({"margin": "large"}, Reason.WRONG_TYPE),
        ({"margin": True}, Reason.WRONG_TYPE),
        ({"prob_chosen": 1.5}, Reason.WRONG_TYPE),
        ({"chosen": 3}, Reason.WRONG_TYPE),
        ({"chosen": None}, Reason.WRONG_TYPE),
        ({"chosen": [{"role": "assistant"}]}, Reason.WRONG_TYPE),
        ({"chosen": ["a"]}, Reason.WRONG_TYPE),
        ({"chosen": [{"role": "robot", "content": "a"}]}, Reason.WRONG_ROLES),
        ({"chosen": [{"role": "user", "content": "a"}]}, Reason.DIFFERENT_PROMPTS),
        ({"prompt": [{"role": "assistant", "content": "q"}]}, Reason.WRONG_ROLES),
        ({"prompt": [{"role": "user", "content": "q"}] * 2}, Reason.WRONG_ROLES),
        ({"chosen": " \n"}, Reason.EMPTY_SIDE),
        ({"chosen": []}, Reason.EMPTY_SIDE),
        ({"prompt": ""}, Reason.EMPTY_SIDE),
        ({"chosen": "b"}, Reason.IDENTICAL),
    ],
)
def test_rejections(read_all, row, reason) -> None:
    good = {**PLAIN, "label": "chosen"}
    results = read_all(good, PLAIN | row, layout="pair")
    assert isinstance(results[0].outcome, Preference)
    assert isinstance(results[1].outcome, Rejection)
    assert results[1].outcome.reason is reason
    assert results[1].outcome.detail


def test_csv_strings_are_read_as_numbers(read_all) -> None:
    assert one(read_all, PLAIN | {"margin": "0.5", "label": "chosen", "votes": ""}).pairs == (Pair(0, 1, margin=0.5),)
    assert one(read_all, PLAIN | {"margin": "", "label": ""}).pairs == (Pair(0, 1),)
