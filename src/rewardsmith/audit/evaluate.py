"""Evaluate a scorer on held-out preferences: one call from texts to findings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.certainty.calibration import calibration_findings, measure_calibration
from rewardsmith.audit.certainty.disagreement import disagreement_findings, measure_disagreement
from rewardsmith.audit.data.conflict import conflict_findings, measure_conflict
from rewardsmith.audit.data.label_curve import (
    Features,
    Featuriser,
    LabelCurve,
    label_curve_findings,
    measure_label_curve,
)
from rewardsmith.audit.data.leakage import find_leakage, leakage_findings
from rewardsmith.audit.evaluation import Counts, Evaluation, PairScore
from rewardsmith.audit.heldout.accuracy import (
    Accuracy,
    accuracy_findings,
    compare_with_floors,
    margin_histogram,
    measure_accuracy,
)
from rewardsmith.audit.heldout.examples import pick_examples
from rewardsmith.audit.heldout.gap import Gap, gap_findings, measure_gap, sample_preferences
from rewardsmith.audit.heldout.health import health_findings, measure_health
from rewardsmith.audit.heldout.lengths import length_findings, measure_lengths
from rewardsmith.audit.heldout.sources import measure_sources, source_findings
from rewardsmith.audit.heldout.training_curves import TrainingCurves, read_training_curves
from rewardsmith.audit.heldout.words import fit_words
from rewardsmith.audit.observations import Observations, Rewards, distinct_conversations, observe, score_once
from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Finding
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer
from rewardsmith.numerics.ranking import pair_accuracy

_NO_TRAINING_DATA = Absent("No training data was given.")
_WORST_FIRST = {"critical": 0, "warning": 1, "info": 2}


def evaluate(
    scorer: Scorer,
    heldout: Sequence[Preference],
    *,
    train: Sequence[Preference] | None = None,
    training_log: Sequence[Mapping[str, Any]] | None = None,
    base_features: Featuriser | None = None,
    seed: int = 0,
    max_label_curve_preferences: int = 1000,
    examples: int = 6,
) -> Evaluation:
    """Measure what `scorer` is worth on `heldout`. Each distinct conversation is scored once.

    Args:
        scorer: Anything that gives one reward a conversation; one with `features(conversations) -> [n, hidden]` can
            be asked whether more labels would help.
        heldout: Preferences that the scorer was not trained on, from this project or not.
        train: What it was trained on. Without it the gap, the leakage check and the label curve are absent, and the
            bag of words is fitted on the held-out pairs in grouped folds.
        training_log: Lines of the training log.
        base_features: Features of the model before training, for the label curve; `scorer.features` where absent.
        seed: Seed of every resample.
        max_label_curve_preferences: The label curve uses a sample of so many training preferences, since each must
            be featurised; 0 leaves it out.
        examples: Pairs and answers of each kind to show.

    Raises:
        DataError: There is no held-out pair.
        ModelError: The scorer does not return one reward a conversation.
    """
    # A table makes its rows anew at each look.
    heldout, train = list(heldout), None if train is None else list(train)
    require_pairs(heldout)
    train_sample = sample_preferences(train or (), len(heldout), seed=seed)
    features = _features(scorer, base_features)
    return evaluate_rewards(
        score_once(scorer, [*heldout, *train_sample]),
        heldout,
        train=train,
        train_sample=train_sample,
        training=read_training_curves(training_log),
        label_curve=_label_curve(features, heldout, train, limit=max_label_curve_preferences, seed=seed),
        seed=seed,
        examples=examples,
    )


def require_pairs(heldout: Sequence[Preference]) -> None:
    """Refuse preferences that hold no pair.

    Raises:
        DataError: There is none.
    """
    if not any(len(preference.pairs) for preference in heldout):
        got = f"{len(heldout)} preferences without one"
        raise DataError("nothing to evaluate on", wanted="a held-out pair", got=got, fix="hold some preferences out")


def evaluate_rewards(
    rewards: Rewards,
    heldout: Sequence[Preference],
    *,
    train: Sequence[Preference] | None,
    train_sample: Sequence[Preference],
    training: TrainingCurves | Absent,
    label_curve: LabelCurve | Absent,
    seed: int,
    examples: int = 6,
) -> Evaluation:
    """Like `evaluate`, from rewards that are there already.

    Args:
        rewards: Of every conversation of `heldout` and `train_sample`, and of any others.
        train_sample: The training preferences that the gap is measured on.
    """
    evaluation = _measure(
        list(heldout),
        None if train is None else list(train),
        train_sample=list(train_sample),
        rewards=rewards,
        training=training,
        label_curve=label_curve,
        seed=seed,
        examples=examples,
    )
    return dataclasses.replace(evaluation, findings=collect_findings(evaluation))


def _measure(
    heldout: list[Preference],
    train: list[Preference] | None,
    *,
    train_sample: list[Preference],
    rewards: Rewards,
    training: TrainingCurves | Absent,
    label_curve: LabelCurve | Absent,
    seed: int,
    examples: int,
) -> Evaluation:
    """Every part, no findings yet."""
    rows, words = observe(heldout, rewards), fit_words(heldout, train)
    accuracy = measure_accuracy(rows, seed=seed)
    return Evaluation(
        provenance=rewards.provenance,
        seed=seed,
        counts=_counts(heldout, rows, train, rewards),
        health=measure_health(rows),
        accuracy=accuracy,
        floors=compare_with_floors(rows, words, seed=seed),
        sources=measure_sources(rows, words, heldout, train, seed=seed),
        conflict=measure_conflict([*heldout, *(train or ())], seed=seed),
        lengths=measure_lengths(rows, seed=seed),
        margins=margin_histogram(rows, seed=seed),
        calibration=measure_calibration(rows, seed=seed),
        disagreement=measure_disagreement(rows, seed=seed),
        gap=_gap(observe(train_sample, rewards), accuracy, seed=seed),
        leakage=find_leakage(heldout, train) if train else _NO_TRAINING_DATA,
        training=training,
        label_curve=label_curve,
        examples=pick_examples(heldout, rows, rewards, count=examples),
        pairs=_pair_scores(heldout, rows),
        findings=(),
    )


def collect_findings(evaluation: Evaluation) -> tuple[Finding, ...]:
    """Every finding of every part, worst first; within a severity in the order of the report."""
    pooled = evaluation.accuracy.estimate
    found = [
        *health_findings(evaluation.health),
        *leakage_findings(evaluation.leakage),
        *accuracy_findings(evaluation.accuracy, evaluation.floors),
        *source_findings(evaluation.sources, pooled),
        *conflict_findings(evaluation.conflict),
        *length_findings(evaluation.lengths, pooled),
        *gap_findings(evaluation.gap),
        *calibration_findings(evaluation.calibration),
        *disagreement_findings(evaluation.disagreement),
        *label_curve_findings(evaluation.label_curve),
    ]
    return worst_first(found)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity; within a severity as they came."""
    return tuple(sorted(findings, key=lambda finding: _WORST_FIRST[finding.severity]))


def _counts(
    heldout: Sequence[Preference], rows: Observations, train: Sequence[Preference] | None, rewards: Rewards
) -> Counts:
    return Counts(
        preferences=len(heldout),
        pairs=len(rows),
        judged=int(rows.judged.sum()),
        groups=len(np.unique(rows.group)),
        conversations=len(distinct_conversations(heldout)),
        train_preferences=None if train is None else len(train),
        scored=len(rewards.by_conversation),
        truncated=rewards.truncated,
    )


def _gap(train_rows: Observations, heldout: Accuracy, *, seed: int) -> Gap | Absent:
    if not len(train_rows):
        return _NO_TRAINING_DATA
    train = measure_accuracy(train_rows, seed=seed).estimate
    if not train.n or not heldout.estimate.n:
        return Absent("No training pair, or no held-out pair, can be judged.")
    return measure_gap(train, heldout.estimate)


def _features(scorer: Scorer, base_features: Featuriser | None) -> Features | None:
    if base_features is not None:
        return Features(base_features, "base")
    own = getattr(scorer, "features", None)
    return None if own is None else Features(own, "tuned")


def _label_curve(
    features: Features | None, heldout: list[Preference], train: list[Preference] | None, *, limit: int, seed: int
) -> LabelCurve | Absent:
    if not train:
        return _NO_TRAINING_DATA
    if limit == 0:
        return Absent("No training preference was set aside for it.")
    if features is None:
        return Absent("The scorer shows no features, and no base model was given to take them from.")
    sample = sample_preferences(train, limit, seed=seed)
    curve = measure_label_curve(sample, heldout, features, seed=seed)
    if isinstance(curve, LabelCurve) and len(sample) < len(train):
        return dataclasses.replace(curve, limited_from=len(train))
    return curve


def _pair_scores(heldout: Sequence[Preference], rows: Observations) -> tuple[PairScore, ...]:
    credit = np.full(len(rows), np.nan)
    credit[rows.judged] = pair_accuracy(rows.margin[rows.judged])
    return tuple(
        PairScore(
            id=heldout[int(rows.preference[row])].id,
            source=rows.source_names[int(rows.source[row])],
            chosen=int(rows.chosen[row]),
            rejected=int(rows.rejected[row]),
            chosen_reward=float(rows.chosen_reward[row]),
            rejected_reward=float(rows.rejected_reward[row]),
            margin=float(rows.margin[row]),
            tie=bool(rows.tie[row]),
            correct=float(credit[row]),
        )
        for row in range(len(rows))
    )
