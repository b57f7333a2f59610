"""Replies of a reward server: every reward is there and finite, or there is an error."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import (
    DataError,
    OverlengthError,
    OverloadError,
    RewardsmithError,
    ServingError,
    UnknownModelError,
)
from rewardsmith.core.scores import Provenance
from rewardsmith.scoring.remote_reply import (
    RemoteModel,
    RemoteReply,
    join_replies,
    parse_models,
    parse_refusal,
    parse_rewards,
)
from rewardsmith.scoring.tries import Received

URL = "http://host/v1/rewards"
PLAIN: dict[str, Any] = {
    "object": "rewards",
    "model": "helpful",
    "provenance": {"model_digest": "m", "template_digest": "t"},
    "data": [{"index": 0, "reward": 1.5}, {"index": 1, "reward": -2}],
    "usage": {"n_truncated": 1, "n_cached": 0},
}


def parsed(values: Any, n_texts: int = 2) -> RemoteReply:
    return parse_rewards(json.dumps(values).encode(), n_texts=n_texts, where=URL)


def changed(**changes: Any) -> dict[str, Any]:
    """`PLAIN` whose second text has other values."""
    values = copy.deepcopy(PLAIN)
    values["data"][1].update(changes)
    return values


def test_rewards_are_read() -> None:
    reply = parsed(PLAIN)
    assert reply.scores.rewards.dtype == np.float32
    assert reply.scores.rewards.tolist() == [1.5, -2.0]
    assert reply.scores.provenance == Provenance("m", "t")
    assert reply.n_truncated == 1
    assert (reply.scores.spread, reply.scores.members, reply.scores.steps) == (None, None, None)


def test_what_stands_beside_the_rewards_is_read() -> None:
    values = copy.deepcopy(PLAIN)
    values["data"][0] |= {
        "spread": 0.5,
        "members": [1, 2, 3],
        "steps": [0.25, None],
        "attributes": {"a": 1},
        "rationale": "x",
    }
    values["data"][1] |= {"spread": 0.25, "members": [4, 5, 6], "steps": [], "attributes": {"a": 2}, "rationale": "y"}
    scores = parsed(values).scores
    assert scores.spread is not None
    assert scores.members is not None
    assert scores.steps is not None
    assert scores.spread.tolist() == [0.5, 0.25]
    assert scores.members.tolist() == [[1, 4], [2, 5], [3, 6]]
    np.testing.assert_array_equal(scores.steps[0], np.array([0.25, np.nan], np.float32))
    assert scores.steps[1].shape == (0,)
    assert scores.attributes["a"].tolist() == [1, 2]
    assert scores.rationales == ("x", "y")


@pytest.mark.parametrize("reward", [None, float("nan"), float("inf"), 1e39, "1.5", True, [1.5], {}])
def test_what_is_no_finite_number_is_no_reward(reward: Any) -> None:
    with pytest.raises(ServingError) as refused:
        parsed(changed(reward=reward))
    assert str(refused.value).startswith(URL)


def test_null_names_its_text() -> None:
    with pytest.raises(ServingError, match="got None for text 1 of 2"):
        parsed(changed(reward=None))


@pytest.mark.parametrize("n_texts", [0, 1, 3])
def test_another_number_of_rewards_is_an_error(n_texts: int) -> None:
    with pytest.raises(ServingError, match="other texts than were sent"):
        parsed(PLAIN, n_texts)


def test_another_order_is_an_error() -> None:
    values = copy.deepcopy(PLAIN)
    values["data"].reverse()
    with pytest.raises(ServingError, match="other texts"):
        parsed(values)
    with pytest.raises(ServingError, match="other texts"):
        parsed(changed(index=0))


@pytest.mark.parametrize(
    "values",
    [
        [],
        {},
        "yes",
        PLAIN | {"data": None},
        PLAIN | {"data": [1, 2]},
        PLAIN | {"provenance": None},
        PLAIN | {"usage": {}},
        changed(index=None),
        {"error": "no"},
    ],
)
def test_another_shape_is_an_error(values: Any) -> None:
    with pytest.raises(ServingError):
        parsed(values)


def test_what_only_some_texts_have_is_an_error() -> None:
    values = copy.deepcopy(PLAIN)
    values["data"][0]["spread"] = 0.5
    with pytest.raises(ServingError, match="spread"):
        parsed(values)


@given(st.binary(max_size=60))
def test_any_bytes_end_in_an_error_of_ours(content: bytes) -> None:
    with pytest.raises(ServingError, match="not that of a reward server"):
        parse_rewards(content, n_texts=1, where=URL)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_a_float32_comes_back_as_it_was(rewards: list[float]) -> None:
    data = [{"index": index, "reward": reward} for index, reward in enumerate(rewards)]
    assert parsed(PLAIN | {"data": data}, len(rewards)).scores.rewards.tolist() == rewards


def test_parts_of_a_call_are_joined_in_order() -> None:
    values = [copy.deepcopy(PLAIN) for _ in range(2)]
    for number, each in enumerate(values):
        for row in each["data"]:
            row |= {"reward": row["reward"] + 10 * number, "spread": number, "members": [number, 7], "steps": [0.5]}
            row |= {"attributes": {"a": number}, "rationale": str(number)}
    joined = join_replies([parsed(each) for each in values], where=URL)
    scores = joined.scores
    assert scores.rewards.tolist() == [1.5, -2, 11.5, 8]
    assert joined.n_truncated == 2
    assert scores.spread is not None
    assert scores.members is not None
    assert scores.spread.tolist() == [0, 0, 1, 1]
    assert scores.members.tolist() == [[0, 0, 1, 1], [7, 7, 7, 7]]
    assert len(scores.steps or ()) == 4
    assert scores.attributes["a"].tolist() == [0, 0, 1, 1]
    assert scores.rationales == ("0", "0", "1", "1")


def test_parts_of_two_models_are_never_joined() -> None:
    other = parsed(PLAIN | {"provenance": {"model_digest": "other", "template_digest": "t"}})
    with pytest.raises(ServingError, match="the model changed"):
        join_replies([parsed(PLAIN), other], where=URL)


def test_parts_of_two_kinds_are_never_joined() -> None:
    values = copy.deepcopy(PLAIN)
    for row in values["data"]:
        row["spread"] = 0.5
    for parts in ((PLAIN, values), (values, PLAIN)):
        with pytest.raises(ServingError, match="different kinds"):
            join_replies([parsed(each) for each in parts], where=URL)


def test_models_are_read() -> None:
    data = [
        {"id": "a", "model_digest": "m", "template_digest": "t", "relative": True, "family": "judge"},
        {"id": "b", "model_digest": None, "state": "loading"},
    ]
    found = parse_models(json.dumps({"object": "list", "data": data}).encode(), where=URL)
    assert found == (RemoteModel("a", Provenance("m", "t"), True), RemoteModel("b", None, False))
    for wrong in (b"[]", b"{}", b'{"data": [1]}', b"<html>"):
        with pytest.raises(ServingError, match="not that of a reward server"):
            parse_models(wrong, where=URL)


def refused(status: int, body: Any) -> RewardsmithError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_refusal(Received(status, content), "1 try", where=URL, shown=lambda text: text)


def test_our_own_errors_come_back_as_what_they_were() -> None:
    told = {
        "type": "OverlengthError",
        "message": "a text is too long",
        "wanted": "at most 9 tokens",
        "got": "11 tokens",
    }
    error = refused(413, {"error": told | {"where": "conversation 3", "fix": "shorten it", "request_id": "r"}})
    assert type(error) is OverlengthError
    assert (error.wanted, error.got, error.fix) == ("at most 9 tokens", "11 tokens", "shorten it")
    assert error.where == f"{URL}: conversation 3"
    assert "a text is too long (status 413, 1 try)" in str(error)
    for kind in (OverloadError, UnknownModelError, DataError):
        assert type(refused(400, {"error": {"type": kind.__name__, "message": "m"}})) is kind


@pytest.mark.parametrize("kind", ["InvalidRequestError", "shorten", "annotations", "__doc__", "Exception", None, 7])
def test_other_names_are_plain_errors(kind: Any) -> None:
    error = refused(422, {"error": {"type": kind, "message": "m", "where": None}})
    assert type(error) is ServingError
    assert error.where == URL


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad gateway</html>", b'{"error": "text"}', b'{"detail": []}', b"[]", b"\xff"]
)
def test_what_is_no_envelope_is_shown(body: bytes) -> None:
    error = refused(502, body)
    assert type(error) is ServingError
    assert "status 502" in str(error)
    assert error.got == (body.decode("utf-8", "replace") or "an empty body")
