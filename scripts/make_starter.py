"""Make the built-in data set `builtin:starter` again, in two stages.

    python scripts/make_starter.py sample samples.jsonl   # minutes: responses from the built-in language model
    python scripts/make_starter.py judge samples.jsonl    # seconds: rubric and panel, then the shipped files

`sample` can be interrupted: what stands in the file is not sampled again. Both stages are seeded. Another version
of torch or another processor may round logits differently and so sample other texts; `judge` is exact everywhere.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Annotated, Any, NamedTuple

import torch
import typer
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from rewardsmith.core.progress import track
from rewardsmith.core.store import write_text
from rewardsmith.models.builtin import resolve
from rewardsmith.preferences.panel import PANEL, SEED, Rated, decide, lead, poll, rank
from rewardsmith.preferences.rubric import Criteria, count_words, judge_steps, points
from rewardsmith.preferences.rubric import judge as judge_response

MODEL = "builtin:smollm2-135m-instruct"
SOURCE = "starter (synthetic)"
BATCH = 32
RANKED_RESPONSES = 4
STEP_TRACES = 40
UNFIT = re.compile(r"https?://|@\w+\.\w|bomb", re.IGNORECASE)
"""Responses with made-up addresses or with what nobody asked for are left out."""
PROMPTS = Path(__file__).with_name("starter_prompts.yaml")
DATA = Path(__file__).parents[1] / "src" / "rewardsmith" / "preferences" / "data"

app = typer.Typer(add_completion=False, no_args_is_help=True)


class Condition(NamedTuple):
    """How a response is sampled. A short `max_tokens` cuts some responses off in the middle of a sentence."""

    name: str
    temperature: float
    max_tokens: int
    top_p: float = 0.95


CONDITIONS = (
    Condition("careful", 0.3, 64),
    Condition("plain", 0.7, 64),
    Condition("lively", 1.0, 48),
    Condition("clipped", 0.7, 22),
    Condition("wandering", 1.25, 30, top_p=0.92),
)


@app.command()
def sample(samples: Annotated[Path, typer.Argument(help="JSONL file to add samples to")]) -> None:
    """Sample one response a prompt and condition from the built-in language model."""
    prompts = [entry["prompt"] for entry in load_prompts()]
    done = {(row["prompt"], row["condition"]) for row in load_jsonl(samples)} if samples.exists() else set()
    batches = [(condition, batch) for condition in CONDITIONS for batch in batched(prompts, BATCH)]
    missing = [(c, batch) for c, batch in batches if any((prompt, c.name) not in done for prompt in batch)]
    if not missing:
        return
    folder = resolve(MODEL)
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with samples.open("a", encoding="utf-8") as stream:
        for condition, batch in track(missing, "sampling", len(missing)):
            for prompt, response in zip(batch, generate(model, tokenizer, batch, condition=condition), strict=True):
                if (prompt, condition.name) not in done:
                    row = {"prompt": prompt, "condition": condition.name, "response": response}
                    stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            stream.flush()


def generate(model: Any, tokenizer: Any, prompts: Sequence[str], *, condition: Condition) -> list[str]:
    """One response a prompt. The seed depends on the prompts and the condition, so that an interrupted run resumes."""
    texts = [
        tokenizer.apply_chat_template([{"role": "user", "content": p}], tokenize=False, add_generation_prompt=True)
        for p in prompts
    ]
    inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    torch.manual_seed(SEED + zlib.crc32("\n".join([condition.name, *prompts]).encode()))
    with torch.inference_mode():
        output = model.generate(
            **inputs,
            do_sample=True,
            temperature=condition.temperature,
            top_p=condition.top_p,
            top_k=0,
            max_new_tokens=condition.max_tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
    return tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


@app.command()
def judge(samples: Annotated[Path, typer.Argument(help="JSONL file that `sample` made", exists=True)]) -> None:
    """Judge the samples and write the shipped files."""
    texts = {(row["prompt"], row["condition"]): row["response"].strip() for row in load_jsonl(samples)}
    files: dict[str, list[Any]] = {"starter.jsonl": [], "starter_rankings.jsonl": []}
    for number, entry in enumerate(load_prompts()):
        prompt_id = f"starter-{number:03d}"
        criteria = Criteria.from_dict({k: v for k, v in entry.items() if k not in ("kind", "prompt")})
        base = {"prompt_id": prompt_id, "prompt": entry["prompt"]}
        meta = {"kind": entry["kind"], "criteria": criteria.to_dict()}
        # A text that two conditions share stands once, under the first of them.
        sampled = {texts[entry["prompt"], c.name]: c.name for c in reversed(CONDITIONS)}
        rated = [
            Rated(text, points(judge_response(entry["prompt"], text, criteria)), count_words(text))
            for text in reversed(sampled)
            if text and not UNFIT.search(text)
        ]
        if number % 2:
            files["starter.jsonl"] += pairs(base, meta, rated, sampled)
        else:
            files["starter_rankings.jsonl"] += ranking(base, meta, rated, sampled)
    for name, rows in {**files, "starter_steps.jsonl": step_traces()}.items():
        save_jsonl(DATA / name, rows)


def ranking(base: dict[str, Any], meta: dict[str, Any], rated: list[Rated], sampled: dict[str, str]) -> list[Any]:
    """One K-way row, of up to four responses; which one is left out goes by the prompt. None where all tie."""
    start = int(base["prompt_id"][-3:]) // 2 % len(rated)
    kept = sorted((rated[start:] + rated[:start])[:RANKED_RESPONSES], key=lambda response: response.text)
    ranks = rank(PANEL, kept, seed=SEED, item=base["prompt_id"])
    if len(set(ranks)) < 2:
        return []
    details = {"conditions": [sampled[r.text] for r in kept], "points": [round(r.points, 2) for r in kept]}
    responses = {"responses": [r.text for r in kept], "ranks": ranks}
    return [{"id": f"{base['prompt_id']}-k", **base, **responses, "source": SOURCE, "meta": {**meta, **details}}]


def pairs(base: dict[str, Any], meta: dict[str, Any], rated: list[Rated], sampled: dict[str, str]) -> list[Any]:
    """Pair rows between neighbours in a seeded order of the responses, each with the panel's votes."""
    order = sorted(rated, key=lambda r: zlib.crc32(f"{base['prompt_id']} {sampled[r.text]}".encode()))
    rows = []
    for number, (first, second) in enumerate(pairwise(order)):
        votes = poll(PANEL, first, second, seed=SEED, item=base["prompt_id"])
        decision = decide(votes)
        chosen, rejected = (second, first) if decision == "second" else (first, second)
        names = {"first": "chosen", "second": "rejected"}
        if decision == "second":
            names = {"first": "rejected", "second": "chosen"}
        rows.append(
            {
                "id": f"{base['prompt_id']}-{number}",
                **base,
                "chosen": chosen.text,
                "rejected": rejected.text,
                "label": "tie" if decision == "tie" else "chosen",
                "votes": [names.get(vote, vote) for vote in votes],
                "raters": [rater.name for rater in PANEL],
                "margin": abs(lead(votes)) / len(votes),
                "source": SOURCE,
                "meta": {
                    **meta,
                    "conditions": [sampled[chosen.text], sampled[rejected.text]],
                    "points": [round(chosen.points, 2), round(rejected.points, 2)],
                },
            }
        )
    return rows


def step_traces() -> list[dict[str, Any]]:
    """Arithmetic solutions made from a template; every second one has one wrong result, and goes on from there."""
    random = Random(SEED)
    rows = []
    for number in range(STEP_TRACES):
        name, thing = random.choice(("Mia", "Omar", "Lena", "Raj", "Zoe")), random.choice(("shells", "cards", "stamps"))
        boxes, each, found, lost = (random.randint(low, high) for low, high in ((2, 6), (3, 9), (4, 20), (1, 5)))
        slips = [random.choice((-2, -1, 1, 2)) if number % 2 and at == number // 2 % 3 else 0 for at in range(3)]
        packed = boxes * each + slips[0]
        more = packed + found + slips[1]
        left = more - lost + slips[2]
        steps = [
            f"{name} first has {boxes} boxes with {each} {thing} each: {boxes} × {each} = {packed}.",
            f"After finding {found} more: {packed} + {found} = {more}.",
            f"After giving {lost} away: {more} - {lost} = {left}.",
            f"So {name} has {left} {thing}.",
        ]
        labels = judge_steps(steps)
        rows.append(
            {
                "id": f"starter-steps-{number:02d}",
                "prompt_id": f"starter-steps-{number:02d}",
                "problem": f"{name} has {boxes} boxes with {each} {thing} in each, finds {found} more and gives {lost} "
                f"away. How many {thing} does {name} have?",
                "steps": steps,
                "labels": labels,
                "final_correct": left == boxes * each + found - lost,
                "source": SOURCE,
                "meta": {"first_error": labels.index(-1) if -1 in labels else None},
            }
        )
    return rows


def save_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as JSONL."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def load_prompts() -> list[dict[str, Any]]:
    """The prompts, each with what the rubric checks."""
    return yaml.safe_load(PROMPTS.read_text("utf-8"))


def load_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def batched(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Consecutive runs of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


if __name__ == "__main__":
    app()
