"""What do sampling, margins, smoothing, made pairs, and the two ways against length change, on real pairs?

Heads of two layers on frozen MiniLM features, trained by the real trainer on HH helpful (people's judgements) and on
answers of many models to AlpacaEval prompts (GPT-4's ratings; model against model). Each refinement stands against the
plain loss on the same held-out pairs, means over five seeds; intervals resample prompt groups. The variants against
length go through `rewardsmith audit` too.

    python experiments/refinements.py            # about 11 minutes on one core, of which features take 5, once
    python experiments/refinements.py --quick    # two minutes: does it run?
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from refinements_report import SEEDS, print_tables, refinement_rows, write_figure
from study import RUNS, Study, frozen_features, require_data, write_rows
from transformers import TrainerCallback

from rewardsmith.audit.audit import run_audit
from rewardsmith.audit.observations import Rewards, distinct_conversations, observe
from rewardsmith.audit.probes.catalogue import select
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.core.store import is_current
from rewardsmith.losses.objective import Objective
from rewardsmith.losses.settings import LossSettings
from rewardsmith.models.builtin import resolve
from rewardsmith.models.load import build
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.prepare import expected_parents, prepare
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.store import KIND, load_table
from rewardsmith.preferences.table import PreferenceTable, from_preferences
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.arguments import training_arguments
from rewardsmith.training.build import hard_sampling
from rewardsmith.training.collator import FeatureCollator
from rewardsmith.training.dataset import FeatureDataset
from rewardsmith.training.schedule import Cut
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.trainer import RewardTrainer

BASE = "builtin:minilm-l6"
MODEL = ModelSettings(base=BASE, pooling="mean", head="mlp", mlp_width=64, trainable="head")
TRAINING = TrainingSettings(epochs=6, learning_rate=1e-3, precision="float32", evaluate_every_epochs=99)
AUDITED = ("plain", "balanced", "penalty 0.3", "penalty 3", "balanced + penalty 3", "cut answers", "other answers")
PROBES = ("length", "damage.cut", "damage.other_prompt", "refusal")
AUDIT_BUDGET = 700


@dataclass(frozen=True, slots=True)
class Variant:
    """What differs from the plain training.

    Attributes:
        flipped: Share of the training labels that are the wrong way round.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    loss: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    flipped: float = 0.0


NOISY: dict[str, Variant] = {
    f"{name}, 25% flipped": dataclasses.replace(variant, flipped=0.25)
    for name, variant in {
        "plain": Variant(),
        "smoothing 0.1": Variant(loss={"label_smoothing": 0.1}),
        "smoothing 0.25": Variant(loss={"label_smoothing": 0.25}),
        "hard": Variant(training={"sampling": "hard", "sampling_temperature": 0.5}),
    }.items()
}
VARIANTS: dict[str, Variant] = {
    "plain": Variant(),
    "hard": Variant(training={"sampling": "hard", "sampling_temperature": 0.5}),
    "margin 0 to 1": Variant(loss={"margin": 0.0, "margin_final": 1.0}),
    "margin 1 to 0": Variant(loss={"margin": 1.0, "margin_final": 0.0}),
    "smoothing 0.1": Variant(loss={"label_smoothing": 0.1}),
    "smoothing 0.25": Variant(loss={"label_smoothing": 0.25}),
    "other answers": Variant(data={"augment_other_answers": 0.3}),
    "cut answers": Variant(data={"augment_cut_answers": 0.3}),
    "balanced": Variant(data={"balance_length": True}),
    "penalty 0.3": Variant(loss={"length_decorrelation": 0.3}),
    "penalty 3": Variant(loss={"length_decorrelation": 3.0}),
    "balanced + penalty 3": Variant(data={"balance_length": True}, loss={"length_decorrelation": 3.0}),
    **NOISY,
}
DATA: dict[str, dict[str, Any]] = {
    "hh-helpful": {
        "sources": (SourceSettings(path="hh-rlhf-helpful-test-pairs.jsonl.gz"),),
        "max_tokens": 320,
        "limit": 1000,
    },
    "alpaca": {
        "sources": (
            SourceSettings(
                path="alpaca-eval-responses.jsonl.gz",
                rating="alpaca_eval_gpt4:vs_text_davinci_003",
                min_rating_gap=0.3,
                max_responses=4,
            ),
        ),
        "max_tokens": 384,
        "limit": 300,
    },
}


def main() -> None:
    """Run, or go on; print the tables; write rows and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few pairs, one seed, HH only; nothing is written")
    quick = parser.parse_args().quick
    study = Study("refinements-quick" if quick else "refinements")
    limits = {"hh-helpful": 120} if quick else {name: settings["limit"] for name, settings in DATA.items()}
    benches = {name: Bench(name, limit=limit) for name, limit in limits.items()}
    rows = {name: bench.rows for name, bench in benches.items()}
    runs = {name: trainings(study, bench, seeds=1 if quick else SEEDS) for name, bench in benches.items()}
    audits = {name: audited(study, bench) for name, bench in benches.items()}
    print_tables(rows, runs, audits)
    print(f"runs took {study.seconds:.0f} s")
    if not quick:
        write_rows(refinement_rows(rows, runs))
        write_figure(rows, runs)


def trainings(study: Study, bench: Bench, *, seeds: int) -> dict[str, list[dict[str, Any]]]:
    """The held-out Δ of every variant, one result a seed."""
    return {
        variant: [
            study.run(
                {**bench.name, "variant": variant, "seed": seed},
                lambda variant=variant, seed=seed: bench.run(variant, seed=seed),
            )
            for seed in range(seeds)
        ]
        for variant in VARIANTS
    }


def audited(study: Study, bench: Bench) -> dict[str, dict[str, Any]]:
    """What the audit finds of each variant that changes what length or a made pair teaches."""
    return {
        variant: study.run({**bench.name, "audit": variant}, lambda variant=variant: bench.audit(variant))
        for variant in AUDITED
    }


class Bench:
    """One data set: its tables, its features, and trainings on them.

    Attributes:
        name: Data set and size, as runs are named.
        rows: The held-out pairs, with rewards of 0.
    """

    def __init__(self, name: str, *, limit: int) -> None:
        self.name: dict[str, Any] = {"data": name, "limit": limit}
        self._settings = _data_settings(name, limit)
        self._encoder = ConversationEncoder(load_tokenizer(resolve(BASE)), max_tokens=self._settings.max_tokens)
        self._heldout = self._table({}, "heldout")
        self._preferences = list(self._heldout)
        self._known: dict[Conversation, np.ndarray] = {}
        tables = [self._table(data, "train") for data in ({}, *({key: share} for key, share in _augmented()))]
        self._learn(distinct_conversations([*self._heldout, *(each for table in tables for each in table)]))
        train = np.stack([self._known[text] for text in distinct_conversations(tables[0])])
        # A feature that never varies says nothing.
        self._scale = train.mean(axis=0), np.where(train.std(axis=0) > 0, train.std(axis=0), 1.0)
        nothing = dict.fromkeys(distinct_conversations(self._heldout), 0.0)
        self.rows = observe(self._preferences, Rewards(nothing, Provenance("", "")))

    def run(self, variant: str, *, seed: int) -> dict[str, Any]:
        """The held-out Δ after each epoch."""
        model = self._model(seed)
        epochs = _EpochDeltas(lambda: self._deltas(model))
        self._train(variant, model, seed=seed, callback=epochs)
        return {"epochs": [np.round(each, 4).tolist() for each in epochs.deltas]}

    def audit(self, variant: str) -> dict[str, Any]:
        """What the audit finds of the model of the first seed."""
        model = self._model(0)
        self._train(variant, model, seed=0)
        found = run_audit(
            _FrozenScorer(self, model), self._preferences, probes=select(PROBES)[0], contrasts=(), budget=AUDIT_BUDGET
        )
        wanted = [finding for finding in found.findings if finding.name.startswith("length.")]
        shifts = {each.probe: [each.shift.value, each.shift.low, each.shift.high] for each in found.probes}
        return {
            "findings": {each.name: [each.estimate.value, each.severity] for each in wanted},
            "shifts": shifts,
        }

    def rewards(self, model: RewardModel, conversations: Sequence[Conversation]) -> np.ndarray:
        """Of texts, whose features are computed where they are not known yet."""
        self._learn(conversations)
        with torch.inference_mode():
            return model(states=torch.from_numpy(self._states(conversations))).numpy()

    def _train(self, variant: str, model: RewardModel, *, seed: int, callback: TrainerCallback | None = None) -> None:
        chosen = VARIANTS[variant]
        table = self._table(chosen.data, "train")
        if chosen.flipped:
            table = from_preferences(_flipped(table, share=chosen.flipped, seed=seed), self._encoder)
        settings = TRAINING.model_copy(update={**chosen.training, "seed": seed})
        steps = Cut(settings.batch_size).steps(len(table))
        arguments = training_arguments(settings, RUNS / "refinements-work", precision="float32", steps_per_epoch=steps)
        # The features are all that took long; there is nothing to resume.
        arguments.save_strategy = "no"
        trainer = RewardTrainer(
            model,
            arguments,
            objective=Objective(LossSettings.model_validate(dict(chosen.loss))),
            train=self._dataset(table),
            heldout=self._dataset(self._heldout),
            collator=FeatureCollator(len(self._scale[0])),
            sampling=hard_sampling(settings, preferences=len(table)),
            callbacks=[] if callback is None else [callback],
        )
        trainer.train()
        model.eval()

    def _deltas(self, model: RewardModel) -> np.ndarray:
        rewards = self.rewards(model, distinct_conversations(self._preferences)).astype(float).tolist()
        known = dict(zip(distinct_conversations(self._preferences), rewards, strict=True))
        return observe(self._preferences, Rewards(known, Provenance("", ""))).margin

    def _table(self, data: Mapping[str, Any], side: Any) -> PreferenceTable:
        settings = self._settings.model_copy(update=dict(data))
        folder = RUNS / "-".join(["refinements", self.name["data"], str(settings.limit), *data])
        expected = expected_parents(settings, self._encoder)
        if not is_current(folder, kind=KIND, config=settings.model_dump(mode="json"), parents=expected):
            shutil.rmtree(folder, ignore_errors=True)
            prepare(settings, folder, self._encoder)
        return load_table(folder, side)

    def _dataset(self, table: PreferenceTable) -> FeatureDataset:
        texts = [preference.conversation(k) for preference in table for k in range(len(preference.responses))]
        return FeatureDataset(table, self._states(texts), np.arange(len(texts)))

    def _states(self, texts: Sequence[Conversation]) -> np.ndarray:
        mean, deviation = self._scale
        return ((np.stack([self._known[text] for text in texts]) - mean) / deviation).astype(np.float32)

    def _learn(self, texts: Sequence[Conversation]) -> None:
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            found = frozen_features(missing, base=BASE, max_tokens=self._settings.max_tokens, pooling="mean")
            self._known.update(zip(missing, found, strict=True))

    @staticmethod
    def _model(seed: int) -> RewardModel:
        return copy.deepcopy(_new_model(seed))


class _FrozenScorer:
    """A model whose features are known, as a scorer."""

    def __init__(self, bench: Bench, model: RewardModel) -> None:
        self._bench = bench
        self._model = model

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        return Scores(self._bench.rewards(self._model, conversations), Provenance("", ""))


class _EpochDeltas(TrainerCallback):
    """Keeps what `measure` gives after each epoch."""

    def __init__(self, measure: Any) -> None:
        self.deltas: list[np.ndarray] = []
        self._measure = measure

    def on_epoch_end(self, args, state, control, **kwargs):  # noqa: ARG002
        self.deltas.append(self._measure())


@lru_cache(maxsize=1)
def _new_model(seed: int) -> RewardModel:
    return build(MODEL, seed=seed)


def _data_settings(name: str, limit: int) -> DataSettings:
    values = dict(DATA[name])
    sources = [
        source.model_copy(update={"path": str(require_data(source.path)[0])}) for source in values.pop("sources")
    ]
    values["limit"] = limit
    return DataSettings(sources=tuple(sources), overlength="truncate", heldout_share=0.4, **values)


def _augmented() -> list[tuple[str, Any]]:
    """Settings that bring texts with them that the plain data do not hold."""
    return [item for variant in VARIANTS.values() for item in variant.data.items() if item[0].startswith("augment")]


def _flipped(table: PreferenceTable, *, share: float, seed: int) -> list[Preference]:
    """The preferences, a share of their pairs the wrong way round."""
    rng = np.random.default_rng([17, seed])
    return [
        dataclasses.replace(
            preference,
            pairs=tuple(
                pair._replace(chosen=pair.rejected, rejected=pair.chosen) if rng.random() < share else pair
                for pair in preference.pairs
            ),
        )
        for preference in table
    ]


if __name__ == "__main__":
    main()
