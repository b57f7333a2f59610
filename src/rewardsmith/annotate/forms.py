"""What a form says: fields of places on the screen → an answer in the task's own order of responses.

| kind | fields |
| --- | --- |
| pair | `choice`, and `axis:NAME` for each axis: `1` (the first place), `2` or `tie` |
| ranking | `rank:PLACE` for each place, from 1: a rank, 1 is the best, equal ones tie |
| attributes | `value:NAME` for each attribute |
| first_error | `step`: from 1, or `none` |

`skip` in the place of all of them skips the task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rewardsmith.annotate.answers import (
    Answer,
    AttributesAnswer,
    FirstErrorAnswer,
    PairAnswer,
    RankingAnswer,
    Side,
)
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.errors import DataError

SKIP = "skip"
_MOST_DIGITS = 6


def read_answer(
    fields: Mapping[str, str], task: Task, *, project: ProjectSettings, shown: Sequence[int]
) -> Answer | None:
    """The answer that `fields` hold; `None` for a skip. Whether it fits the project is for the store to say.

    Args:
        shown: `shown[i]` is the response that stood at place i.

    Raises:
        DataError: A field is missing, or holds something else.
    """
    if SKIP in fields:
        return None
    match task.kind:
        case "pair":
            choice = _side(fields, "choice", shown=shown) if project.overall else None
            return PairAnswer(choice, {axis: _side(fields, f"axis:{axis}", shown=shown) for axis in project.axes})
        case "ranking":
            return RankingAnswer(_ranks(fields, shown=shown))
        case "attributes":
            return AttributesAnswer({name: _whole(fields, f"value:{name}") for name in project.attributes})
        case "first_error":
            return FirstErrorAnswer(None if fields.get("step") == "none" else _whole(fields, "step") - 1)


def _side(fields: Mapping[str, str], name: str, *, shown: Sequence[int]) -> Side:
    match fields.get(name):
        case "tie":
            return "tie"
        case "1" | "2" as place:
            return "first" if shown[int(place) - 1] == 0 else "second"
        case got:
            raise _lacking(name, wanted="1, 2 or tie", got=got)


def _ranks(fields: Mapping[str, str], *, shown: Sequence[int]) -> tuple[int, ...]:
    """Ranks of the responses. Ranks that were left out close up: 2, 3, 3 says the same as 1, 2, 2."""
    said = {response: _whole(fields, f"rank:{place}") for place, response in enumerate(shown, 1)}
    dense = {rank: i for i, rank in enumerate(sorted(set(said.values())), 1)}
    return tuple(dense[said[response]] for response in range(len(shown)))


def _whole(fields: Mapping[str, str], name: str) -> int:
    got = fields.get(name, "")
    digits = got.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS):
        raise _lacking(name, wanted="a whole number", got=got)
    return int(got)


def _lacking(name: str, *, wanted: str, got: str | None) -> DataError:
    return DataError("the vote is not whole", wanted=wanted, got=got, where=name, fix="answer every question")
