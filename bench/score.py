"""Scoring 16 answers to each prompt: rewardsmith against the pipeline of transformers at its best setting.

    python bench/score.py best-of-16|best-of-16-short [--prompts 4] [--repeats 3] [--data FILE] [--out …/speed.json]

The model is SmolLM2 under a new head (135 M weights; the speed does not depend on what a head has learned).

- `best-of-16`: HH conversations of several turns, prompts of 256 to 512 tokens with the template; answers sampled from
  SmolLM2 itself at temperature 1, at most 64 tokens, once, and kept in `runs/bench`.
- `best-of-16-short`: AlpacaEval prompts, and responses of 16 of its models, cut to 64 tokens.

The peer is `pipeline("text-classification", function_to_apply="none")` on the same checkpoint and chat template. Its
batch size (1, 4, 8, 16, 32) and dtype (float32, bfloat16) are the fastest ones of a pilot on the first 32
conversations. Each run is a fresh process with both cores; the longest conversation, word by word backwards, is scored
first, so that no run pays for start-up, which is printed (rewardsmith's first call tries whether the model may be given
packed sequences). Rendering and tokenising are timed on both sides, loading is not. Every conversation is scored once
in a process, so that no score is remembered. Written down:

- `score-best-of-16`, `score-best-of-16-short`: ratio of the median conversations per second, each side in its faster
  precision.
- the same with `-float32`: both sides in float32.

Printed beside them: how far the scores lie from the reference scorer's (one conversation at a time, float32).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import answers
import measure
import real_data
from answers import Messages
from untrained import DECODER, save_untrained

BATCHES = (1, 4, 8, 16, 32)
PRECISIONS = ("float32", "bf16")
PILOT = 32
START = ["and", "so", "it", "goes", "on"]

DATA = {"best-of-16": real_data.HARMLESS, "best-of-16-short": real_data.RESPONSES}
Run = dict[str, Any]


def main() -> None:
    """Make what is scored, measure, print, write the rows."""
    arguments = _arguments()
    if arguments.side:
        print(json.dumps(run_side(arguments)))
        return
    real_data.require_file(arguments.data)
    rows = best_of_16(arguments)
    measure.show(rows)
    measure.write_rows(Path(arguments.out), rows)


def best_of_16(arguments: argparse.Namespace) -> list[measure.Row]:
    """Rows of both precisions."""
    make = answers.sampled if arguments.what == "best-of-16" else answers.short
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = save_untrained(DECODER, folder / "model")
        conversations = make(Path(arguments.data), prompts=arguments.prompts)
        file, pilot = folder / "all.json", folder / "pilot.json"
        file.write_text(json.dumps(conversations), "utf-8")
        pilot.write_text(json.dumps(conversations[:PILOT]), "utf-8")
        _describe(conversations, model)
        batches = {precision: _best_batch(model, pilot, precision) for precision in PRECISIONS}
        sides = _sides(model, file, batches, repeats=arguments.repeats)
        reference = measure.in_fresh_process(__file__, _options("reference", model, file, "float32", [1]))
    _print_differences(sides, reference["scores"])
    return _score_rows(f"score-{arguments.what}", sides, batches)


def _sides(model: Path, file: Path, batches: dict[str, int], *, repeats: int) -> dict[tuple[str, str], list[Run]]:
    """The runs of each side in each precision, taken in turn."""
    names = [(side, precision) for precision in PRECISIONS for side in ("rewardsmith", "transformers")]
    runs: dict[tuple[str, str], list[Run]] = {name: [] for name in names}
    for repeat in range(repeats):
        for side, precision in names:
            options = _options(side, model, file, precision, [batches[precision]])
            run = measure.in_fresh_process(__file__, options)
            runs[side, precision].append(run)
            print(
                f"repeat {repeat + 1}, {side} {precision}: {_speed(run)} a second, "
                f"start-up {run['startup_s']} s, {run['peak_mb']} MB",
                flush=True,
            )
    return runs


def _best_batch(model: Path, file: Path, precision: str) -> int:
    """The batch size at which the pipeline is fastest."""
    run = measure.in_fresh_process(__file__, _options("transformers", model, file, precision, BATCHES))
    speeds = dict(zip(BATCHES, run["per_s"], strict=True))
    print(f"pilot, transformers {precision}: conversations a second by batch size {speeds}", flush=True)
    return max(speeds, key=lambda batch: speeds[batch])


def _score_rows(name: str, runs: dict[tuple[str, str], list[Run]], batches: dict[str, int]) -> list[measure.Row]:
    speeds = {key: [_speed(run) for run in some] for key, some in runs.items()}
    ours, peer = (
        max(PRECISIONS, key=lambda precision, side=side: statistics.median(speeds[side, precision]))
        for side in ("rewardsmith", "transformers")
    )
    rows = []
    for row, own, other in ((name, ours, peer), (f"{name}-float32", "float32", "float32")):
        unit = f"times, conversations a second ({own} against the pipeline in {other} at batch {batches[other]})"
        rows.append(measure.ratio_row(row, speeds["rewardsmith", own], speeds["transformers", other], unit))
    return rows


def _print_differences(runs: dict[tuple[str, str], list[Run]], reference: list[float]) -> None:
    spread = statistics.pstdev(reference)
    print(f"\nlargest distance from the reference scorer, whose scores have a standard deviation of {spread:.3g}:")
    for (side, precision), some in runs.items():
        pairs = zip(some[0]["scores"], reference, strict=True)
        print(f"  {side} {precision}: {max(abs(one - two) for one, two in pairs):.2e}")


def _speed(run: Run) -> float:
    return run["per_s"][0]


def run_side(arguments: argparse.Namespace) -> Run:
    """Conversations a second at each batch size, the scores of the last one, and peak memory."""
    conversations = json.loads(Path(arguments.file).read_text("utf-8"))
    make = _pipeline_scorer if arguments.side == "transformers" else _own_scorer
    score = make(arguments)
    start = time.perf_counter()
    score([_backwards(max(conversations, key=_letters))], 1)
    startup_s = round(time.perf_counter() - start, 2)
    speeds, scores = [], []
    for batch in arguments.batches:
        start = time.perf_counter()
        scores = score(conversations, batch)
        speeds.append(round(len(conversations) / (time.perf_counter() - start), 3))
    return {"per_s": speeds, "scores": scores, "startup_s": startup_s, "peak_mb": measure.peak_mb()}


def _backwards(conversation: Messages) -> Messages:
    """A conversation that is no other one's text and no shorter."""
    return [{**turn, "content": " ".join([*reversed(turn["content"].split()), *START])} for turn in conversation]


def _letters(conversation: Messages) -> int:
    return sum(len(turn["content"]) for turn in conversation)


def _own_scorer(arguments: argparse.Namespace) -> Any:
    from rewardsmith.core.conversation import from_dicts
    from rewardsmith.scoring.load import load_scorer

    engine = "reference" if arguments.side == "reference" else "fast"
    scorer = load_scorer(arguments.model, engine=engine, precision=arguments.precision)

    def score(conversations: list[Messages], _batch: int) -> list[float]:
        return scorer.score([from_dicts(each) for each in conversations]).rewards.tolist()

    return score


def _pipeline_scorer(arguments: argparse.Namespace) -> Any:
    import torch
    from transformers import AutoTokenizer, pipeline

    known: Any = pipeline
    tokenizer: Any = AutoTokenizer.from_pretrained(arguments.model)
    dtype = torch.bfloat16 if arguments.precision == "bf16" else torch.float32
    classify = known("text-classification", model=arguments.model, tokenizer=tokenizer, dtype=dtype, device="cpu")

    def score(conversations: list[Messages], batch: int) -> list[float]:
        texts = [tokenizer.apply_chat_template(each, tokenize=False) for each in conversations]
        # The template wrote the special tokens already.
        found = classify(texts, batch_size=batch, function_to_apply="none", add_special_tokens=False)
        return [each["score"] for each in found]

    return score


def _options(side: str, model: Path, file: Path, precision: str, batches: Sequence[int]) -> list[object]:
    return ["--side", side, "--model", model, "--file", file, "--precision", precision, "--batches", *batches]


def _describe(conversations: list[Messages], model: Path) -> None:
    """Print how many there are and how long they are."""
    from rewardsmith.core.conversation import from_dicts
    from rewardsmith.text.encoder import ConversationEncoder
    from rewardsmith.text.load import load_tokenizer

    encoder = ConversationEncoder(load_tokenizer(str(model), keep_template=True))
    lengths = [len(ids) for ids in encoder.encode([from_dicts(each) for each in conversations])]
    ends = [len(encoder.tokenizer(each[-1]["content"])["input_ids"]) for each in conversations]
    print(
        f"{len(lengths)} conversations, {answers.ANSWERS} a prompt: {min(lengths)} to {max(lengths)} tokens, "
        f"mean {statistics.mean(lengths):.0f}; answers {statistics.mean(ends):.0f} tokens in the mean",
        flush=True,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=list(DATA), nargs="?")
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data")
    parser.add_argument("--out", default=str(measure.OUT))
    parser.add_argument("--side", choices=["rewardsmith", "transformers", "reference"], help=argparse.SUPPRESS)
    parser.add_argument("--batches", type=int, nargs="+", help=argparse.SUPPRESS)
    for internal in ("--model", "--file", "--precision"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.what is None and not arguments.side:
        parser.error(f"say what to measure: {', '.join(DATA)}")
    if arguments.data is None and arguments.what:
        arguments.data = str(DATA[arguments.what])
    return arguments


if __name__ == "__main__":
    main()
