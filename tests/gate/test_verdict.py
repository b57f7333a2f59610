from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gate.evidence import NAN, found, share, shift, sound_findings

from rewardsmith.core.finding import Finding
from rewardsmith.gate.policy import Policy, Rule
from rewardsmith.gate.store import POLICIES, load_policy
from rewardsmith.gate.verdict import EXIT_CODES, as_json, judge, judge_rule


def rule(name: str = "x", **keys: object) -> Rule:
    return Rule.model_validate({"finding": name, "reason": "because", **keys})


def policy(*rules: Rule) -> Policy:
    return Policy(name="p", purpose="u", approved_by="Ada", rules=rules)


def outcome(finding: Finding, **keys: object) -> str:
    (reason,) = judge_rule([finding], rule(finding.name, **keys))
    return reason.outcome


# Every comparison of the gate, at the limit and on both sides of it.


@pytest.mark.parametrize(
    ("low", "value", "high", "expected"),
    [
        (0.80, 0.85, 0.90, "met"),  # the lower end stands exactly at the bar
        (0.79, 0.85, 0.90, "too thin"),
        (0.70, 0.80, 0.90, "too thin"),  # the value stands at the bar, which is good
        (0.70, 0.79, 0.90, "failed"),  # the value does not, whatever the upper end says
        (0.60, 0.70, 0.75, "failed"),
        (NAN, 0.90, NAN, "too thin"),
        (NAN, 0.70, NAN, "failed"),
    ],
)
def test_at_least_at_the_cautious_end(low: float, value: float, high: float, expected: str):
    assert outcome(found("x", value, low, high), at_least=0.8) == expected


@pytest.mark.parametrize(
    ("low", "value", "high", "expected"),
    [
        (0.10, 0.20, 0.30, "met"),
        (0.10, 0.20, 0.31, "too thin"),
        (0.20, 0.30, 0.40, "too thin"),
        (0.20, 0.31, 0.40, "failed"),
        (NAN, 0.20, NAN, "too thin"),
        (NAN, 0.40, NAN, "failed"),
    ],
)
def test_at_most_at_the_cautious_end(low: float, value: float, high: float, expected: str):
    assert outcome(found("x", value, low, high), at_most=0.3) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0.8, "met"), (0.9, "met"), (0.79, "failed"), (math.nextafter(0.8, 0), "failed")]
)
def test_at_least_as_measured(value: float, expected: str):
    assert outcome(found("x", value, 0.0, 1.0), at_least=0.8, end="value") == expected
    assert outcome(found("x", value), at_least=0.8, end="value") == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0.3, "met"), (0.2, "met"), (0.31, "failed"), (math.nextafter(0.3, 1), "failed")]
)
def test_at_most_as_measured(value: float, expected: str):
    assert outcome(found("x", value, 0.0, 1.0), at_most=0.3, end="value") == expected


@pytest.mark.parametrize(
    ("low", "value", "high", "expected"),
    [
        (0.60, 0.70, 0.80, "met"),
        (0.60, 0.70, 0.79, "failed"),
        (0.85, 0.90, 0.95, "met"),
        (NAN, 0.70, NAN, "too thin"),
    ],
)
def test_at_least_at_the_generous_end(low: float, value: float, high: float, expected: str):
    assert outcome(found("x", value, low, high), at_least=0.8, end="generous") == expected


@pytest.mark.parametrize(
    ("low", "value", "high", "expected"),
    [(0.30, 0.40, 0.50, "met"), (0.31, 0.40, 0.50, "failed"), (0.0, 0.1, 0.2, "met"), (NAN, 0.40, NAN, "too thin")],
)
def test_at_most_at_the_generous_end(low: float, value: float, high: float, expected: str):
    assert outcome(found("x", value, low, high), at_most=0.3, end="generous") == expected


@pytest.mark.parametrize(
    ("low", "value", "high", "expected"),
    [
        (-0.3, -0.2, -0.1, "met"),
        (-0.31, -0.2, -0.1, "too thin"),
        (-0.5, -0.4, -0.35, "failed"),
        (-0.1, 0.1, 0.3, "met"),
    ],
)
def test_sizes_are_judged_whatever_the_sign(low: float, value: float, high: float, expected: str):
    assert outcome(found("x", value, low, high), at_most=0.3, absolute=True) == expected


def test_the_smallest_size_in_an_interval_over_zero_is_zero():
    (reason,) = judge_rule([found("x", 0.1, -0.2, 0.4)], rule(at_most=0.3, absolute=True))
    assert reason.judged is not None
    assert (reason.judged.low, reason.judged.value, reason.judged.high) == (0.0, 0.1, 0.4)
    (reason,) = judge_rule([found("x", -0.3, -0.4, -0.2)], rule(at_most=0.3, absolute=True))
    assert reason.judged is not None
    assert (reason.judged.low, reason.judged.value, reason.judged.high) == (0.2, 0.3, 0.4)


@pytest.mark.parametrize(
    ("n", "groups", "expected"),
    [(20, 20, "met"), (19, 19, "too thin"), (400, 19, "too thin"), (400, 20, "met"), (19, 400, "too thin")],
)
def test_fewer_prompt_groups_than_the_rule_asks_for_are_too_thin(n: int, groups: int, expected: str):
    assert outcome(found("x", 0.9, 0.85, 0.95, n=n, groups=groups), at_least=0.8) == expected


def test_with_too_few_a_bad_value_is_no_more_than_thin_and_says_how_many_are_asked_for():
    (reason,) = judge_rule([found("x", 0.2, 0.1, 0.3, n=5)], rule(at_least=0.8, min_n=50))
    assert (reason.outcome, reason.needed) == ("too thin", 50)
    assert "fewer than 50 prompt groups" in reason.text


def test_a_range_has_two_sides():
    for value, expected in ((0.5, "met"), (0.4, "met"), (0.6, "met"), (0.39, "failed"), (0.61, "failed")):
        assert outcome(found("x", value), at_least=0.4, at_most=0.6, end="value") == expected


@pytest.mark.parametrize(
    ("severity", "allowed", "expected"),
    [
        ("info", "info", "met"),
        ("warning", "info", "failed"),
        ("warning", "warning", "met"),
        ("critical", "warning", "failed"),
        ("critical", "critical", "met"),
    ],
)
def test_severities(severity: str, allowed: str, expected: str):
    assert outcome(found("x", NAN, n=0, severity=severity), severity_at_most=allowed) == expected  # type: ignore[arg-type]


def test_a_severity_and_a_limit_must_both_hold():
    assert outcome(found("x", 0.9, 0.85, 0.95, severity="warning"), at_least=0.8, severity_at_most="info") == "failed"
    assert outcome(found("x", 0.7, 0.65, 0.75), at_least=0.8, severity_at_most="info") == "failed"
    assert outcome(found("x", 0.9, 0.85, 0.95), at_least=0.8, severity_at_most="info") == "met"


def test_what_is_not_there_is_missing_and_so_is_what_has_no_value():
    (reason,) = judge_rule([found("y", 1.0)], rule("x", at_least=0.5))
    assert (reason.outcome, reason.finding, reason.name) == ("missing", None, "x")
    assert outcome(found("x", NAN, n=0), at_least=0.5) == "missing"
    assert judge_rule([], rule("flattery.*", at_most=0.3))[0].outcome == "missing"


def test_what_is_not_required_is_asked_only_where_it_was_measured():
    assert judge_rule([], rule(at_least=0.5, required=False))[0].outcome == "not asked"
    assert outcome(found("x", NAN, n=0), at_least=0.5, required=False) == "not asked"
    assert outcome(found("x", 0.4, n=19), at_least=0.5, end="value", required=False) == "not asked"
    assert outcome(found("x", 0.4, n=20), at_least=0.5, end="value", required=False) == "failed"
    assert outcome(found("x", 0.6, 0.4, 0.8), at_least=0.5, required=False) == "too thin"
    assert judge([], policy(rule(at_least=0.5, required=False))).status == "passed"


def test_every_finding_of_a_family_is_judged():
    findings = [shift("flattery.opener", 0.0), shift("flattery.closer", 0.9), shift("format.bold", 0.9)]
    reasons = judge_rule(findings, rule("flattery.*", at_most=0.3))
    assert [(reason.name, reason.outcome) for reason in reasons] == [
        ("flattery.opener", "met"),
        ("flattery.closer", "failed"),
    ]


def test_each_name_of_a_list_must_be_there():
    reasons = judge_rule([shift("a", 0.0)], rule(["a", "b"], at_most=0.3))  # type: ignore[arg-type]
    assert [(reason.name, reason.outcome) for reason in reasons] == [("a", "met"), ("b", "missing")]


def test_a_pattern_with_a_limit_leaves_alone_what_is_limited_by_name():
    exact, family = rule("a.b", at_most=1.0), rule("a.*", at_most=0.3, required=False)
    findings = [shift("a.b", 0.5), shift("a.c", 0.1)]
    verdict = judge(findings, policy(exact, family))
    assert [(reason.name, reason.rule.at_most) for reason in verdict.reasons] == [("a.b", 1.0), ("a.c", 0.3)]
    assert verdict.status == "passed"
    strict = judge(
        [found("a.b", 0.0, 0.0, 0.0, severity="critical")], policy(exact, rule("*", severity_at_most="info"))
    )
    assert strict.status == "failed"


def test_two_findings_of_one_name_are_both_judged():
    verdict = judge([found("x", 0.9), found("x", 0.1)], policy(rule(at_least=0.5, end="value")))
    assert verdict.status == "failed"


def test_the_status_is_the_worst_reason_and_has_an_exit_code_of_its_own():
    met, thin, missing, failed = (
        rule("met", at_least=0.5),
        rule("thin", at_least=0.5),
        rule("missing", at_least=0.5),
        rule("failed", at_least=0.5),
    )
    findings = [found("met", 0.7, 0.6, 0.8), found("thin", 0.7, 0.4, 0.9), found("failed", 0.4, 0.3, 0.45)]
    assert judge(findings, policy(met)).exit_code == 0
    assert judge(findings, policy(met, thin)).exit_code == 8
    assert judge(findings, policy(met, missing)).exit_code == 8
    verdict = judge(findings, policy(met, thin, missing, failed))
    assert (verdict.status, verdict.exit_code) == ("failed", 7)
    assert [reason.outcome for reason in verdict.reasons] == ["failed", "missing", "too thin", "met"]
    assert len(set(EXIT_CODES.values())) == 3


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 0.5)), min_size=1, max_size=5),
    st.sampled_from(["cautious", "value", "generous"]),
    st.floats(-1, 1),
)
def test_at_most_mirrors_at_least(values: list, end: str, limit: float):
    findings = [found("x", value, value - reach, value + reach) for value, reach in values]
    mirrored = [found("x", -value, -value - reach, -value + reach) for value, reach in values]
    one = judge(findings, policy(rule(at_least=limit, end=end)))
    other = judge(mirrored, policy(rule(at_most=-limit, end=end)))
    assert [reason.outcome for reason in one.reasons] == [reason.outcome for reason in other.reasons]


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(-1, 1))
def test_a_more_cautious_end_never_passes_what_a_more_generous_one_does_not(value: float, reach: float, limit: float):
    finding = found("x", value, value - reach, value + reach)
    met = [outcome(finding, at_least=limit, end=end) == "met" for end in ("cautious", "value", "generous")]
    assert met == sorted(met)


# The gates of the textbooks.


def test_ninety_two_at_rest_and_sixty_four_on_fresh_answers_is_not_ready_for_a_bar_of_eighty():
    findings = [share("accuracy.heldout", 0.92, 1000), share("shift.fresh", 0.64, 1000)]
    verdict = judge(findings, policy(rule("accuracy.heldout", at_least=0.8), rule("shift.fresh", at_least=0.8)))
    assert verdict.status == "failed"
    assert [(reason.name, reason.outcome) for reason in verdict.reasons] == [
        ("shift.fresh", "failed"),
        ("accuracy.heldout", "met"),
    ]


def test_eighty_five_of_a_hundred_do_not_show_eighty_and_about_four_hundred_would():
    (reason,) = judge_rule([share("accuracy.heldout", 0.85, 100)], rule("accuracy.heldout", at_least=0.8))
    assert reason.outcome == "too thin"
    assert reason.needed is not None
    assert 370 <= reason.needed <= 440
    assert f"about {reason.needed:,} items" in reason.text
    assert outcome(share("accuracy.heldout", 0.85, 450), at_least=0.8) == "met"


@pytest.mark.parametrize("name", POLICIES)
def test_a_sound_model_passes_every_policy(name: str):
    verdict = judge(sound_findings(), load_policy(name))
    assert [reason.text for reason in verdict.reasons if reason.outcome not in ("met", "not asked")] == []
    assert verdict.status == "passed"


@pytest.mark.parametrize("left_out", [finding.name for finding in sound_findings()])
def test_the_optimise_policy_misses_what_is_left_out(left_out: str):
    not_required = {
        *("invariance.case", "calibration.likelihood", "format.emoji", "repetition.last", "damage.cut"),
        "refusal.undue",
    }
    # A family is there as long as one of its members is.
    family = {"health", "accuracy.over"}
    findings = [finding for finding in sound_findings() if finding.name != left_out]
    if left_out.rpartition(".")[0] in family:
        findings = [finding for finding in findings if not finding.name.startswith(left_out.rpartition(".")[0])]
    verdict = judge(findings, load_policy("optimise"))
    assert verdict.exit_code == (0 if left_out in not_required else 8)
    assert bool(verdict.of_outcome("missing")) is (left_out not in not_required)


@pytest.mark.parametrize(
    "bad",
    [
        shift("length.padding", 0.9),
        shift("format.bullets", 0.9),
        shift("flattery.opener", 0.9),
        shift("repetition.last", 0.9),
        shift("format.emoji", 0.9),
        shift("judge_talk.rating", 0.9),
        shift("refusal.undue", 0.3),
        shift("damage.empty", 0.3),
        shift("invariance.case", -0.9),
        share("accuracy.heldout", 0.6, 900),
        share("length.matched", 0.5, 300),
        share("length.against", 0.2, 250),
        share("shift.fresh", 0.5, 400),
        share("leakage.prompts", 0.01, 500),
        share("leakage.near_prompts", 0.02, 500),
        found("length.correlation", -0.8, -0.9, -0.7),
        found("calibration.error", 0.2),
        found("calibration.likelihood", 0.9, 0.8, 1.0),
        found("pressure.turn", 0.5, 0.4, 0.6, severity="warning"),
        found("pressure.budget", 0.3, unit="nats"),
        found("pressure.rl_budget", 0.0, unit="nats"),
        found("health.ties", 0.2, 0.1, 0.3, severity="warning"),
        found("something.new", 0.2, severity="critical"),
    ],
    ids=lambda finding: finding.name,
)
def test_one_thing_wrong_fails_the_optimise_policy_for_that_reason(bad: Finding):
    findings = [finding for finding in sound_findings() if finding.name != bad.name]
    verdict = judge([*findings, bad], load_policy("optimise"))
    assert verdict.exit_code == 7
    assert {reason.name for reason in verdict.of_outcome("failed")} == {bad.name}


def test_the_verdict_is_strict_json_and_holds_every_reason():
    verdict = judge([found("x", 0.9)], policy(rule(at_least=0.5), rule("y", at_most=1)))
    values = json.loads(json.dumps(as_json(verdict), allow_nan=False))
    assert (values["status"], values["exit_code"], values["approved_by"]) == ("not enough evidence", 8, "Ada")
    missing, thin = values["reasons"]
    assert (missing["finding"], missing["outcome"], missing["value"]) == ("y", "missing", None)
    assert (thin["outcome"], thin["value"], thin["low"], thin["n"], thin["why"]) == (
        "too thin",
        0.9,
        None,
        400,
        "because",
    )
