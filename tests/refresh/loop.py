"""A small loop: an incumbent that was trained on toy pairs, traffic that it served, and a gold that labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rewardsmith.core.conversation import Conversation, assistant, to_dicts, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.core.settings import parse_settings
from rewardsmith.pipeline.load import load_recipe
from rewardsmith.pipeline.prepare import prepare_for
from rewardsmith.pipeline.refresh_round import RoundInputs
from rewardsmith.pipeline.train import train_recipe
from rewardsmith.refresh.settings import RefreshSettings
from rewardsmith.scoring.load import load_scorer
from rewardsmith.training.recipe import Recipe

WORDS = ("red", "blue", "green", "black", "white", "grey", "pink", "brown")


def prompt_of(number: int) -> Conversation:
    return (user(f"{WORDS[number % 8]} {WORDS[number // 8 % 8]} question {number}"),)


def is_better(one: str, other: str) -> bool:
    """What the toy's raters like: more exclamation marks."""
    return one.count("!") > other.count("!")


def write_pairs(path: Path, numbers: range) -> Path:
    rows = [
        {
            "prompt": prompt_of(number)[0].content,
            "chosen": f"yes {number}!!",
            "rejected": f"no {number}",
            "id": str(number),
        }
        for number in numbers
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_incumbent(folder: Path, tiny: Any, *, pairs: int = 60, more: tuple[str, ...] = ()) -> Path:
    """`folder/model`, trained for a moment, beside `folder/data`."""
    base = tiny.save_base(folder / "base", "decoder")
    recipe = toy_recipe(base, write_pairs(folder / "pairs.jsonl", range(pairs)), *more)
    prepare_for(recipe, folder / "data")
    train_recipe(recipe, folder / "data", folder / "model")
    return folder / "model"


def toy_recipe(base: str, pairs: Path, *more: str) -> Recipe:
    small = ["data.max_tokens=120", "data.overlength=truncate", "data.heldout_share=0.3", "training.batch_size=16"]
    small += ["data.near_duplicate_similarity=null"]
    return load_recipe(None, assignments=[f"model.base={base}", *small, *more], data=[str(pairs)])


def write_traffic(folder: Path, model: Path, *, prompts: range, answers: int = 3) -> Path:
    """A log of what `model` served: answers to prompts that it was not trained on."""
    texts = [f"{'yes' if answer else 'no'} {answer}{'!' * answer}" for answer in range(answers)]
    asked = [(*prompt_of(number), assistant(text)) for number in prompts for text in texts]
    scores = load_scorer(model).score(asked)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        {
            "time": float(number),
            "model": scores.provenance.model_digest,
            "template": scores.provenance.template_digest,
            "conversation": to_dicts(each),
            "reward": float(reward),
        }
        for number, (each, reward) in enumerate(zip(asked, scores.rewards, strict=True))
    ]
    (folder / "traffic-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def write_labels(to_label: Path, path: Path) -> Path:
    """The file that people give back: each pair the way round that they like."""
    rows = [json.loads(line) for line in to_label.read_text().splitlines()]
    for row in rows:
        row["label"] = "chosen"
        if is_better(row["rejected"][0]["content"], row["chosen"][0]["content"]):
            row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def small_settings(**changes: Any) -> RefreshSettings:
    values: dict[str, Any] = {"choose": {"pairs": 30, "pairs_per_prompt": 1}}
    return parse_settings(RefreshSettings, values | changes, where="test")


def inputs(model: Path, traffic: Path) -> RoundInputs:
    return RoundInputs(incumbent=str(model), traffic=str(traffic))


def preference(number: int, *, group: str | None = None, chosen: str = "good!", rejected: str = "bad") -> Preference:
    return Preference(
        prompt=prompt_of(number),
        responses=((assistant(chosen),), (assistant(rejected),)),
        pairs=(Pair(0, 1),),
        id=f"p{number}",
        group=group or f"g{number}",
        source="test",
    )
