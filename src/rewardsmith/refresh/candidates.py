"""Responses that could be labelled: of served traffic, or of samples, put together by prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.optimise.samples import Sample, SampleGroup
from rewardsmith.preferences.groups import group_of
from rewardsmith.serve.traffic import TrafficRow


@dataclass(frozen=True, slots=True)
class Candidates:
    """Prompts with their responses.

    Attributes:
        groups: One a prompt, in the order in which the prompts came; no response comes twice.
        rewards: One a response, as it was served by the incumbent; `None` where somebody else did, or nobody.
        counts: What became of the rows.
    """

    groups: tuple[SampleGroup, ...]
    rewards: tuple[tuple[float | None, ...], ...]
    counts: dict[str, int]

    @property
    def lone(self) -> tuple[SampleGroup, ...]:
        """Prompts with a single response, which is no pair."""
        return tuple(group for group in self.groups if len(group) < 2)


def from_traffic(rows: Iterable[TrafficRow], *, model_digest: str, most_prompts: int, seed: int) -> Candidates:
    """The served conversations by prompt, in memory that is bounded by `most_prompts`.

    Args:
        rows: Of a log; a text that came rendered has no turns, and cannot be shown as a pair.
        model_digest: Of the incumbent: rewards of other weights are not its own.
        most_prompts: Of more, those whose digests (with `seed`) are the smallest: a lot that is the same every time.
    """
    found: dict[Conversation, dict[str, float | None]] = {}
    lots: dict[Conversation, str] = {}
    counts = Counter(rows=0, rendered=0, without_response=0, not_unicode=0, of_other_weights=0, repeated=0)
    highest: str | None = None
    for row in rows:
        counts["rows"] += 1
        fate = _fate(row)
        if fate is not None or row.conversation is None:
            counts[fate or "rendered"] += 1
            continue
        own = row.model_digest == model_digest
        counts["of_other_weights"] += not own
        prompt, text = row.conversation[:-1], row.conversation[-1].content
        if prompt not in found:
            lot = digest_json([seed, to_dicts(prompt)])
            if highest is not None and lot > highest:
                continue
            found[prompt], lots[prompt] = {}, lot
            if len(found) > 2 * most_prompts:
                highest = _prune(found, lots, most_prompts)
                if prompt not in found:
                    continue
        counts["repeated"] += text in found[prompt]
        if own or text not in found[prompt]:
            found[prompt][text] = row.reward if own else None
    if len(found) > most_prompts:
        _prune(found, lots, most_prompts)
    return _candidates(found, counts)


def from_groups(groups: Iterable[SampleGroup]) -> Candidates:
    """Samples by prompt; what is known of their probabilities stays."""
    merged: dict[Conversation, SampleGroup] = {}
    counts = Counter(rows=0, repeated=0)
    for group in groups:
        known = merged.get(group.prompt, replace(group, samples=()))
        texts = {sample.text for sample in known.samples}
        fresh: list[Sample] = []
        for sample in group.samples:
            counts.update(rows=1, repeated=int(sample.text in texts))
            if sample.text not in texts:
                fresh.append(sample)
                texts.add(sample.text)
        merged[group.prompt] = replace(known, samples=(*known.samples, *fresh))
    groups_found = tuple(merged.values())
    return Candidates(
        groups_found, tuple((None,) * len(group) for group in groups_found), _totals(counts, groups_found)
    )


def joined(candidates: Candidates, more: Iterable[SampleGroup]) -> Candidates:
    """The same with further responses to the same prompts; those that are known already are left out."""
    added = {group.prompt: group.samples for group in more}
    groups: list[SampleGroup] = []
    rewards: list[tuple[float | None, ...]] = []
    for group, known in zip(candidates.groups, candidates.rewards, strict=True):
        extra = {sample.text: sample for sample in added.get(group.prompt, ())}
        for sample in group.samples:
            extra.pop(sample.text, None)
        groups.append(replace(group, samples=(*group.samples, *extra.values())))
        rewards.append((*known, *(None for _ in extra)))
    counts = _totals(Counter(candidates.counts), groups)
    counts["written"] = counts["responses"] - candidates.counts["responses"]
    return Candidates(tuple(groups), tuple(rewards), counts)


def _fate(row: TrafficRow) -> str | None:
    """Why a row cannot be asked about; `None` where it can."""
    if row.conversation is None:
        return "rendered"
    if (
        len(row.conversation) < 2
        or row.conversation[-1].role != "assistant"
        or not row.conversation[-1].content.strip()
    ):
        return "without_response"
    return None if all(_is_text(turn.content) for turn in row.conversation) else "not_unicode"


def _is_text(content: str) -> bool:
    """Half a surrogate pair can stand in a log, and in no file of text."""
    return not any("\ud800" <= letter <= "\udfff" for letter in content)


def _prune(found: dict[Conversation, dict[str, float | None]], lots: dict[Conversation, str], most: int) -> str:
    """Keep the `most` smallest lots; the largest of them. Whoever was left out once stays out."""
    kept = sorted(lots, key=lambda prompt: lots[prompt])[:most]
    highest = lots[kept[-1]]
    for prompt in set(found) - set(kept):
        del found[prompt], lots[prompt]
    return highest


def _candidates(found: dict[Conversation, dict[str, float | None]], counts: Counter[str]) -> Candidates:
    groups = tuple(
        SampleGroup(prompt, group_of(prompt), tuple(Sample(text) for text in texts)) for prompt, texts in found.items()
    )
    return Candidates(groups, tuple(tuple(texts.values()) for texts in found.values()), _totals(counts, groups))


def _totals(counts: Counter[str], groups: Iterable[SampleGroup]) -> dict[str, int]:
    sizes = [len(group) for group in groups]
    return dict(counts) | {
        "prompts": len(sizes),
        "responses": sum(sizes),
        "prompts_with_one_response": sum(size < 2 for size in sizes),
    }


def conversations_of(candidates: Candidates) -> Iterator[tuple[Conversation, float | None]]:
    """Every conversation with its served reward, where there is one."""
    for group, rewards in zip(candidates.groups, candidates.rewards, strict=True):
        yield from zip(group.conversations(), rewards, strict=True)
