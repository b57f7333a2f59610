from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.planted import FeatureScorer, FunctionScorer, count_features, length_meter, many, rater, simple
from tests.models.tiny import save_base

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.data.label_curve import LabelCurve
from rewardsmith.audit.evaluate import evaluate
from rewardsmith.audit.evaluation import as_json
from rewardsmith.audit.heldout.gap import Gap
from rewardsmith.core.errors import DataError
from rewardsmith.models.load import build
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.table import from_preferences
from rewardsmith.scoring.reference import ReferenceScorer
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer

HELDOUT = many(200, longer_share=0.6)
TRAIN = many(400, longer_share=0.6, start=1000)


def severities(evaluation):
    return {finding.name: finding.severity for finding in evaluation.findings}


def worse(evaluation):
    return {name for name, severity in severities(evaluation).items() if severity != "info"}


def test_a_model_that_follows_the_raters_raises_no_warning():
    scorer = rater([*HELDOUT, *TRAIN], right=0.85)
    evaluation = evaluate(scorer, HELDOUT, train=TRAIN)
    assert worse(evaluation) == set()
    assert evaluation.accuracy.estimate.value == pytest.approx(0.85, abs=0.06)
    assert isinstance(evaluation.gap, Gap)
    assert abs(evaluation.gap.difference.value) < 0.08


def test_a_length_meter_is_told_by_name():
    evaluation = evaluate(length_meter(), HELDOUT, train=TRAIN)
    assert {"length.matched", "length.against", "length.correlation", "accuracy.over.longer_wins"} <= worse(evaluation)


def test_a_coin_is_told_by_name():
    evaluation = evaluate(rater([*HELDOUT, *TRAIN], right=0.5), HELDOUT, train=TRAIN)
    assert {"accuracy.heldout", "accuracy.over.longer_wins"} <= worse(evaluation)


def test_a_model_with_the_labels_swapped_is_critical():
    assert severities(evaluate(rater(HELDOUT, right=0.1), HELDOUT))["accuracy.heldout"] == "critical"


def test_constant_rewards_are_critical_and_worth_a_half():
    evaluation = evaluate(FunctionScorer(lambda _: 0.25), HELDOUT)
    assert evaluation.accuracy.estimate.value == 0.5
    assert evaluation.accuracy.reward_ties == 200
    assert {severities(evaluation)[name] for name in ("health.constant", "health.ties")} == {"critical"}


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_nan_rewards_are_critical_and_never_counted(share):
    good = rater(HELDOUT, right=0.9)
    poisoned = {preference.conversation(0) for preference in HELDOUT[: int(share * 200)]}
    scorer = FunctionScorer(lambda text: float("nan") if text in poisoned else good.reward(text))
    evaluation = evaluate(scorer, HELDOUT)
    assert severities(evaluation)["health.finite"] == "critical"
    assert evaluation.accuracy.unscored == int(share * 200)
    assert evaluation.counts.judged == 200 - int(share * 200)
    json.dumps(as_json(evaluation), allow_nan=False)


def test_a_model_that_knows_its_training_pairs_by_heart_is_told():
    train, heldout = rater(TRAIN, right=1.0), rater(HELDOUT, right=0.65)
    known = {preference.conversation(index) for preference in TRAIN for index in (0, 1)}
    scorer = FunctionScorer(lambda text: train.reward(text) if text in known else heldout.reward(text))
    assert severities(evaluate(scorer, HELDOUT, train=TRAIN))["gap.train_heldout"] == "warning"


def test_held_out_pairs_that_were_trained_on_are_critical():
    evaluation = evaluate(rater([*HELDOUT, *TRAIN], right=0.9), HELDOUT, train=[*TRAIN, *HELDOUT[:3]])
    assert severities(evaluation)["leakage.prompts"] == "critical"
    assert severities(evaluation)["leakage.conversations"] == "critical"
    assert evaluation.findings[0].severity == "critical"


def test_each_conversation_is_scored_once_and_only_as_many_training_pairs_as_held_out_ones():
    scorer = rater([*HELDOUT, *TRAIN], right=0.8)
    evaluate(scorer, [*HELDOUT, replace(HELDOUT[0], id="again")], train=TRAIN)
    assert len(scorer.asked) == len(set(scorer.asked)) == 2 * 200 + 2 * 201


def test_without_training_data_the_parts_that_need_it_say_why():
    evaluation = evaluate(rater(HELDOUT, right=0.8), HELDOUT)
    for part in (evaluation.gap, evaluation.leakage, evaluation.label_curve, evaluation.training):
        assert isinstance(part, Absent)
        assert part.reason
    assert "no training pairs were given" in evaluation.floors[2].how
    assert evaluation.counts.train_preferences is None
    assert not any(name.startswith(("gap.", "leakage.", "labels.")) for name in severities(evaluation))


@pytest.mark.parametrize("heldout", [[], [replace(simple("1", "a", "b"), pairs=())]])
def test_nothing_held_out_is_a_clear_error(heldout):
    with pytest.raises(DataError, match="nothing to evaluate on"):
        evaluate(length_meter(), heldout)


def test_only_ties_of_the_raters_give_no_figure():
    ties = [simple(str(number), "aaa", "b", tie=True) for number in range(30)]
    evaluation = evaluate(length_meter(), ties)
    assert evaluation.counts.judged == 0
    assert np.isnan(evaluation.accuracy.estimate.value)
    assert severities(evaluation)["accuracy.heldout"] == "critical"


def test_findings_stand_worst_first():
    order = [finding.severity for finding in evaluate(FunctionScorer(lambda _: 60.0), HELDOUT, train=TRAIN).findings]
    assert order == sorted(order, key=["critical", "warning", "info"].index)
    assert order[0] == "critical"


def test_the_same_seed_gives_the_same_evaluation():
    one, other = (evaluate(rater([*HELDOUT, *TRAIN], right=0.7), HELDOUT, train=TRAIN, seed=3) for _ in range(2))
    assert as_json(one) == as_json(other)


@settings(max_examples=5, deadline=None)
@given(offset=st.floats(-40, 40), order=st.randoms(use_true_random=False))
def test_neither_an_offset_nor_the_order_of_the_pairs_changes_what_is_found(offset, order):
    heldout = HELDOUT[:60]
    plain = rater(heldout, right=0.7)
    shifted = FunctionScorer(lambda text: plain.reward(text) + offset)
    shuffled = list(heldout)
    order.shuffle(shuffled)
    one, other = evaluate(plain, heldout), evaluate(shifted, shuffled)
    assert other.accuracy.estimate.value == pytest.approx(one.accuracy.estimate.value)
    assert other.lengths.correlation.value == pytest.approx(one.lengths.correlation.value)
    assert other.floors[0].lead.value == pytest.approx(one.floors[0].lead.value)


def test_the_label_curve_takes_the_base_features_where_there_are_some():
    scorer = FeatureScorer(rater([*HELDOUT, *TRAIN], right=0.8).reward, count_features)
    tuned = evaluate(scorer, HELDOUT, train=TRAIN).label_curve
    base = evaluate(
        scorer, HELDOUT, train=TRAIN, base_features=count_features, max_label_curve_preferences=100
    ).label_curve
    off = evaluate(scorer, HELDOUT, train=TRAIN, max_label_curve_preferences=0).label_curve
    assert isinstance(tuned, LabelCurve)
    assert isinstance(base, LabelCurve)
    assert (tuned.features, tuned.limited_from) == ("tuned", None)
    assert (base.features, base.limited_from, base.points[-1].pairs) == ("base", 400, 100)
    assert isinstance(off, Absent)


@pytest.mark.parametrize(("max_tokens", "n_cut"), [(64, 80 + 80), (4096, 0)])
def test_an_evaluation_counts_the_conversations_that_were_cut_to_fit(tmp_path, max_tokens, n_cut):
    base = save_base(tmp_path / "base", "decoder")
    encoder = ConversationEncoder(load_tokenizer(base), max_tokens=max_tokens)
    scorer = ReferenceScorer(build(ModelSettings(base=base), seed=0), encoder, overlength="truncate")
    heldout, train = many(40), many(60, start=100)
    scorer.score([heldout[0].conversation(0)])  # an earlier call is not this evaluation's
    counts = evaluate(scorer, heldout, train=train, max_label_curve_preferences=0).counts
    assert (counts.scored, counts.truncated) == (2 * 40 + 2 * 40, n_cut)
    assert evaluate(rater(heldout, right=0.8), heldout).counts.truncated is None


def test_a_table_and_a_real_small_model_go_through(tmp_path):
    base = save_base(tmp_path / "base", "decoder")
    model = build(ModelSettings(base=base), seed=0)
    scorer = ReferenceScorer(model, ConversationEncoder(load_tokenizer(base), max_tokens=256), overlength="truncate")
    heldout, train = many(40, good="yes"), many(64, start=100, good="yes")
    evaluation = evaluate(
        scorer, from_preferences(heldout), train=from_preferences(train), base_features=scorer.features
    )
    assert evaluation.counts.judged == 40
    assert evaluation.provenance == scorer.score([heldout[0].conversation(0)]).provenance
    assert isinstance(evaluation.label_curve, LabelCurve)
