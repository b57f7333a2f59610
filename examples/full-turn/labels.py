"""A simulated person: two responses in, the better one by the rubric out, with noise that is stated."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from settings import LabelSettings

from rewardsmith.core.conversation import Conversation, assistant, from_dicts, response_text, to_dicts
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import is_current, read_manifest, writing_artefact
from rewardsmith.optimise.gold import Gold
from rewardsmith.optimise.samples import SampleGroup
from rewardsmith.preferences.panel import Rated, Rater, cast_vote
from rewardsmith.preferences.rubric import count_words

KIND = "judged-pairs"
PAIRS_NAME = "pairs.jsonl"


@dataclass(frozen=True, slots=True)
class Question:
    """Two responses to one prompt. Neither is the better one yet.

    Attributes:
        id: Names the question.
        group: Prompt group.
        prompt: Turns up to the response.
        responses: The two texts.
    """

    id: str
    group: str
    prompt: Conversation
    responses: tuple[str, str]


def drawn(groups: Iterable[SampleGroup], *, per_prompt: int, seed: int) -> list[Question]:
    """So many pairs of different responses to each prompt, by lot."""
    rng = np.random.default_rng(seed)
    found = []
    for group in groups:
        pairs = list(combinations(dict.fromkeys(sample.text for sample in group.samples), 2))
        places = sorted(rng.permutation(len(pairs))[:per_prompt].tolist())
        found += [Question(f"{group.group}-{place}", group.group, group.prompt, pairs[place]) for place in places]
    return found


def read_questions(path: Path) -> list[Question]:
    """The pairs that `rewardsmith refresh` asks about."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        Question(
            row["id"],
            row["prompt_id"],
            from_dicts(row["prompt"]),
            (response_text(from_dicts(row["chosen"])), response_text(from_dicts(row["rejected"]))),
        )
        for row in rows
    ]


def judged(questions: Sequence[Question], gold: Gold, settings: LabelSettings) -> list[dict[str, Any]]:
    """A row of a pair file for each question: what the person says, and what the rubric gave.

    P(first) = σ((points_first − points_second − indifference) / noise), see `rewardsmith.preferences.panel`.
    """
    rater = Rater("one", noise=settings.noise, indifference=settings.indifference)
    sides = [(*each.prompt, assistant(text)) for each in questions for text in each.responses]
    points = gold.rate(sides).reshape(-1, 2)
    return [_row(each, pair, rater, settings.seed) for each, pair in zip(questions, points.tolist(), strict=True)]


def write_judged(
    questions: Sequence[Question], gold: Gold, settings: LabelSettings, out: Path, *, parents: Mapping[str, str]
) -> Manifest:
    """Write the labels to `out`: `pairs.jsonl` and a manifest that counts them."""
    config = {**settings.model_dump(mode="json"), "gold": dict(gold.identity)}
    if is_current(out, kind=KIND, config=config, parents=parents):
        return read_manifest(out, KIND)
    rows = judged(questions, gold, settings)
    counts = Counter(row["label"] for row in rows)
    wrong = sum(row["label"] == "chosen" and row["meta"]["points"][0] < row["meta"]["points"][1] for row in rows)
    told = {"labels": len(rows), "ties": counts["tie"], "against_the_rubric": wrong}
    manifest = Manifest(kind=KIND, config=config, seed=settings.seed, parents=dict(parents), counts=told)
    with writing_artefact(out, manifest) as draft:
        (draft.folder / PAIRS_NAME).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return read_manifest(out, KIND)


def _row(question: Question, points: Sequence[float], rater: Rater, seed: int) -> dict[str, Any]:
    first, second = (
        Rated(text, value, count_words(text)) for text, value in zip(question.responses, points, strict=True)
    )
    vote = cast_vote(rater, first, second, seed=seed, item=question.group)
    order = (second, first) if vote == "second" else (first, second)
    return {
        "id": question.id,
        "prompt_id": question.group,
        "prompt": to_dicts(question.prompt),
        "chosen": to_dicts((assistant(order[0].text),)),
        "rejected": to_dicts((assistant(order[1].text),)),
        "label": "tie" if vote == "tie" else "chosen",
        "source": "simulated",
        "meta": {"points": [each.points for each in order]},
    }
