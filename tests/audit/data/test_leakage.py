from __future__ import annotations

from dataclasses import replace

from tests.audit.planted import many, simple

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.data.leakage import find_leakage, leakage_findings, normalise
from rewardsmith.core.conversation import user


def test_clean_splits_stay_quiet():
    leakage = find_leakage(many(20), many(20, start=100))
    assert (leakage.preferences, leakage.prompts, leakage.conversations) == (20, 0, 0)
    assert {finding.severity for finding in leakage_findings(leakage)} == {"info"}


def test_a_shared_prompt_and_a_shared_answer_are_told_apart():
    train = [simple("1", "a", "b"), simple("2", "c", "d")]
    heldout = [simple("1", "other", "answers"), simple("2", "C ", "new"), simple("3", "a", "b")]
    leakage = find_leakage(heldout, train)
    assert (leakage.prompts, leakage.prompt_ids) == (2, ("1", "2"))
    assert (leakage.conversations, leakage.conversation_ids) == (1, ("2",))
    prompts, conversations = leakage_findings(leakage)
    assert (prompts.severity, conversations.severity) == ("critical", "critical")
    assert conversations.examples == ("2",)


def test_case_white_space_and_unicode_form_do_not_hide_a_copy():
    assert normalise((user("Ｗhat  is\nÉ?"),)) == normalise((user("what is e\u0301?"),))
    assert normalise((user("what is e?"),)) != normalise((user("what is é?"),))


def test_empty_prompts_are_not_compared():
    heldout = [replace(simple("1", "a", "b"), prompt=())]
    train = [replace(simple("2", "c", "d"), prompt=()), replace(simple("3", "x", "b"), prompt=())]
    leakage = find_leakage(heldout, train)
    assert (leakage.prompts, leakage.conversations) == (0, 1)


def test_nothing_to_compare_with_gives_no_finding():
    assert leakage_findings(Absent("no training data")) == []
