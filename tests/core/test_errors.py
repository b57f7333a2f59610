from __future__ import annotations

import pytest

from rewardsmith.core import errors
from rewardsmith.core.errors import DataError, RewardsmithError, shorten


def subclasses(kind: type) -> list[type]:
    return [kind] + [s for child in kind.__subclasses__() for s in subclasses(child)]


def test_an_error_says_what_was_wanted_got_where_and_what_to_do():
    error = DataError("no such column", wanted="chosen", got="chosn", where="a.csv:3", fix="rename it")
    assert str(error) == "a.csv:3: no such column; wanted chosen; got chosn; fix: rename it"


def test_an_error_is_one_line_whatever_came():
    assert "\n" not in str(DataError("bad", got="a\nb"))


def test_shorten_keeps_to_its_limit():
    assert shorten("x" * 300) == "x" * 199 + "…"
    assert shorten("x" * 200) == "x" * 200


@pytest.mark.parametrize("kind", subclasses(RewardsmithError))
def test_the_tree_in_the_module_docstring_is_the_tree_in_the_code(kind: type[RewardsmithError]):
    assert errors.__doc__ is not None
    line = next(line for line in errors.__doc__.splitlines() if kind.__name__ in line)
    if kind is not RewardsmithError:
        assert line.split(kind.__name__)[1].split()[:2] == [str(kind.exit_code), str(kind.http_status)]
    assert kind.exit_code != 0
