"""Training speed: rewardsmith against TRL's RewardTrainer at its best setting, on the same pairs and the same model.

    python bench/train.py decoder|encoder [--pairs 48] [--repeats 3] [--data FILE] [--out bench/results/speed.json]

Both sides train all weights with AdamW, 16 pairs an optimiser step, at most 512 tokens, each run in a fresh process
with both cores. TRL's setting is chosen by a pilot first: precision, gradient checkpointing and batch size. What is
timed is the optimiser steps after the first one, by the clock, data loading included; peak memory is the process's,
interpreter and torch included. Written down:

- `train-*-pairs`: ratio of the median pairs per second, with the lowest and the highest ratio of the repeats.
- `train-decoder-memory`: ratio of peak memory, ours over TRL's.
- `train-decoder-flops-share`: 6 × parameters without embeddings × distinct tokens per second (each prompt once), over
  the bf16 rate of this processor: the best of some matrix products of the model's shapes, measured in the same run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from transformers import TrainerCallback

ROOT = Path(__file__).parents[1]
BASES = {"decoder": "builtin:smollm2-135m-instruct", "encoder": "builtin:minilm-l6"}
STEP_PAIRS = 16
MAX_TOKENS = 512
Run = dict[str, float]


class Clock(TrainerCallback):
    """Notes when each optimiser step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """A step ended."""
        self.ends.append(time.perf_counter())

    def seconds(self) -> float:
        """From the end of the first step to that of the last one."""
        return self.ends[-1] - self.ends[0]


def main() -> None:
    """Pilot, then both sides in turn, then the table and the file."""
    arguments = _arguments()
    if arguments.side:
        print(json.dumps(run_side(arguments)))
        return
    best = _pilot(arguments)
    runs: dict[str, list[Run]] = {"rewardsmith": [], "trl": []}
    for repeat in range(arguments.repeats):
        for side in runs:
            runs[side].append(_in_fresh_process(arguments, side, best if side == "trl" else {}))
            print(f"repeat {repeat + 1}, {side}: {runs[side][-1]}", flush=True)
    rows = results(arguments.kind, runs, best)
    for row in rows:
        print(f"{row['name']}: {row['value']} [{row['low']}, {row['high']}] (ours {row['ours']}, TRL {row['peer']})")
    write_rows(Path(arguments.out), rows)


def results(kind: str, runs: dict[str, list[Run]], best: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows for `speed.json`."""
    ours, theirs = runs["rewardsmith"], runs["trl"]
    peer = "TRL 1.16, " + ", ".join(f"{key}={value}" for key, value in best.items())
    rows = [_ratio_row(f"train-{kind}-pairs", "pairs_per_s", ours, theirs, peer)]
    if kind == "decoder":
        rows.append(_ratio_row("train-decoder-memory", "peak_mb", ours, theirs, peer))
        shares = [run["flops_share"] for run in ours]
        middle = round(statistics.median(shares), 3)
        rows.append(
            _row("train-decoder-flops-share", shares, middle, len(shares), "share of the bf16 matrix rate")
            | {"ours": middle, "peer": round(statistics.median(run["flops_share"] for run in theirs), 3)}
        )
    return rows


def write_rows(out: Path, rows: list[dict[str, Any]]) -> None:
    """Put `rows` into the list in `out`, in the place of older ones of the same name."""
    names = {row["name"] for row in rows}
    known = json.loads(out.read_text("utf-8")) if out.is_file() else []
    kept = [row for row in known if row["name"] not in names]
    out.write_text(json.dumps(kept + rows, indent=1) + "\n", encoding="utf-8")


def run_side(arguments: argparse.Namespace) -> Run:
    """One side's run: seconds, pairs and tokens of the steps after the first one."""
    from rewardsmith.core.preference import Preference
    from rewardsmith.models.builtin import resolve
    from rewardsmith.preferences.reading import Reader
    from rewardsmith.preferences.settings import DataSettings, SourceSettings
    from rewardsmith.preferences.table import from_preferences
    from rewardsmith.text.encoder import ConversationEncoder
    from rewardsmith.text.load import load_tokenizer

    path = arguments.data if Path(arguments.data).is_file() else "builtin:starter"
    found = (judged.outcome for judged in Reader(DataSettings(sources=(SourceSettings(path=path),))))
    encoder = ConversationEncoder(load_tokenizer(resolve(BASES[arguments.kind])), max_tokens=MAX_TOKENS)
    pairs = (each for each in found if isinstance(each, Preference) and len(each.responses) == 2)
    fitting = (each for each in pairs if int(from_preferences([each], encoder).longest[0]) <= MAX_TOKENS)
    some = list(itertools.islice(fitting, arguments.pairs))
    table = from_preferences(some, encoder)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        train = _rewardsmith if arguments.side == "rewardsmith" else _trl
        parameters = train(arguments, Path(folder), table, encoder, clock)
    timed = arguments.pairs - STEP_PAIRS
    seconds = clock.seconds()
    # Both sides see the pairs in some order of their own; the work is the same over all of them.
    tokens = float(table.lengths.sum()) * timed / arguments.pairs
    flops = 6 * parameters * tokens / seconds
    return {
        "pairs_per_s": round(timed / seconds, 3),
        "distinct_tokens_per_s": round(tokens / seconds, 1),
        "flops_share": round(flops / _matrix_rate(), 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _rewardsmith(arguments: argparse.Namespace, folder: Path, table: Any, encoder: Any, clock: Clock) -> int:
    from rewardsmith.models.load import build
    from rewardsmith.models.settings import ModelSettings
    from rewardsmith.training.build import build_trainer
    from rewardsmith.training.dataset import PreferenceDataset
    from rewardsmith.training.precision import resolve_precision
    from rewardsmith.training.recipe import Recipe
    from rewardsmith.training.settings import TrainingSettings

    settings = TrainingSettings(batch_size=STEP_PAIRS, save_every_steps=10_000, evaluate_every_epochs=100)
    recipe = Recipe(model=ModelSettings(base=BASES[arguments.kind]), training=settings)
    model = build(recipe.model, seed=0)
    data = PreferenceDataset(table)
    # Saved once at the end by the Trainer, after the last step was timed.
    trainer = build_trainer(
        recipe,
        model,
        pad_id=encoder.pad_id,
        train=data,
        heldout=PreferenceDataset(table.select([0])),
        work=folder,
        precision=resolve_precision("auto"),
    )
    trainer.add_callback(clock)
    trainer.train()
    return _parameters(model.network)


def _trl(arguments: argparse.Namespace, folder: Path, table: Any, encoder: Any, clock: Clock) -> int:
    import datasets
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification
    from trl.trainer.reward_config import RewardConfig
    from trl.trainer.reward_trainer import RewardTrainer

    from rewardsmith.core.conversation import to_dicts
    from rewardsmith.models.builtin import resolve

    setting = json.loads(arguments.setting)
    base = resolve(BASES[arguments.kind])
    config = AutoConfig.from_pretrained(base, num_labels=1, pad_token_id=encoder.pad_id)
    model = AutoModelForSequenceClassification.from_pretrained(base, config=config, dtype=torch.float32)
    rows = [
        {
            "prompt": to_dicts(each.prompt),
            "chosen": to_dicts(each.responses[each.pairs[0].chosen]),
            "rejected": to_dicts(each.responses[each.pairs[0].rejected]),
        }
        for each in table
    ]
    known: Any = RewardConfig
    trainer = cast(Any, RewardTrainer)(
        model=model,
        processing_class=encoder.tokenizer,
        train_dataset=datasets.Dataset.from_list(rows),
        args=known(
            output_dir=str(folder),
            per_device_train_batch_size=setting["batch"],
            gradient_accumulation_steps=STEP_PAIRS // setting["batch"],
            gradient_checkpointing=setting["checkpointing"],
            bf16=setting["bf16"],
            num_train_epochs=1,
            max_length=MAX_TOKENS,
            save_strategy="no",
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
        ),
        callbacks=[clock],
    )
    trainer.train()
    return _parameters(model)


def _parameters(network: Any) -> int:
    """Parameters that tokens are multiplied with: all but the embeddings."""
    return sum(value.numel() for name, value in network.named_parameters() if "embed" not in name)


def _matrix_rate() -> float:
    """The best bf16 multiply-add rate of this processor, in floating-point operations per second."""
    import torch

    rates = []
    for rows, inner, columns in ((1024, 576, 1536), (1024, 1536, 576), (2048, 1536, 576), (2048, 2048, 2048)):
        a, b = torch.randn(rows, inner, dtype=torch.bfloat16), torch.randn(columns, inner, dtype=torch.bfloat16)
        seconds = []
        for _ in range(10):
            start = time.perf_counter()
            torch.nn.functional.linear(a, b)
            seconds.append(time.perf_counter() - start)
        rates.append(2 * rows * inner * columns / min(seconds))
    return max(rates)


def _pilot(arguments: argparse.Namespace) -> dict[str, Any]:
    """TRL's fastest setting over two steps of which one is timed; combinations that cannot win are left out.

    Float32 and checkpointing are each tried against the plain setting, batches of 8 and 16 with it.
    """
    settings = [
        {"bf16": True, "checkpointing": False, "batch": 8},
        {"bf16": True, "checkpointing": False, "batch": 16},
        {"bf16": True, "checkpointing": True, "batch": 8},
        {"bf16": False, "checkpointing": False, "batch": 8},
    ]
    pilot = argparse.Namespace(**vars(arguments) | {"pairs": 2 * STEP_PAIRS})
    speeds = []
    for setting in settings:
        run = _in_fresh_process(pilot, "trl", setting)
        speeds.append(run["pairs_per_s"])
        print(f"pilot {setting}: {run}", flush=True)
    return settings[speeds.index(max(speeds))]


def _in_fresh_process(arguments: argparse.Namespace, side: str, setting: dict[str, Any]) -> Run:
    command = [sys.executable, __file__, arguments.kind, "--side", side, "--setting", json.dumps(setting)]
    command += ["--pairs", str(arguments.pairs), "--data", arguments.data]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _ratio_row(name: str, key: str, ours: list[Run], theirs: list[Run], peer: str) -> dict[str, Any]:
    own, other = statistics.median(run[key] for run in ours), statistics.median(run[key] for run in theirs)
    ratios = [one[key] / two[key] for one, two in zip(ours, theirs, strict=True)]
    unit = f"times, {key} ({peer})"
    return _row(name, ratios, round(own / other, 2), len(ratios), unit) | {"ours": own, "peer": other}


def _row(name: str, values: list[float], value: float, n: int, unit: str) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "low": round(min(values), 3),
        "high": round(max(values), 3),
        "n": n,
        "unit": unit,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(BASES))
    parser.add_argument("--pairs", type=int, default=3 * STEP_PAIRS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", default=str(ROOT.parent / "shared/data/hh-rlhf-harmless-test-pairs.jsonl.gz"))
    parser.add_argument("--out", default=str(ROOT / "bench/results/speed.json"))
    parser.add_argument("--side", choices=["rewardsmith", "trl"], help=argparse.SUPPRESS)
    parser.add_argument("--setting", default="{}", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
