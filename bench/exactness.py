"""How far the fast ways lie from the plain ones, on real preferences: gradients of training, scores.

    python bench/exactness.py [--pairs 8] [--conversations 64] [--data FILE] [--out bench/results/speed.json]

SmolLM2 (a decoder) and MiniLM (an encoder) under a new head; human pairs (HH harmless) of at most 256 tokens. Written
down, each the worse of the two models:

- `gradient-relative-error`: ‖g − g'‖ / ‖g'‖ over all weights, float32. g' is the gradient of the mean of
  −log σ(r⁺ − r⁻) through plain transformers, one response at a time; g is that of a whole optimiser step of
  rewardsmith, packed, prompts shared, cut into micro-batches of several sizes.
- `gradient-relative-error-bf16`: likewise with g in bf16 autocast and g' still in float32; `peer` is plain transformers
  in bf16 autocast.
- `score-error`: largest distance from the reference scorer (one conversation at a time, float32), over several orders
  and token budgets of the fast scorer, and padded batches with either padding side and the pad id or the end's.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import measure
import real_data
import torch
from untrained import DECODER, ENCODER, save_untrained

from rewardsmith.batching import buckets
from rewardsmith.batching.collate import pad
from rewardsmith.core.conversation import Conversation
from rewardsmith.models.load import load_checkpoint
from rewardsmith.preferences.table import PreferenceTable
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.reference import ReferenceScorer
from rewardsmith.text.encoder import ConversationEncoder

MODELS = {"SmolLM2": DECODER, "MiniLM": ENCODER}
MAX_TOKENS = 256
STEP_BUDGETS = (256, 2048)
SCORE_BUDGETS = (300, 1000, 4096)

Gradient = dict[str, torch.Tensor]


def main() -> None:
    """Measure both models, print, write the rows."""
    arguments = _arguments()
    float32, bf16, plain_bf16, scores = [], [], [], []
    for name in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = save_untrained(MODELS[name], Path(folder) / "model")
            table = _table(checkpoint, arguments)
            errors = gradient_errors(checkpoint, table.select(range(arguments.pairs)), work=Path(folder) / "work")
            score_errors = list(_score_errors(checkpoint, table, arguments.conversations))
        print(f"{name}: gradients {errors}; scores {score_errors}", flush=True)
        float32.append(max(errors["float32"]))
        bf16.append(max(errors["bf16"]))
        plain_bf16.extend(errors["plain bf16"])
        scores.append(max(score_errors))
    of = f"the worst of {', '.join(arguments.models)}"
    rows = [
        _worst("gradient-relative-error", float32, f"relative, float32; {of}"),
        _worst("gradient-relative-error-bf16", bf16, f"relative, bf16 against float32; {of}", peer=max(plain_bf16)),
        _worst("score-error", scores, f"of a reward, at least of 1, float32; {of}"),
    ]
    measure.show(rows)
    measure.write_rows(Path(arguments.out), rows)


# ---- gradients ----


def gradient_errors(checkpoint: Path, table: PreferenceTable, *, work: Path) -> dict[str, list[float]]:
    """Relative errors of each way to get the gradient of one step over all of `table`."""
    exact = plain_gradient(checkpoint, table, bf16=False)
    ways: dict[str, list[float]] = {"plain bf16": [relative_error(plain_gradient(checkpoint, table, bf16=True), exact)]}
    for precision in ("float32", "bf16"):
        fast = (step_gradient(checkpoint, table, precision, budget, work=work) for budget in STEP_BUDGETS)
        ways[precision] = [relative_error(each, exact) for each in fast]
    return ways


def plain_gradient(checkpoint: Path, table: PreferenceTable, *, bf16: bool) -> Gradient:
    """The gradient of the mean Bradley–Terry loss by plain transformers, pair by pair."""
    from transformers import AutoModelForSequenceClassification

    network: Any = AutoModelForSequenceClassification.from_pretrained(checkpoint, dtype=torch.float32).eval()
    for index in range(len(table)):
        row = table.encoded(index)
        chosen, rejected = (
            torch.tensor([[*row.prefix.tolist(), *row.tails[number].tolist()]])
            for number in (row.pairs[0].chosen, row.pairs[0].rejected)
        )
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            # One mask of ones: BERT's own default, and what tells Llama that nothing is padding.
            first, second = (network(ids, attention_mask=torch.ones_like(ids)).logits for ids in (chosen, rejected))
        loss = -torch.nn.functional.logsigmoid(first.float() - second.float()).sum() / len(table)
        loss.backward()
    return _gradient(network)


def step_gradient(checkpoint: Path, table: PreferenceTable, precision: Any, budget: int, *, work: Path) -> Gradient:
    """The gradient of one optimiser step of rewardsmith over all of `table`, before any weight moves."""
    from rewardsmith.training.build import build_trainer
    from rewardsmith.training.dataset import PreferenceDataset
    from rewardsmith.training.recipe import Recipe
    from rewardsmith.training.settings import TrainingSettings

    loaded = load_checkpoint(checkpoint)
    data = PreferenceDataset(table)
    trainer = build_trainer(
        Recipe(training=TrainingSettings(batch_size=len(table), token_budget=budget)),
        loaded.model,
        pad_id=ConversationEncoder(loaded.tokenizer).pad_id,
        train=data,
        heldout=data,
        work=work,
        precision=precision,
    )
    steps, weight = trainer.get_batch_samples(iter(trainer.get_train_dataloader()), 1, torch.device("cpu"))
    trainer.training_step(loaded.model, steps[0], weight)
    return _gradient(loaded.model.network)


def relative_error(found: Gradient, exact: Gradient) -> float:
    """‖found − exact‖ / ‖exact‖ over all weights together.

    Raises:
        SystemExit: They are not gradients of the same weights.
    """
    if found.keys() != exact.keys():
        raise SystemExit(f"gradients of other weights: {sorted(found.keys() ^ exact.keys())[:5]}")
    distance = sum((found[name] - exact[name]).double().square().sum().item() for name in exact)
    size = sum(each.double().square().sum().item() for each in exact.values())
    return float((distance / size) ** 0.5)


def _gradient(network: torch.nn.Module) -> Gradient:
    return {name: each.grad for name, each in network.named_parameters() if each.grad is not None}


# ---- scores ----


def _score_errors(checkpoint: Path, table: PreferenceTable, count: int) -> Iterator[float]:
    """Largest errors against the reference scorer, one for each way to score."""
    loaded = load_checkpoint(checkpoint)
    encoder = ConversationEncoder(loaded.tokenizer)
    conversations = [each.conversation(number) for each in table for number in range(len(each.responses))][:count]
    exact = torch.tensor(
        ReferenceScorer(loaded.model, encoder, model_digest=loaded.digest).score(conversations).rewards
    )
    # Padded batches first: the fast scorer changes the model's attention.
    for rewards in _padded_rewards(loaded.model, encoder, conversations):
        yield _worst_error(rewards, exact)
    for seed, budget in enumerate(SCORE_BUDGETS):
        order = random.Random(seed).sample(range(len(conversations)), len(conversations))
        # A new scorer each time, since it remembers scores.
        scorer = FastScorer(loaded.model, encoder, token_budget=budget, model_digest=loaded.digest)
        rewards = torch.tensor(scorer.score([conversations[number] for number in order]).rewards)
        yield _worst_error(rewards, exact[order])


def _worst_error(rewards: torch.Tensor, exact: torch.Tensor) -> float:
    """Of a reward, or of one of size 1 where it is smaller: rounding grows with what is rounded."""
    return ((rewards - exact).abs() / exact.abs().clamp(min=1.0)).max().item()


def _padded_rewards(model: Any, encoder: ConversationEncoder, some: Sequence[Conversation]) -> Iterator[torch.Tensor]:
    """Rewards of padded batches, with either side and with the pad's id or that of the end."""
    sequences = encoder.encode(some)
    end_id = int(sequences[0][-1])
    batches = buckets.plan([len(ids) for ids in sequences], max_tokens=SCORE_BUDGETS[-1])
    for side in ("left", "right"):
        for pad_id in (encoder.pad_id, end_id):
            rewards = torch.empty(len(sequences))
            for batch in batches:
                padded = pad([sequences[number] for number in batch], pad_id=pad_id, side=side)
                with torch.inference_mode():
                    ids, mask = torch.from_numpy(padded.input_ids), torch.from_numpy(padded.attention_mask)
                    rewards[batch] = model(ids, mask)
            yield rewards


# ---- both ----


def _table(checkpoint: Path, arguments: argparse.Namespace) -> PreferenceTable:
    """Enough pairs for either measurement."""
    encoder = ConversationEncoder(load_checkpoint(checkpoint).tokenizer)
    count = max(arguments.pairs, -(-arguments.conversations // 2))
    found = real_data.preferences(real_data.or_starter(arguments.data))
    return real_data.table_of(found, encoder, count=count, responses=2, most_tokens=MAX_TOKENS)


def _worst(name: str, values: Sequence[float], unit: str, *, peer: float | None = None) -> measure.Row:
    """The worst of the models; `low` is the better one's."""
    row = measure.row(name, max(values), values, unit)
    return row | {"ours": row["value"], "peer": None if peer is None else measure.rounded(peer)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--pairs", type=int, default=8, help="in the optimiser step")
    parser.add_argument("--conversations", type=int, default=64, help="to score")
    parser.add_argument("--data", default=str(real_data.HARMLESS), help="the built-in set where absent")
    parser.add_argument("--out", default=str(measure.OUT))
    return parser.parse_args()


if __name__ == "__main__":
    main()
