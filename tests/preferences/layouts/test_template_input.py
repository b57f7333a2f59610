"""Rows that need tools or template arguments are set aside by name, never read as if they needed none."""

from __future__ import annotations

import pytest

from rewardsmith.core.preference import Preference
from rewardsmith.preferences.layouts.template_input import COLUMNS
from rewardsmith.preferences.outcome import Reason, Rejection, destination

PLAIN = {"prompt": "q", "chosen": "a", "rejected": "b"}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {}}}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("tools", [TOOL]),
        ("tools", '[{"type": "function"}]'),
        ("chat_template_kwargs", {"enable_thinking": False}),
        ("chat_template_kwargs", '{"enable_thinking": false}'),
    ],
)
@pytest.mark.parametrize(
    "row",
    [
        PLAIN,
        {"chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "rejected": []},
        {"prompt": "q", "completion": "a", "label": True},
        {"prompt": "q", "responses": ["a", "b"]},
    ],
    ids=["explicit", "implicit", "unpaired", "ranked"],
)
def test_rows_with_template_input_are_set_aside(read_all, row, column, value) -> None:
    layout = "implicit" if "prompt" not in row else None
    (result,) = read_all(row | {column: value}, layout=layout)
    assert isinstance(result.outcome, Rejection)
    assert result.outcome.reason is Reason.TEMPLATE_INPUT
    assert result.outcome.detail.startswith(f"column {column}: ")
    assert destination(result.outcome.reason) == "set_aside"


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("value", [None, [], {}, "", "[]", " {} ", "null", {"enable_thinking": None}])
def test_an_empty_column_needs_nothing(read_all, column, value) -> None:
    plain, filled = read_all(PLAIN, PLAIN | {column: value})
    assert isinstance(filled.outcome, Preference)
    assert filled.outcome.responses == plain.outcome.responses


def test_a_call_inside_a_message_is_one_too(read_all) -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [TOOL]}
    chosen = [call, {"role": "tool", "content": "sun"}, {"role": "assistant", "content": "It is sunny."}]
    calls, none, in_a_list = read_all(
        PLAIN | {"chosen": chosen},
        PLAIN | {"chosen": [{"role": "assistant", "content": "a", "tool_calls": None}]},
        PLAIN | {"prompt": [{"role": "user", "content": "q"}, call, {"role": "user", "content": "r"}]},
    )
    assert calls.outcome.detail.startswith("tool_calls in a message of chosen: ")
    assert isinstance(none.outcome, Preference)
    assert in_a_list.outcome.reason is Reason.TEMPLATE_INPUT
    (ranked,) = read_all({"prompt": "q", "responses": [chosen, chosen[2:]]}, layout="ranked")
    assert ranked.outcome.detail.startswith("tool_calls in a message of responses: ")
