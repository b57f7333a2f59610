from __future__ import annotations

from collections.abc import Callable

import pytest

import rewardsmith


def test_version(cli: Callable):
    assert cli("--version").out.strip() == rewardsmith.__version__


@pytest.mark.parametrize(
    "command",
    [(), ("run",), ("data", "check"), ("data", "prepare"), ("data", "describe"), ("train",), ("evaluate",), ("score",)],
)
def test_every_command_explains_itself(cli: Callable, command: tuple[str, ...]):
    outcome = cli(*command, "--help")
    assert outcome.code == 0
    assert "Usage: rewardsmith" in outcome.out


def test_an_unknown_command_is_a_usage_error(cli: Callable):
    assert cli("trian").code == 2
