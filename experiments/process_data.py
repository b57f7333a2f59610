"""What `process.py` learns from and is tested on: step traces by source, and sampled solutions to GSM8K problems."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from study import RUNS, require_data

from rewardsmith.core.conversation import user
from rewardsmith.core.store import is_current
from rewardsmith.preferences.keys import group_hash
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.steps.prepare import expected_parents, prepare_steps
from rewardsmith.preferences.steps.store import KIND, load_traces
from rewardsmith.preferences.steps.trace import StepTrace
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.steps import split_steps

MAX_TOKENS = 400
SOURCES = {
    "prm800k": "prm800k-human-steps.jsonl.gz",
    "bigbench-mistake": "bigbench-mistake-first-error.jsonl.gz",
    "prmbench": "prmbench-steps.jsonl.gz",
}
TESTS_ONLY = {"mr-gsm8k": "mr-gsm8k-human-first-error.jsonl.gz"}
SOLUTIONS = "gsm8k-model-solutions.jsonl.gz"
MOST_A_PROBLEM = 2


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is read: traces a source on each side, test-only traces, GSM8K problems on each side."""

    train: int
    heldout: int
    tests_only: int
    solved_train: int
    solved_test: int


FULL = Sizes(train=180, heldout=80, tests_only=70, solved_train=90, solved_test=220)
QUICK = Sizes(train=8, heldout=6, tests_only=4, solved_train=6, solved_test=6)


@dataclass(frozen=True, slots=True)
class Solved:
    """Four sampled solutions a problem, problem by problem, with the answer that each gives."""

    traces: tuple[StepTrace, ...]
    answers: tuple[str, ...]


def step_sets(
    sizes: Sizes, encoder: ConversationEncoder
) -> tuple[dict[str, list[StepTrace]], dict[str, list[StepTrace]]]:
    """Traces by source, training and held out; no training problem nearly repeats a held-out one of any source."""
    paths = dict(zip(SOURCES, require_data(*SOURCES.values()), strict=True))
    settings = DataSettings(
        sources=tuple(SourceSettings(path=str(path), name=name) for name, path in paths.items()),
        max_tokens=MAX_TOKENS,
        heldout_share=0.3,
    )
    folder = RUNS / "process-steps"
    made_from = expected_parents(settings, encoder)
    if not is_current(folder, kind=KIND, config=settings.model_dump(mode="json"), parents=made_from):
        prepare_steps(settings, folder, encoder)
    train, heldout = (
        {name: first_by_hash([each for each in load_traces(folder, side) if each.source == name], n) for name in paths}
        for side, n in (("train", sizes.train), ("heldout", sizes.heldout))
    )
    for name, file in TESTS_ONLY.items():
        (path,) = require_data(file)
        heldout[name] = first_by_hash(rows_of(path, name), sizes.tests_only)
    return train, heldout


def rows_of(path: Any, name: str) -> list[StepTrace]:
    """All traces of a file in rewardsmith's own layout."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    return [
        StepTrace(
            prompt=(user(each["problem"]),),
            steps=tuple(step.strip() for step in each["steps"]),
            labels=tuple(each["labels"]),
            final_correct=each["final_correct"],
            id=each["id"],
            group=each["prompt_id"],
            source=name,
        )
        for each in rows
    ]


def first_by_hash(traces: Sequence[StepTrace], n: int) -> list[StepTrace]:
    """`n` traces, problem by problem in the order of a hash, at most two of a problem."""
    taken: Counter[str] = Counter()
    chosen = []
    for each in sorted(traces, key=lambda each: (group_hash(each.group, "process"), group_hash(each.id, "process"))):
        if len(chosen) < n and taken[each.group] < MOST_A_PROBLEM:
            taken[each.group] += 1
            chosen.append(each)
    return chosen


def gsm8k_solutions(side: str, sizes: Sizes) -> Solved:
    """Sampled solutions to the problems of one side; a line is a step, the last one gives the answer."""
    (path,) = require_data(SOLUTIONS)
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    names = sorted({each["prompt_id"] for each in rows}, key=lambda name: group_hash(name, "process"))
    chosen = names[: sizes.solved_train] if side == "train" else names[::-1][: sizes.solved_test]
    by_name: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    for each in rows:
        if each["prompt_id"] in by_name:
            by_name[each["prompt_id"]].append(each)
    found = [each for name in chosen for each in by_name[name]]
    return Solved(
        tuple(solution_trace(each, number) for number, each in enumerate(found)),
        tuple(answer_of(each["response"]) for each in found),
    )


def solution_trace(values: dict[str, Any], number: int) -> StepTrace:
    """A sampled solution as a trace without step labels."""
    steps = split_steps(values["response"], "lines")
    return StepTrace(
        prompt=(user(values["prompt"]),),
        steps=steps,
        labels=(None,) * len(steps),
        final_correct=bool(values["ratings"]["correct"]),
        id=f"{values['prompt_id']}-{number}",
        group=values["prompt_id"],
        source="gsm8k",
    )


def answer_of(response: str) -> str:
    """What stands after the last `A:`, as a number where it is one."""
    said = response.rpartition("A:")[2].strip().replace(",", "").replace("$", "")
    found = re.search(r"-?\d+(?:\.\d+)?", said)
    return str(float(found.group())) if found else said
