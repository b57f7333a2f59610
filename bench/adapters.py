"""What an ensemble of five LoRA adapters over one backbone costs: its time to score against that of one model.

    python bench/adapters.py [--pairs 64] [--members 5] [--repeats 5] [--models minilm smollm2] [--data FILE]

Both are scored through `load_scorer` in float32 on both responses of HH pairs, cut to 512 tokens. The adapters stand in
the last quarter of the blocks (one of MiniLM's 6, seven of SmolLM2's 30) and hold random numbers, as do the heads: the
speed does not depend on what they have learned. The one model is the first member's merged checkpoint. Each run is a
fresh process with both cores, the two sides in turn; another conversation is scored first, so that no run pays for
start-up. Rendering and tokenising are timed on both sides, loading is not.

Written down: `lora-ensemble-score-cost`, the ratio of the median seconds, of the model where it is larger. Printed
beside it: the other model's, and how far the ensemble's rewards lie from those of the merged members by themselves.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import measure
import numpy as np
import real_data
from untrained import DECODER, ENCODER

NAME = "lora-ensemble-score-cost"
MODELS = {"minilm": ENCODER, "smollm2": DECODER}
OUT = measure.ROOT / "bench" / "results" / "families.json"
MAX_TOKENS = 512

Run = dict[str, Any]


def main() -> None:
    """Make members and texts, measure, print, write the row."""
    arguments = _arguments()
    if arguments.side:
        print(json.dumps(run_side(arguments)))
        return
    real_data.require_file(arguments.data)
    with tempfile.TemporaryDirectory() as name:
        texts = Path(name) / "texts.json"
        texts.write_text(json.dumps(_texts(arguments.data, arguments.pairs)), "utf-8")
        rows = [_measured(model, Path(name) / model, texts, arguments) for model in arguments.models]
    measure.show(rows)
    measure.write_rows(arguments.out, [worse(rows)])


def worse(rows: list[measure.Row]) -> measure.Row:
    """The row with the larger ratio, under the name of both."""
    return max(rows, key=lambda row: row["value"]) | {"name": NAME}


def run_side(arguments: argparse.Namespace) -> Run:
    """Seconds to score all texts, and what came out: the reward, or the standardised reward of each member."""
    from rewardsmith.core.conversation import from_dicts
    from rewardsmith.scoring.load import load_scorer

    conversations = [from_dicts(each) for each in json.loads(arguments.texts.read_text("utf-8"))]
    scorer = load_scorer(arguments.side, overlength="truncate", max_tokens=MAX_TOKENS)
    scorer.score([from_dicts([{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hi."}])])
    start = time.perf_counter()
    scores = scorer.score(conversations)
    seconds = time.perf_counter() - start
    found = scores.rewards[None] if scores.members is None else scores.members
    return {"seconds": seconds, "rewards": found.tolist(), "peak_mb": measure.peak_mb()}


def _measured(model: str, folder: Path, texts: Path, arguments: argparse.Namespace) -> measure.Row:
    """The row of one model: the ensemble's seconds over those of its first member."""
    members = write_members(MODELS[model], folder, count=arguments.members)
    sides = {"ensemble": folder / "ensemble", "one": members[0]}
    runs: dict[str, list[Run]] = {side: [] for side in sides}
    for repeat in range(arguments.repeats):
        for side, path in sides.items():
            run = _fresh(path, texts)
            runs[side].append(run)
            print(f"{model}, repeat {repeat + 1}, {side}: {run['seconds']:.2f} s, {run['peak_mb']} MB", flush=True)
    alone = np.array([runs["one"][0]["rewards"][0], *(_fresh(each, texts)["rewards"][0] for each in members[1:])])
    away = np.abs(np.array(runs["ensemble"][0]["rewards"]) - alone).max()
    spread = alone.std(axis=1).mean()
    print(f"{model}: largest distance from the merged members {away:.1e}; their standard deviation is {spread:.2f}")
    seconds = {side: [run["seconds"] for run in some] for side, some in runs.items()}
    unit = f"times the seconds of one model ({model}, {arguments.members} members, last quarter of the blocks)"
    return measure.ratio_row(f"{NAME}-{model}", seconds["ensemble"], seconds["one"], unit)


def _fresh(path: Path, texts: Path) -> Run:
    return measure.in_fresh_process(__file__, ["--side", path, "--texts", texts])


def write_members(base: str, folder: Path, *, count: int) -> list[Path]:
    """So many merged checkpoints with random adapters, and the ensemble of these in `ensemble/`, on their own scale."""
    import torch

    from rewardsmith.models import checkpoint
    from rewardsmith.models.builtin import resolve
    from rewardsmith.models.load import build
    from rewardsmith.models.settings import ModelSettings
    from rewardsmith.numerics.combination import Standard
    from rewardsmith.text.load import load_tokenizer
    from rewardsmith.training.adapters import adapter_model, write_adapter_ensemble

    members = [folder / f"member-{number}" for number in range(count)]
    tokenizer = load_tokenizer(resolve(base))
    for seed, member in enumerate(members):
        model = build(adapter_model(ModelSettings(base=base)), seed=seed)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.02, generator=generator)
        checkpoint.save(model, tokenizer, member, base=base, max_tokens=MAX_TOKENS)
    write_adapter_ensemble(members, folder / "ensemble", standard=Standard(np.zeros(count), np.ones(count)))
    return members


def _texts(data: Path, pairs: int) -> list[list[dict[str, str]]]:
    """Both responses of the first pairs, those of one prompt together."""
    from rewardsmith.core.conversation import to_dicts

    some = islice(real_data.preferences(data), pairs)
    return [to_dicts(each.conversation(number)) for each in some for number in range(len(each.responses))]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--data", type=Path, default=real_data.HARMLESS)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--side", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--texts", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
