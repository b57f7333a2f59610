"""Lineage: do the reward model and the policy come from one base and read the same tokens?

A reward model of another base knows other things than the policy does, and one with another tokenizer cannot score
the policy's token ids: texts have to be decoded and rendered again.
"""

from __future__ import annotations

from dataclasses import dataclass

from rewardsmith.core.digest import digest_json
from rewardsmith.core.finding import Estimate, Finding


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a model comes from.

    Attributes:
        architecture: `model_type` of its configuration.
        hidden_size: Width of its states; absent where the configuration does not say it.
        base: Name of the base that it was trained from, where it is written down.
        vocabulary: Every token with its id.
    """

    architecture: str
    hidden_size: int | None
    base: str | None
    vocabulary: frozenset[tuple[str, int]]

    @property
    def vocabulary_digest(self) -> str:
        """Digest of the tokens and their ids."""
        return digest_json(sorted(self.vocabulary))


@dataclass(frozen=True, slots=True)
class LineageMatch:
    """A reward model beside the policy that it is meant for.

    Attributes:
        reward: `architecture`, `hidden_size`, `base` and `vocabulary` (a digest) of the one.
        policy: Those of the other.
        differences: Names of what differs; a base that one of them does not name is not compared.
        shared_tokens: Share of all tokens, with their ids, that both have.
    """

    reward: dict[str, str]
    policy: dict[str, str]
    differences: tuple[str, ...]
    shared_tokens: Estimate


def compare_lineage(reward: Lineage, policy: Lineage) -> LineageMatch:
    """What the two have in common."""
    sides = [_described(each) for each in (reward, policy)]
    differences = tuple(name for name in sides[0] if name in sides[1] and sides[0][name] != sides[1][name])
    union = len(reward.vocabulary | policy.vocabulary)
    share = len(reward.vocabulary & policy.vocabulary) / union if union else float("nan")
    # Counted, not sampled: there is nothing to be unsure of.
    return LineageMatch(sides[0], sides[1], differences, Estimate(share, share, share, union, union))


def lineage_findings(match: LineageMatch) -> list[Finding]:
    """`shift.lineage`: the share of tokens in common, a warning where anything differs."""
    shared = match.shared_tokens
    if not match.differences:
        told = "Reward model and policy have the same architecture, width and vocabulary."
        return [Finding("shift.lineage", shared, "info", told, unit="share of tokens")]
    told = "; ".join(f"{name} {match.reward[name]} and {match.policy[name]}" for name in match.differences)
    told = f"The reward model and the policy differ: {told}. "
    if "vocabulary" in match.differences:
        told += f"They share {100 * shared.value:.1f}% of their tokens: score texts, never the policy's token ids. "
    told += "The reward was not fitted to what this policy knows and how it writes: label some of its answers."
    return [Finding("shift.lineage", shared, "warning", told, limit=1.0, unit="share of tokens")]


def _described(lineage: Lineage) -> dict[str, str]:
    named = {
        "architecture": lineage.architecture,
        "hidden size": lineage.hidden_size,
        "base": lineage.base,
        "vocabulary": f"{len(lineage.vocabulary):,} tokens, digest {lineage.vocabulary_digest[:12]}",
    }
    return {name: str(value) for name, value in named.items() if value is not None}
