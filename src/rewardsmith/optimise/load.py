"""Prompts and gold from files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rewardsmith.core.conversation import Conversation, from_dicts, user
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.preference import Preference
from rewardsmith.optimise.gold import Gold, RatingsGold, RewardModelGold, RubricGold, label_ratings
from rewardsmith.optimise.policy.policy import Prompt
from rewardsmith.preferences.candidates import read_candidates
from rewardsmith.preferences.layouts.rows import group_name
from rewardsmith.preferences.layouts.template_input import unrendered
from rewardsmith.preferences.load import iter_rows
from rewardsmith.preferences.outcome import RawRow
from rewardsmith.preferences.reading import Reader
from rewardsmith.preferences.rubric import Criteria
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.scoring.load import load_scorer

GoldKind = Literal["rubric", "model", "ratings", "labels"]


@dataclass(frozen=True, slots=True)
class PromptFile:
    """The prompts of a source.

    Attributes:
        prompts: Distinct ones, each with its group, in the order of their first rows.
        repeated: Rows whose prompt stood in an earlier one.
    """

    prompts: tuple[Prompt, ...]
    repeated: int


def load_prompts(source: str) -> PromptFile:
    """The prompts of a file, folder, hub id or built-in set.

    A row holds `prompt` (a text or messages), or `messages`, of which closing turns of the assistant are left out. Its
    group is its `prompt_id`, else that of its text. Whatever else stands in it is not read, so that files of
    preferences will do.

    Raises:
        DataError: A row cannot be read; its file and line are named.
    """
    found: dict[Conversation, str] = {}
    rows = 0
    for row, prompt in _prompt_rows(source):
        rows += 1
        found.setdefault(prompt, group_name(row, prompt))
    return PromptFile(tuple(found.items()), rows - len(found))


def load_columns(source: str, names: Sequence[str]) -> dict[Conversation, dict[str, Any]]:
    """Further columns of the rows of `load_prompts`, by prompt; of a prompt that comes again, those of its first row.

    Raises:
        DataError: A row cannot be read, or lacks a column.
    """
    found: dict[Conversation, dict[str, Any]] = {}
    for row, prompt in _prompt_rows(source):
        values = row.values or {}
        missing = [name for name in names if name not in values]
        if missing:
            raise DataError("a column is missing", wanted=missing[0], where=f"{row.file}:{row.line}")
        found.setdefault(prompt, {name: values[name] for name in names})
    return found


def load_criteria(source: str) -> dict[Conversation, Criteria]:
    """What the prompts of a source ask for: `meta.criteria` of its rows, as in `builtin:starter`.

    Raises:
        DataError: A row cannot be read, or none has criteria.
    """
    found: dict[Conversation, Criteria] = {}
    for row, prompt in _prompt_rows(source):
        meta = (row.values or {}).get("meta")
        said = meta.get("criteria") if isinstance(meta, Mapping) else None
        if isinstance(said, Mapping):
            found[prompt] = Criteria.from_dict(said)
    if not found:
        raise DataError("no criteria", wanted="rows with meta.criteria, as in builtin:starter", where=source)
    return found


def load_gold(kind: GoldKind, source: str, *, rating: str | None = None) -> Gold:
    """The gold that a source holds.

    Args:
        kind: `rubric`: the criteria of its rows. `model`: a reward model's folder, hub id or URL. `ratings`: rated
            responses. `labels`: human comparisons, of some of the responses that will be asked about.
        rating: Of several ratings, the one to read.

    Raises:
        SettingsError: The kind is unknown.
        RewardsmithError: The source cannot be read.
    """
    match kind:
        case "rubric":
            return RubricGold(load_criteria(source))
        case "model":
            return RewardModelGold(load_scorer(source))
        case "ratings":
            groups = read_candidates(SourceSettings(path=source, rating=rating)).groups
            rated = [pair for each in groups for pair in zip(each.conversations(), each.ratings.tolist(), strict=True)]
            return RatingsGold(dict(rated))
        case "labels":
            return RatingsGold(label_ratings(_preferences(source)), missing="nan")
        case other:
            raise SettingsError(
                "unknown kind of gold", wanted=f"one of {', '.join(get_args(GoldKind))}", got=other, where="gold"
            )


def _preferences(source: str) -> list[Preference]:
    settings = DataSettings(sources=(SourceSettings(path=source),), ties="keep")
    return [row.outcome for row in Reader(settings) if isinstance(row.outcome, Preference)]


def _prompt_rows(source: str) -> Iterator[tuple[RawRow, Conversation]]:
    for row in iter_rows(SourceSettings(path=source)):
        where = f"{row.file}:{row.line}"
        if row.values is None:
            raise DataError("not a JSON object", got=row.problem, where=where, fix="write one a line")
        refused = unrendered(row.values, message_columns=("prompt", "messages"))
        if refused is not None:
            raise DataError("the prompt needs more than its messages", got=refused.detail, where=where)
        yield row, _prompt(row.values, where)


def _prompt(values: Mapping[str, Any], where: str) -> Conversation:
    wanted = "prompt (a text or messages), or messages"
    try:
        if "prompt" in values:
            said = values["prompt"]
            turns = (user(said),) if isinstance(said, str) else from_dicts(said)
        else:
            turns = from_dicts(values["messages"])
            while turns and turns[-1].role == "assistant":
                turns = turns[:-1]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("no prompt in a row", wanted=wanted, got=error, where=where) from error
    if not turns or turns[-1].role == "assistant" or not any(turn.content.strip() for turn in turns):
        raise DataError("an empty prompt, or one that the assistant ends", wanted=wanted, where=where)
    return turns
