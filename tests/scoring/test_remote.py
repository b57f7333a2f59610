"""Addresses of models behind URLs, and the requests that ask them."""

from __future__ import annotations

import json
import logging

import pytest

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import DataError, ServingError, SettingsError, UnknownModelError
from rewardsmith.core.scores import Provenance
from rewardsmith.scoring.remote import RemoteModelAddress, is_address, parse_address
from rewardsmith.scoring.remote_reply import RemoteModel
from rewardsmith.scoring.tries import Received

FIVE: list[Conversation] = [(user("2+2?"), assistant(str(number))) for number in range(5)]


@pytest.mark.parametrize(
    ("url", "base", "model"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", None),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000", None),
        ("HTTPS://Reward.example", "https://Reward.example", None),
        ("https://reward.example/team/v1/rewards", "https://reward.example/team", None),
        ("https://reward.example/team/v1", "https://reward.example/team", None),
        ("http://[::1]:8000#helpful", "http://[::1]:8000", "helpful"),
    ],
)
def test_urls(url: str, base: str, model: str | None) -> None:
    address = parse_address(url, model=None, key=None)
    assert (address.url, address.model, address.key) == (base, model, "")
    assert is_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://reward.example",
        "http://",
        "127.0.0.1:8000",
        "http://host:port",
        "http://host:0",
        "http://[::1",
        "builtin:x",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="no URL"):
        parse_address(url, model=None, key=None)


def test_folders_and_hub_ids_are_no_addresses() -> None:
    assert not any(map(is_address, ["runs/model", "owner/name", "builtin:minilm-l6", "httpx", None]))


@pytest.mark.parametrize("url", ["http://me:secret@host", "http://host?key=secret"])
def test_a_url_holds_no_secret(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_address(url, model=None, key=None)
    assert "secret" not in str(refused.value)


def test_two_names_and_numbers_below_one_are_refused() -> None:
    with pytest.raises(SettingsError, match="two models"):
        parse_address("http://host#a", model="b", key=None)
    for name in ("batch_texts", "max_tokens"):
        with pytest.raises(SettingsError, match=name):
            parse_address("http://host", model=None, key=None, **{name: 0})


def test_a_key_is_sent_shown_nowhere_and_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        address = parse_address("http://reward.example", model=None, key="rs_abc\n")
        parse_address("http://127.0.0.1:8000", model=None, key="rs_abc")
        parse_address("https://reward.example", model=None, key="rs_abc")
    assert [record.getMessage() for record in caplog.records] == [
        "http://reward.example: the key is sent without encryption"
    ]
    assert address.headers["Authorization"] == "Bearer rs_abc"
    assert "Authorization" not in RemoteModelAddress("http://host").headers
    assert "rs_abc" not in repr(address)
    for bad in ("a\nb", "schlüssel"):
        with pytest.raises(SettingsError, match="no header may hold") as refused:
            parse_address("http://host", model=None, key=bad)
        assert bad not in str(refused.value)


def test_a_server_that_repeats_the_key_does_not_get_it_into_the_error() -> None:
    address = parse_address("http://127.0.0.1:8000", model=None, key="rs_abc")
    steps = address.tries(address.models())
    next(steps)
    with pytest.raises(ServingError) as refused:
        steps.send(Received(401, b"who is rs_abc?"))
    assert "rs_abc" not in str(refused.value)
    assert "who is [key]?" in str(refused.value)


def test_a_call_is_cut_into_requests_in_order() -> None:
    address = RemoteModelAddress("http://host", model="helpful", overlength="truncate", max_tokens=9, batch_texts=2)
    requests = address.conversations(FIVE)
    bodies = [json.loads(request.content) for request in requests]
    assert [len(body["conversations"]) for body in bodies] == [2, 2, 1] == [request.n_texts for request in requests]
    answers = [conversation[-1]["content"] for body in bodies for conversation in body["conversations"]]
    assert answers == ["0", "1", "2", "3", "4"]
    assert {(body["model"], body["truncate"], body["max_tokens"]) for body in bodies} == {("helpful", True, 9)}
    assert [request.where for request in requests] == [
        "http://host/v1/rewards, texts 0 to 1",
        "http://host/v1/rewards, texts 2 to 3",
        "http://host/v1/rewards, texts 4 to 4",
    ]
    (whole,) = RemoteModelAddress("http://host").conversations(FIVE)
    assert (whole.n_texts, whole.where) == (5, "http://host/v1/rewards")
    assert json.loads(whole.content).keys() == {"conversations", "truncate"}


def test_texts_go_as_they_are_and_half_a_character_does_not() -> None:
    (request,) = RemoteModelAddress("http://host").texts(["<s>Grüße</s>"])
    assert json.loads(request.content) == {"texts": ["<s>Grüße</s>"], "truncate": False}
    with pytest.raises(DataError, match="cannot be sent"):
        RemoteModelAddress("http://host").texts(["\ud800"])


def test_the_model_is_the_named_one_or_the_first() -> None:
    models = [RemoteModel(name, Provenance(name, "t"), False) for name in ("a", "b")]
    assert RemoteModelAddress("http://host").find(models).name == "a"
    assert RemoteModelAddress("http://host", model="b").find(models).name == "b"
    with pytest.raises(UnknownModelError, match="one of a, b"):
        RemoteModelAddress("http://host", model="c").find(models)
    with pytest.raises(UnknownModelError):
        RemoteModelAddress("http://host").find([])
