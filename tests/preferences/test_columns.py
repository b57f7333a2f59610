"""What goes into Arrow comes out again."""

from __future__ import annotations

import datetime
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.columns import (
    SCHEMA,
    conversation_from_json,
    conversation_json,
    from_json,
    preference_from_row,
    text_batch,
    to_json,
    token_batch,
)

RANKING = Preference(
    prompt=(user('say "é"\u2028\n'),),
    responses=((assistant("a"),), (assistant("b"), user("more"), assistant("c")), (assistant("😀"),)),
    pairs=(Pair(0, 1, 0.75, 2.5, 3.0), Pair(1, 2, 0.5, tie=True)),
    id="7",
    group="g",
    source="s",
    votes=("chosen", "tie"),
    raters=("ann", "bob"),
    meta={"n": 1, "list": [1.5, None]},
)
PLAIN = Preference((), ((assistant("x"),), (assistant("y"),)), (Pair(1, 0),), id="8", group="h", source="s")


def test_preferences_survive():
    rows = text_batch([RANKING, PLAIN], files=["f", "g"], lines=[1, 2]).to_pylist()
    assert [preference_from_row(row) for row in rows] == [RANKING, PLAIN]
    assert [(row["file"], row["line"]) for row in rows] == [("f", 1), ("g", 2)]


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text())))
def test_conversations_survive(turns):
    conversation = tuple(user(text) if role == "user" else assistant(text) for role, text in turns)
    assert conversation_from_json(conversation_json(conversation)) == conversation


def test_json_takes_what_rows_may_hold():
    odd = {"half": "\ud83d", "huge": 2**70, 3: "key", "day": datetime.date(2024, 2, 29), "nan": float("nan")}
    text = to_json(odd)
    text.encode()
    back = from_json(text)
    assert (back["half"], back["huge"], back["3"], back["day"]) == ("\ud83d", 2**70, "key", "2024-02-29")
    assert json.loads(to_json({"a": "ü"})) == {"a": "ü"}


def test_names_with_lone_surrogates_are_escaped():
    broken = Preference((), PLAIN.responses, PLAIN.pairs, id="\ud83d", group="g", source="s")
    assert text_batch([broken], ["f"], [1]).to_pylist()[0]["id"] == "\\ud83d"


def test_tokens_and_absent_tokens():
    one = (np.array([1, 2], np.int32), [np.array([3], np.int32), np.array([4, 5], np.int32)])
    two = (np.array([], np.int32), [np.array([6], np.int32), np.array([7], np.int32)])
    assert token_batch([one, None, two]).to_pylist() == [
        {"prefix": [1, 2], "tails": [[3], [4, 5]]},
        {"prefix": None, "tails": None},
        {"prefix": [], "tails": [[6], [7]]},
    ]
    assert token_batch([]).num_rows == 0
    assert token_batch([None]).to_pylist() == [{"prefix": None, "tails": None}]
    assert SCHEMA.names[-2:] == ["prefix", "tails"]
