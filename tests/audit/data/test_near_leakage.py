from __future__ import annotations

import dataclasses

from tests.audit.planted import many, simple

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.data.near_leakage import find_near_leakage, near_leakage_findings
from rewardsmith.core.conversation import user

LONG = "please tell me how the old bridge over the quiet river was built and who paid for all of the stone it needed"


def ask(name: str, text: str):
    return dataclasses.replace(simple(name, "a", "b"), prompt=(user(text),))


def test_a_prompt_with_one_other_word_is_found_and_an_equal_one_left_to_the_exact_check():
    heldout = [ask("1", LONG + " today"), ask("2", LONG.upper()), ask("3", "something else entirely, I would say")]
    leakage = find_near_leakage(heldout, [ask("t", LONG), *many(50)])
    assert (leakage.preferences, leakage.repeated) == (3, 1)
    assert leakage.examples == ((LONG + " today", LONG),)
    (finding,) = near_leakage_findings(leakage)
    assert (finding.name, finding.severity) == ("leakage.near_prompts", "warning")
    assert "1 of 3" in finding.summary
    assert finding.p_value is None


def test_one_in_a_thousand_is_told_quietly():
    heldout = [ask("1", LONG + " today"), *(ask(f"h{number}", f"a b c {number}") for number in range(999))]
    (finding,) = near_leakage_findings(find_near_leakage(heldout, [ask("t", LONG)]))
    assert (finding.severity, finding.estimate.value) == ("info", 0.001)


def test_nothing_is_said_without_training_data():
    assert near_leakage_findings(Absent("none")) == []
