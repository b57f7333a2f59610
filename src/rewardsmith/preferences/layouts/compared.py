"""Two responses and the index of the better one: OpenAI's summaries and Stanford's SHP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rewardsmith.core.conversation import assistant
from rewardsmith.core.errors import shorten
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.detect import Shape
from rewardsmith.preferences.layouts.reader import by_row
from rewardsmith.preferences.layouts.rows import (
    Origin,
    Refusal,
    assemble,
    items,
    meta_of,
    number,
    prompt_turns,
    text,
    values_of,
)
from rewardsmith.preferences.outcome import RawRow, Reason

_SHP_COLUMNS = frozenset({"history", "human_ref_A", "human_ref_B", "labels"})
_SUMMARY_COLUMNS = frozenset({"info", "summaries", "choice"})


def read_shp(row: RawRow, origin: Origin) -> Preference:
    """SHP: `labels` is 1 where comment A was preferred to B. `score_ratio` stays in `meta`; it is no probability.

    Raises:
        Refusal: See `Reason`.
    """
    values = values_of(row)
    first, second = text(values["human_ref_A"], "human_ref_A"), text(values["human_ref_B"], "human_ref_B")
    chosen, rejected = (first, second) if _binary(values["labels"], "labels") else (second, first)
    return assemble(
        row,
        origin,
        prompt=prompt_turns(values["history"], "history"),
        responses=((assistant(chosen),), (assistant(rejected),)),
        pairs=(Pair(0, 1),),
        meta=meta_of(values, _SHP_COLUMNS),
    )


def read_summaries(row: RawRow, origin: Origin) -> Preference:
    """summarize_from_feedback, comparisons: `summaries[choice]` was preferred.

    The prompt is laid out as for the paper's models (arXiv:2009.01325): subreddit, title and post, or the article,
    then `TL;DR:`.

    Raises:
        Refusal: See `Reason`.
    """
    values = values_of(row)
    summaries = items(values["summaries"], "summaries")
    if len(summaries) != 2 or not all(isinstance(summary, Mapping) for summary in summaries):
        raise Refusal(Reason.WRONG_TYPE, f"{len(summaries)} summaries, wanted two with a text each")
    texts = [text(summary.get("text"), "summaries.text").strip() for summary in summaries]
    better = _binary(values["choice"], "choice")
    return assemble(
        row,
        origin,
        prompt=prompt_turns(_post(values["info"]), "info"),
        responses=((assistant(texts[better]),), (assistant(texts[1 - better]),)),
        pairs=(Pair(0, 1),),
        meta=meta_of(values, _SUMMARY_COLUMNS)
        | {"post": values["info"].get("id"), "policies": [summaries[k].get("policy") for k in (better, 1 - better)]},
    )


def _post(info: Any) -> str:
    if not isinstance(info, Mapping):
        raise Refusal(Reason.WRONG_TYPE, f"info is {type(info).__name__}, wanted an object")
    lines = [
        f"SUBREDDIT: r/{info['subreddit']}" if info.get("subreddit") else "",
        f"TITLE: {info['title']}" if info.get("title") else "",
        f"POST: {info['post']}" if info.get("post") else text(info.get("article") or "", "info.article"),
    ]
    if not lines[-1].strip():
        raise Refusal(Reason.EMPTY_SIDE, "info has neither a post nor an article")
    return "\n\n".join([line for line in lines if line] + ["TL;DR:"])


def _binary(value: Any, column: str) -> int:
    index = number(value, column)
    if index not in (0, 1):
        raise Refusal(Reason.WRONG_TYPE, f"{column} is {shorten(value, 40)}, wanted 0 or 1")
    return int(index)


SHP = by_row(Shape(_SHP_COLUMNS), read_shp)
"""stanfordnlp/SHP."""

SUMMARIES = by_row(Shape(_SUMMARY_COLUMNS), read_summaries)
"""openai/summarize_from_feedback, comparisons."""
