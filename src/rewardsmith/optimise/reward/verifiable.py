"""Rewards that can be checked: 1 where a response is right, 0 where it is not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from rewardsmith.core.errors import DataError, JudgeError

Checker = Callable[[str, Any], float]
"""`checker(response, answer)`: 0 to 1."""

_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|-?\.\d+")
_MARK = "####"


def same_number(response: str, answer: Any) -> float:
    """Whether the response gives the answer's number, as in GSM8K (Cobbe et al. 2021, arXiv:2110.14168).

    Of either, the number after the last `####` counts, else its last number; commas between thousands are not read.

    Raises:
        DataError: The answer holds no number.
    """
    wanted = _number(str(answer))
    if wanted is None:
        raise DataError("an answer without a number", got=answer, where="the checker")
    return float(_number(response) == wanted)


def matches(response: str, answer: Any) -> float:
    """Whether the regular expression `answer` is found in the response.

    Raises:
        DataError: It is no regular expression.
    """
    try:
        return float(re.search(str(answer), response) is not None)
    except re.error as error:
        raise DataError("no regular expression", got=answer, where="the checker", fix=str(error)) from error


def checked(checker: Checker, response: str, answer: Any, *, where: str) -> float:
    """What a checker says, from 0 to 1.

    Raises:
        JudgeError: It fails, or says anything else.
    """
    try:
        found = float(checker(response, answer))
    except DataError:
        raise
    except Exception as error:
        raise JudgeError("the checker failed", got=f"{type(error).__name__}: {error}", where=where) from error
    if math.isnan(found) or not 0 <= found <= 1:
        raise JudgeError("the checker gave no share", wanted="0 to 1", got=found, where=where)
    return found


def _number(text: str) -> Decimal | None:
    _, mark, after = text.rpartition(_MARK)
    found = _NUMBER.findall(after if mark else text)
    if not found:
        return None
    return Decimal((found[0] if mark else found[-1]).replace(",", ""))
