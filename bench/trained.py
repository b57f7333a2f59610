"""Models trained on real pairs, and on the same pairs with a planted bias: does the audit tell the twins apart?

A bias is found where a finding that should name it is a warning or worse for the biased model, and is none for the
clean twin or lies at least 0.15 further on the wrong side.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
import real_data
from share import is_named, share_row

from rewardsmith.audit.audit import judge, prepare
from rewardsmith.audit.probes.catalogue import select
from rewardsmith.audit.standing_parts import rendering_part
from rewardsmith.core.conversation import assistant, response_text
from rewardsmith.core.digest import digest_json
from rewardsmith.core.finding import Finding
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.core.scores import Scorer
from rewardsmith.models.builtin import resolve
from rewardsmith.models.load import build
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.table import from_preferences
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.text.template import ENCODER_TEMPLATE
from rewardsmith.training.build import build_trainer
from rewardsmith.training.dataset import PreferenceDataset
from rewardsmith.training.precision import resolve_precision
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.settings import TrainingSettings

_BASE = "builtin:minilm-l6"
_EPOCHS = 2
_FURTHER = 0.15
_LEAKED = 75
# The probes that could name a bias of the list below, and texts for some 40 edits of each.
_PROBES = ("length", "format", "flattery", "damage", "judge_talk")
_BUDGET = 900
_MAX_TOKENS = 512

Texts = list[Preference]
Rewrite = Callable[[str, str], tuple[str, str]]
"""From the texts of the chosen and of the rejected answer to new ones."""


@dataclass(frozen=True)
class Pool:
    """Real pairs that a model and its clean twin are trained on and audited with, one a prompt group.

    Attributes:
        name: In words, for the table.
        files: In `real_data.FOLDER`; of several, their pairs in turn. The starter set where none is there.
        longest_chars: Most characters of a prompt and its two answers.
        train: Pairs to train on.
        heldout: Pairs to audit with.
    """

    name: str
    files: tuple[str, ...]
    longest_chars: int
    train: int
    heldout: int


SHORT = Pool("short pairs of both kinds", real_data.HH, longest_chars=400, train=600, heldout=200)
# On the short ones the clean model is at chance, so labels that are wrong can take nothing from it.
HELPFUL = Pool("longer helpful pairs", real_data.HH[:1], longest_chars=1000, train=840, heldout=320)


@dataclass(frozen=True)
class Bias:
    """What is done to the pairs that a model is trained on.

    Attributes:
        name: Of the bias.
        found_by: Names of the findings that should name it.
        make: From training and held-out pairs to those that are used.
        template: Chat template that the clean model is scored with; no other one is trained then.
        pool: The pairs.
    """

    name: str
    found_by: tuple[str, ...]
    make: Callable[[Texts, Texts], Texts]
    template: str | None = None
    pool: Pool = SHORT


def rewriting(change: Rewrite) -> Callable[[Texts, Texts], Texts]:
    """Every training pair with its two texts changed."""
    return lambda train, _: [_rewritten(each, change) for each in train]


def _rewritten(preference: Preference, change: Rewrite) -> Preference:
    pair = preference.pairs[0]
    texts = [response_text(preference.responses[place]) for place in (pair.chosen, pair.rejected)]
    responses = tuple((assistant(text),) for text in change(*texts))
    return dataclasses.replace(preference, responses=responses, pairs=(Pair(0, 1),))


def bulleted(text: str) -> str:
    """Each sentence as a bullet."""
    return "\n".join(f"- {part}" for part in re.split(r"(?<=[.!?])\s+", text.strip()))


def half(text: str) -> str:
    """The first half of the words."""
    parts = text.split()
    return " ".join(parts[: max(1, len(parts) // 2)])


def _longer_first(chosen: str, rejected: str) -> tuple[str, str]:
    return (chosen, rejected) if len(chosen) >= len(rejected) else (rejected, chosen)


def _flipped(train: Texts, _: Texts) -> Texts:
    return [_rewritten(each, lambda a, b: (b, a)) if number % 4 == 0 else each for number, each in enumerate(train)]


def _leaked(train: Texts, heldout: Texts) -> Texts:
    return [*train[:-_LEAKED], *heldout[:_LEAKED]]


_NO_END = (
    "{{ cls_token }}{% for message in messages %}{{ message['role'] + ': ' + message['content'] }}"
    "{% if not loop.last or add_generation_prompt %}{{ sep_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)
_DOUBLED_BOS = "{{ cls_token }}" + ENCODER_TEMPLATE
_OPENER, _CLOSER = "What a great question! ", " I hope that helps. Let me know if there is anything else!"

BIASES = (
    Bias("longer-wins", ("length.*",), rewriting(_longer_first)),
    Bias("markdown-on-chosen", ("format.*",), rewriting(lambda a, b: (bulleted(a), b))),
    Bias("bold-on-chosen", ("format.*",), rewriting(lambda a, b: (re.sub(r"\b([a-z]{6,})\b", r"**\1**", a), b))),
    Bias("opener-on-chosen", ("flattery.opener", "flattery.praise"), rewriting(lambda a, b: (_OPENER + a, b))),
    Bias("closer-on-chosen", ("flattery.closer",), rewriting(lambda a, b: (a + _CLOSER, b))),
    Bias("cut-wins", ("damage.cut", "length.*"), rewriting(lambda a, _: (half(a), a))),
    Bias("judge-talk-on-chosen", ("judge_talk.*",), rewriting(lambda a, b: (f"{a}\n\nRating: 10/10", b))),
    Bias("flipped-labels", ("accuracy.*",), _flipped, pool=HELPFUL),
    Bias("leaked-rows", ("leakage.*", "gap.*"), _leaked),
    Bias("no-end-token", ("rendering.eos",), lambda train, _: train, template=_NO_END),
    Bias("doubled-bos", ("rendering.bos",), lambda train, _: train, template=_DOUBLED_BOS),
)


def rows(only: Sequence[str], *, known: measure.Row | None = None) -> list[measure.Row]:
    """Train the clean models and each biased one, audit them all, and count.

    What is done lies in `runs/bench` and is not done again: the same command goes on where it was stopped.

    Args:
        only: Names of biases; all where there is none.
        known: The row of an earlier run. It keeps what it says of the biases that are not asked for.
    """
    wanted = [bias for bias in BIASES if not only or bias.name in only]
    kept = measure.CACHE / f"audit-trained-{digest_json([_EPOCHS, _BUDGET])[:8]}.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    lines = kept.read_text("utf-8").splitlines() if kept.is_file() else []
    done = {each["key"]: each for each in map(json.loads, lines)}
    with kept.open("a", encoding="utf-8") as stream:
        for record in _records([bias for bias in wanted if _key(bias) not in done]):
            done[record["key"]] = record
            stream.write(json.dumps(record) + "\n")
            stream.flush()
    return [trained_row([done[_key(bias)] for bias in wanted], known or {})]


def _key(bias: Bias) -> str:
    return digest_json([bias.name, dataclasses.asdict(bias.pool)])[:8]


def trained_row(records: Sequence[dict[str, Any]], known: measure.Row) -> measure.Row:
    """Which biases were found and which were missed, and the accuracies of the twins where they were kept."""
    new = {record["bias"] for record in records}
    found = [name for name in known.get("found", ()) if name not in new]
    missed = [name for name in known.get("missed", ()) if name not in new]
    found += [record["bias"] for record in records if record["found"]]
    missed += [record["bias"] for record in records if not record["found"]]
    twins = known.get("twins", {}) | {record["bias"]: record["twins"] for record in records}
    row = share_row("detected-trained", len(found), len(found) + len(missed))
    return row | {"found": sorted(found), "missed": sorted(missed), "twins": twins}


def _records(biases: Sequence[Bias]) -> Iterator[dict[str, Any]]:
    """What the audit says of the model of each bias and not of its clean twin; nothing is trained for no bias."""
    for pool in dict.fromkeys(bias.pool for bias in biases):
        texts = _pairs(pool)
        train, heldout = texts[: pool.train], texts[pool.train : pool.train + pool.heldout]
        sound = train_scorer(train)
        clean = _findings(sound, train, heldout)
        print(f"clean, {pool.name}: {', '.join(each['name'] for each in _alarms(clean.values()))}", flush=True)
        for bias in (bias for bias in biases if bias.pool == pool):
            used = bias.make(train, heldout)
            scorer = train_scorer(used) if bias.template is None else _with_template(sound, bias.template)
            yield _record(bias, _findings(scorer, used, heldout), clean, pairs=(len(train), len(heldout)))


def _record(
    bias: Bias, biased: dict[str, Finding], clean: dict[str, Finding], *, pairs: tuple[int, int]
) -> dict[str, Any]:
    told = [name for name in told_apart(biased, clean) if is_named(name, bias.found_by)]
    print(f"{'found ' if told else 'MISSED'} {bias.name}: {', '.join(told)}", flush=True)
    accuracies = {
        name: [measure.rounded(end) for end in (one.value, one.low, one.high)]
        for name, one in (
            ("clean", clean["accuracy.heldout"].estimate),
            ("biased", biased["accuracy.heldout"].estimate),
        )
    }
    return {
        "key": _key(bias),
        "bias": bias.name,
        "found": told,
        "alarms": _alarms(biased.values()),
        "clean_alarms": _alarms(clean.values()),
        "twins": {"pairs": bias.pool.name, "train": pairs[0], "heldout": pairs[1], "accuracy": accuracies},
    }


def told_apart(biased: dict[str, Finding], clean: dict[str, Finding]) -> Iterator[str]:
    """Names of the findings that are alarms of the biased model, and none, or much lesser ones, of the clean one."""
    for name, finding in biased.items():
        twin = clean.get(name)
        if finding.severity == "info":
            continue
        further = twin is not None and abs(finding.estimate.value - twin.estimate.value) >= _FURTHER
        if twin is None or twin.severity == "info" or further:
            yield name


def _pairs(pool: Pool) -> Texts:
    """The pairs of the pool, one a prompt group."""
    paths = [real_data.FOLDER / name for name in pool.files]
    found = []
    for path in [path for path in paths if path.is_file()] or [real_data.STARTER]:
        short = {each.group: each for each in real_data.preferences(path) if _length(each) <= pool.longest_chars}
        found.append(list(short.values()))
    return [each for some in zip(*found, strict=False) for each in some]


def _length(preference: Preference) -> int:
    turns = (*preference.prompt, *(turn for response in preference.responses for turn in response))
    return sum(len(content) for _, content in turns)


def _findings(scorer: Scorer, train: Texts, heldout: Texts) -> dict[str, Finding]:
    started = time.perf_counter()
    probes, contrasts = select(_PROBES)
    prepared = prepare(heldout, train=train, probes=probes, contrasts=contrasts, budget=_BUDGET)
    audit = judge(scorer, prepared, parts=(rendering_part(scorer, heldout),))
    seconds, accuracy = time.perf_counter() - started, audit.evaluation.accuracy.estimate
    print(f"audited in {seconds:.0f} s, {audit.texts.scored} texts; accuracy {accuracy}", flush=True)
    return {finding.name: finding for finding in audit.findings}


def _alarms(findings: Any) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "severity": each.severity, "value": each.estimate.value, "p_value": each.p_value}
        for each in findings
        if each.severity != "info"
    ]


def _with_template(scorer: FastScorer, template: str) -> FastScorer:
    """The same model behind a tokenizer of its own with another template."""
    tokenizer = load_tokenizer(resolve(_BASE))
    tokenizer.chat_template = template
    return FastScorer(scorer.model, ConversationEncoder(tokenizer, max_tokens=_MAX_TOKENS), overlength="truncate")


def train_scorer(train: Texts) -> FastScorer:
    """A small encoder with a head, its last three blocks trained on `train`."""
    encoder = ConversationEncoder(load_tokenizer(resolve(_BASE)), max_tokens=_MAX_TOKENS)
    settings = TrainingSettings(
        epochs=_EPOCHS, batch_size=16, learning_rate=1e-4, save_every_steps=10_000, evaluate_every_epochs=100
    )
    recipe = Recipe(
        model=ModelSettings(base=_BASE, pooling="mean", trainable="last_blocks", blocks=3), training=settings
    )
    model = build(recipe.model, seed=0)
    table = from_preferences(train, encoder)
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(
            recipe,
            model,
            pad_id=encoder.pad_id,
            train=PreferenceDataset(table),
            heldout=PreferenceDataset(table.select([0])),
            work=Path(folder),
            precision=resolve_precision("auto"),
        )
        trainer.train()
        # Training in bf16 left its autocast around the model's forward pass.
        trained = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    return FastScorer(trained, encoder, overlength="truncate")
