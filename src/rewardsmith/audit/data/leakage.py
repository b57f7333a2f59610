"""Leakage: held-out prompts, or whole held-out conversations, that the model was trained on."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from rewardsmith.audit.absent import Absent
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.finding import Finding
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.intervals import wilson

_MAX_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Leakage:
    """Held-out preferences that stand in the training data, after normalisation of the text.

    Attributes:
        preferences: Number of held-out preferences looked at.
        prompts: How many have a prompt that some training preference has too.
        conversations: How many have a prompt + response that some training preference has too.
        prompt_ids: Ids of a few of the first kind.
        conversation_ids: Ids of a few of the second kind.
    """

    preferences: int
    prompts: int
    conversations: int
    prompt_ids: tuple[str, ...]
    conversation_ids: tuple[str, ...]


def normalise(conversation: Conversation) -> str:
    """Roles and texts, Unicode NFKC, case folded, white space collapsed: equal for texts that a person calls equal."""
    return "\n".join(
        f"{role}: {' '.join(unicodedata.normalize('NFKC', text).casefold().split())}" for role, text in conversation
    )


def find_leakage(heldout: Sequence[Preference], train: Sequence[Preference]) -> Leakage:
    """Compare every held-out prompt and conversation with those of `train`. Empty prompts are not compared."""
    train_prompts: set[str] = set()
    train_conversations: set[str] = set()
    for preference in train:
        prompt, conversations = _texts(preference)
        train_prompts.add(prompt)
        train_conversations.update(conversations)
    prompt_ids, conversation_ids = [], []
    for preference in heldout:
        prompt, conversations = _texts(preference)
        if prompt and prompt in train_prompts:
            prompt_ids.append(preference.id)
        if not train_conversations.isdisjoint(conversations):
            conversation_ids.append(preference.id)
    return Leakage(
        preferences=len(heldout),
        prompts=len(prompt_ids),
        conversations=len(conversation_ids),
        prompt_ids=tuple(prompt_ids[:_MAX_EXAMPLES]),
        conversation_ids=tuple(conversation_ids[:_MAX_EXAMPLES]),
    )


def leakage_findings(leakage: Leakage | Absent) -> list[Finding]:
    """`leakage.prompts` and `leakage.conversations`; nothing where there was no training data to compare with."""
    if isinstance(leakage, Absent):
        return []
    return [
        _finding("leakage.prompts", "prompt", leakage.prompts, leakage.preferences, leakage.prompt_ids),
        _finding(
            "leakage.conversations",
            "prompt and response",
            leakage.conversations,
            leakage.preferences,
            leakage.conversation_ids,
        ),
    ]


def _texts(preference: Preference) -> tuple[str, list[str]]:
    prompt = normalise(preference.prompt)
    return prompt, [f"{prompt}\n{normalise(response)}" for response in preference.responses]


def _finding(name: str, what: str, count: int, total: int, examples: tuple[str, ...]) -> Finding:
    share = wilson(count, total)
    if not count:
        return Finding(name, share, "info", f"No held-out {what} stands in the training data.", limit=0.0)
    return Finding(
        name,
        share,
        "critical",
        f"{count} of {total} held-out preferences repeat a training {what}: the accuracy is not a held-out one. "
        "Split by prompt group and train again.",
        limit=0.0,
        examples=examples,
    )
