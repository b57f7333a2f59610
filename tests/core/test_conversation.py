from __future__ import annotations

import pytest

from rewardsmith.core.conversation import Message, assistant, from_dicts, response_text, to_dicts, user

TALK = (user("2+2?"), assistant("4"))


def test_round_trip():
    assert to_dicts(TALK) == [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    assert from_dicts(to_dicts(TALK)) == TALK


def test_other_keys_of_a_message_are_ignored():
    assert from_dicts([{"role": "user", "content": "a", "name": "x"}]) == (Message("user", "a"),)


def test_bad_messages_are_refused():
    with pytest.raises(ValueError, match="unknown role 'bot'; known roles: system, user, assistant, tool"):
        from_dicts([{"role": "bot", "content": "a"}])
    with pytest.raises(TypeError):
        from_dicts([{"role": "user", "content": 3}])
    with pytest.raises(KeyError):
        from_dicts([{"role": "user"}])


def test_response_is_the_last_assistant_turn():
    assert response_text((*TALK, user("sure?"), assistant("yes"))) == "yes"
    assert response_text((user("hello"),)) == ""
