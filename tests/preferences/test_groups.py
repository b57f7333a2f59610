"""The prompt group."""

from __future__ import annotations

from rewardsmith.core.conversation import Message, assistant, user
from rewardsmith.preferences.groups import group_of


def test_only_the_opening_counts() -> None:
    short = (user("What is  a\tPen?"),)
    long = (Message("system", "Be kind."), user("what is a pen?"), assistant("A tool."), user("And ink?"))
    assert group_of(short) == group_of(long)
    assert group_of(short) != group_of((user("What is a pencil?"),))


def test_prompts_without_a_user_turn() -> None:
    assert group_of((assistant("Hello"),)) == group_of((user("hello"),))
    assert group_of(()) == group_of((user(" "),))


def test_the_group_never_changes() -> None:
    # sha256("hello"), first 24 hex digits: a changed group would move rows across a stored split.
    assert group_of((user("Hello"),)) == "2cf24dba5fb0a30e26e83b2a"
