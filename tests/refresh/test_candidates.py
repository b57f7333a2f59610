"""Served traffic and samples by prompt."""

from __future__ import annotations

from rewardsmith.core.conversation import assistant, user
from rewardsmith.optimise.samples import Sample, SampleGroup
from rewardsmith.preferences.groups import group_of
from rewardsmith.refresh.candidates import conversations_of, from_groups, from_traffic, joined
from rewardsmith.serve.traffic import TrafficRow


def row(prompt: str, answer: str, reward: float = 0.0, *, model: str = "m") -> TrafficRow:
    return TrafficRow(0.0, model, "t", (user(prompt), assistant(answer)), None, reward)


def test_rows_of_one_prompt_come_together_and_keep_the_incumbents_rewards():
    rows = [row("p", "a", 1.0), row("q", "x", 2.0), row("p", "b", 3.0, model="other"), row("p", "a", 1.0)]
    found = from_traffic(rows, model_digest="m", most_prompts=10, seed=0)
    assert [[sample.text for sample in group.samples] for group in found.groups] == [["a", "b"], ["x"]]
    assert found.rewards == ((1.0, None), (2.0,))
    assert found.groups[0].group == group_of((user("p"),))
    assert found.counts["rows"] == 4
    assert (
        found.counts["repeated"] == found.counts["of_other_weights"] == found.counts["prompts_with_one_response"] == 1
    )
    assert [group.prompt for group in found.lone] == [(user("q"),)]
    assert [reward for _, reward in conversations_of(found)] == [1.0, None, 2.0]


def test_what_cannot_be_shown_is_counted():
    rendered = TrafficRow(0.0, "m", "t", None, "<s>user: p", 0.0)
    open_ended = TrafficRow(0.0, "m", "t", (user("p"),), None, 0.0)
    found = from_traffic(
        [rendered, open_ended, row("p", " "), row("p", "\ud800")], model_digest="m", most_prompts=5, seed=0
    )
    assert not found.groups
    assert (found.counts["rendered"], found.counts["without_response"], found.counts["not_unicode"]) == (1, 2, 1)


def test_of_too_many_prompts_the_same_lot_is_kept_whatever_their_order():
    rows = [row(f"p{number}", answer) for number in range(50) for answer in ("a", "b")]
    found = [from_traffic(some, model_digest="m", most_prompts=7, seed=3) for some in (rows, rows[::-1])]
    assert len(found[0].groups) == 7
    assert {group.prompt for group in found[0].groups} == {group.prompt for group in found[1].groups}
    assert all(len(group) == 2 for group in found[0].groups)
    other = from_traffic(rows, model_digest="m", most_prompts=7, seed=4)
    assert {group.prompt for group in other.groups} != {group.prompt for group in found[0].groups}


def test_samples_are_merged_and_second_responses_added():
    prompt = (user("p"),)
    groups = [
        SampleGroup(prompt, "g", (Sample("a", log_prob=-1.0), Sample("a"))),
        SampleGroup(prompt, "h", (Sample("b"),)),
    ]
    found = from_groups(groups)
    assert [(group.group, [sample.text for sample in group.samples]) for group in found.groups] == [("g", ["a", "b"])]
    assert found.groups[0].samples[0].log_prob == -1.0
    more = joined(found, [SampleGroup(prompt, "g", (Sample("b"), Sample("c")))])
    assert [sample.text for sample in more.groups[0].samples] == ["a", "b", "c"]
    assert more.rewards == ((None, None, None),)
    assert (more.counts["responses"], more.counts["written"]) == (3, 1)
