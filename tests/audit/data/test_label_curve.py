from __future__ import annotations

import numpy as np
import pytest
from tests.audit.planted import simple

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.data.label_curve import (
    FeatureKind,
    Features,
    LabelCurve,
    label_curve_findings,
    measure_label_curve,
    read_gain,
)
from rewardsmith.core.conversation import response_text
from rewardsmith.core.finding import Estimate

WIDTH = 40


def vectors(conversations):
    """Features that are written in the answer itself."""
    return np.array([[float(part) for part in response_text(one).split()] for one in conversations], dtype=np.float32)


def linear(count, *, start, active, noise=0.0, seed=0):
    """Pairs whose label is a linear rule over `active` of the features, flipped at a rate of `noise`."""
    rng = np.random.default_rng([seed, start])
    weights = np.zeros(WIDTH)
    weights[:active] = np.random.default_rng(7).normal(size=active)
    made = []
    for number in range(start, start + count):
        one, other = rng.normal(size=(2, WIDTH)).round(3)
        if ((one - other) @ weights < 0) != (rng.random() < noise):
            one, other = other, one
        made.append(simple(str(number), " ".join(map(str, one)), " ".join(map(str, other))))
    return made


def measured(train, heldout, kind: FeatureKind = "base") -> LabelCurve:
    curve = measure_label_curve(train, heldout, Features(vectors, kind), seed=0)
    assert isinstance(curve, LabelCurve)
    return curve


def test_a_rule_over_many_features_wants_more_labels():
    curve = measured(linear(160, start=0, active=WIDTH), linear(600, start=1000, active=WIDTH))
    assert [point.pairs for point in curve.points] == [20, 40, 80, 160]
    values = [point.accuracy.value for point in curve.points]
    assert values == sorted(values)
    assert curve.gain.value == pytest.approx(values[-1] - values[-2])
    assert curve.reading == "more labels help"
    (finding,) = label_curve_findings(curve)
    assert "80 to 160 pairs" in finding.summary
    assert "more labels of this kind help" in finding.summary


def test_labels_without_a_rule_do_not_want_more():
    curve = measured(linear(160, start=0, active=1, noise=0.5), linear(600, start=1000, active=1, noise=0.5))
    assert curve.reading != "more labels help"
    assert abs(curve.points[-1].accuracy.value - 0.5) < 0.06


def test_swapped_labels_in_training_are_learnt_as_such():
    train = [
        simple(one.id, response_text(one.responses[1]), response_text(one.responses[0]))
        for one in linear(160, start=0, active=3)
    ]
    assert measured(train, linear(300, start=1000, active=3)).points[-1].accuracy.value < 0.2


@pytest.mark.parametrize(
    ("low", "high", "kind", "reading"),
    [
        (0.001, 0.05, "base", "more labels help"),
        (0.001, 0.05, "tuned", "more labels help"),
        (-0.02, 0.009, "base", "flat"),
        (-0.02, 0.009, "tuned", "cannot tell"),
        (-0.02, 0.03, "base", "cannot tell"),
        (0.0, 0.03, "base", "cannot tell"),
    ],
)
def test_readings(low, high, kind, reading):
    assert read_gain(Estimate((low + high) / 2, low, high, 300, 300), features=kind) == reading


def test_the_interval_holds_the_noise_of_the_draw_too():
    train, heldout = linear(128, start=0, active=WIDTH), linear(200, start=1000, active=WIDTH)
    curve = measured(train, heldout)
    half = curve.points[-2]
    assert curve.gain.high - curve.gain.low >= 2 * 1.96 * half.spread
    assert curve.points[-1].spread == 0


def test_every_conversation_is_featurised_once():
    asked = []

    def counted(conversations):
        asked.extend(conversations)
        return vectors(conversations)

    train, heldout = linear(80, start=0, active=3), linear(50, start=1000, active=3)
    measure_label_curve(train + train[:5], heldout, Features(counted, "base"), seed=0)
    assert len(asked) == len(set(asked)) == 2 * 130


@pytest.mark.parametrize(("train", "heldout"), [(63, 50), (80, 39)])
def test_too_little_data_gives_a_reason(train, heldout):
    part = measure_label_curve(
        linear(train, start=0, active=3), linear(heldout, start=1000, active=3), Features(vectors, "base"), seed=0
    )
    assert isinstance(part, Absent)
    assert label_curve_findings(part) == []


def contrasts(count, *, start):
    """The label is in a small contrast of two features that share a large noise: a stiff prior cannot find it."""
    rng = np.random.default_rng(start)
    made = []
    for number in range(start, start + count):
        signal, noise = rng.uniform(0.5, 1.5), rng.normal() * 8
        chosen = (noise + signal, noise - signal)
        made.append(simple(str(number), " ".join(f"{part:.4f}" for part in chosen), "0 0"))
    return made


def test_the_prior_is_the_one_that_does_best_in_folds_of_the_training_pairs():
    curve = measured(contrasts(160, start=0), contrasts(200, start=1000))
    assert curve.points[-1].accuracy.value > 0.75
