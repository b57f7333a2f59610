"""A reward model that was trained on weak generators, asked about strong ones: static accuracy beside fresh accuracy.

    python bench/fresh.py [--pairs N] [--data FILE] [--rating KEY] [--policy research|rerank|optimise]

AlpacaEval's prompts were answered by many models, and a judge rated each answer against one reference. Generators are
ordered by their mean rating; pairs of answers of the lowest third (rated at least .3 apart) are split by prompt, and
MiniLM is trained on one side. On the prompts of the other side:

- static: pairs of the same weak generators, the ordinary held-out set;
- fresh: pairs of the highest third, what a better policy would write.

Printed are both accuracies, their difference, the distance from the training data in the model's own feature space, and
what a policy's rules on the fresh slice say. Nothing is written.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import real_data

RATING = "alpaca_eval_gpt4:vs_text_davinci_003"
GAP = 0.3
PAIRS_A_PROMPT = 3
MAX_TOKENS = 320
SEED = 0

Row = dict[str, Any]


def main() -> None:
    """Pairs, training, both accuracies, the verdict."""
    arguments = _arguments()
    real_data.require_file(arguments.data)
    rows = _rated(arguments.data, arguments.rating)
    weak, strong = _generators(rows)
    print(f"{len(weak)} weak generators: {', '.join(weak)}\n{len(strong)} strong ones: {', '.join(strong)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        _compare(_pairs(rows, weak), _pairs(rows, strong), Path(folder), arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=real_data.RESPONSES)
    parser.add_argument("--rating", default=RATING)
    parser.add_argument("--pairs", type=int, default=1500, help="pairs to split and train on")
    parser.add_argument("--policy", default="optimise")
    return parser.parse_args()


def _rated(path: Path, rating: str) -> dict[str, list[Row]]:
    """Rows with this rating, by prompt."""
    by_prompt: dict[str, list[Row]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if rating in row["ratings"] and row["response"].strip():
                by_prompt[row["prompt_id"]].append(row | {"rating": row["ratings"][rating]})
    return dict(by_prompt)


def _generators(rows: dict[str, list[Row]]) -> tuple[list[str], list[str]]:
    """Names of the lowest and of the highest third by mean rating."""
    ratings: dict[str, list[float]] = defaultdict(list)
    for row in (row for some in rows.values() for row in some):
        ratings[row["model"]].append(row["rating"])
    ordered = sorted(ratings, key=lambda name: sum(ratings[name]) / len(ratings[name]))
    third = len(ordered) // 3
    return ordered[:third], ordered[-third:]


def _pairs(rows: dict[str, list[Row]], generators: list[str]) -> list[Row]:
    """Pairs of different answers of these generators, each answer once, some a prompt, prompts in random order."""
    dice = random.Random(SEED)
    made = []
    for prompt_id in dice.sample(sorted(rows), len(rows)):
        some = [row for row in rows[prompt_id] if row["model"] in generators]
        dice.shuffle(some)
        for number in range(PAIRS_A_PROMPT):
            found = next(((a, b) for a in some for b in some if a["rating"] - b["rating"] >= GAP), None)
            if found is None:
                break
            some = [row for row in some if not any(row is used for used in found)]
            made.append(_pair(*found, name=f"{prompt_id}-{number}"))
    return made


def _pair(better: Row, worse: Row, *, name: str) -> Row:
    texts = {"chosen": better["response"], "rejected": worse["response"]}
    return {"id": name, "prompt_id": better["prompt_id"], "prompt": better["prompt"], "label": "chosen"} | texts


def _compare(weak: list[Row], strong: list[Row], folder: Path, arguments: argparse.Namespace) -> None:
    from rewardsmith.audit.family import settle
    from rewardsmith.audit.stress.shift import Distance, measure_shift, shift_findings
    from rewardsmith.preferences.store import load_table
    from rewardsmith.scoring.load import load_scorer

    data, model = _train(weak[: arguments.pairs], folder)
    static, train = list(load_table(data, "heldout")), list(load_table(data, "train"))
    held = {preference.group for preference in static}
    path = folder / "strong.jsonl"
    _write(path, [row for row in strong if row["prompt_id"] in held])
    fresh = list(real_data.preferences(path))
    scorer = load_scorer(model, overlength="truncate")
    shift = measure_shift(scorer, static, fresh, train=train)
    findings = settle(shift_findings(shift))
    print(f"trained on {len(train)} pairs; static {shift.static}; fresh {shift.fresh}; difference {shift.difference}")
    for name, pairs in (("static", static), ("fresh", fresh)):
        print(f"chosen answer is the longer one, {name}: {_longer_share(pairs):.3f} of {len(pairs)}")
    for finding in findings:
        print(f"{finding.severity}: {finding.name}: {finding.summary}")
    if isinstance(shift.distance, Distance):
        for each in shift.distance.bins:
            print(f"distance {each.distance:.2f} of static: accuracy {each.accuracy}, {100 * each.fresh:.0f}% fresh")
    _print_verdict(findings, arguments.policy)


def _train(pairs: list[Row], folder: Path) -> tuple[Path, Path]:
    from rewardsmith.models.settings import ModelSettings
    from rewardsmith.pipeline.prepare import prepare_for
    from rewardsmith.preferences.settings import DataSettings, SourceSettings
    from rewardsmith.training.recipe import Recipe
    from rewardsmith.training.settings import TrainingSettings
    from rewardsmith.training.train import train

    _write(folder / "weak.jsonl", pairs)
    source = SourceSettings(path=str(folder / "weak.jsonl"))
    recipe = Recipe(
        data=DataSettings(sources=(source,), heldout_share=0.35, max_tokens=MAX_TOKENS),
        model=ModelSettings(base="builtin:minilm-l6"),
        training=TrainingSettings(learning_rate=5e-5, batch_size=16, seed=SEED),
    )
    prepare_for(recipe, folder / "data")
    train(recipe, folder / "data", folder / "model")
    return folder / "data", folder / "model"


def _write(path: Path, rows: list[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _longer_share(preferences: list[Any]) -> float:
    longer = [len(each.responses[0][-1].content) > len(each.responses[1][-1].content) for each in preferences]
    return sum(longer) / max(1, len(longer))


def _print_verdict(findings: Any, name: str) -> None:
    """What the policy says about the fresh slice; its other rules need a whole audit."""
    from rewardsmith.gate.store import load_policy
    from rewardsmith.gate.verdict import judge

    verdict = judge(findings, load_policy(name))
    asked = [reason for reason in verdict.reasons if reason.name.startswith("shift.")]
    ready = all(reason.outcome in ("met", "not asked") for reason in asked)
    print(f"verdict of the policy {name} on the fresh slice: {'ready' if ready else 'not ready'}")
    for reason in asked:
        print(f"  {reason.outcome}: {reason.name}: {reason.text}")


if __name__ == "__main__":
    main()
