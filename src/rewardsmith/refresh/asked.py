"""The file of pairs to label: what a row says, and which of the labels that come back answer it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rewardsmith.core.conversation import Conversation, from_dicts, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.intervals import share_bootstrap
from rewardsmith.refresh.choose import LOT, Chosen
from rewardsmith.refresh.pool import Pool, Reading

SOURCE = "refresh"
"""Source of the rows, for figures by source."""

_ID_CHARS = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """A pair that people were asked about.

    Attributes:
        id: Digest of the prompt and both responses, whichever way round.
        group: Prompt group.
        prompt: Turns up to the response.
        responses: The two, in an order by lot.
        by: What it was chosen by.
        value: Acquisition value.
        why: A sentence for whoever labels it.
        rewards: The incumbent's, of the two.
        priority: Pairs that come after it: the higher, the sooner it is asked.
    """

    id: str
    group: str
    prompt: Conversation
    responses: tuple[Conversation, Conversation]
    by: str
    value: float
    why: str
    rewards: tuple[float, float]
    priority: int = 0

    @property
    def key(self) -> tuple[Conversation, frozenset[Conversation]]:
        """What makes it the same question, whichever way round."""
        return key_of(self.prompt, self.responses)

    def row(self) -> dict[str, Any]:
        """A row of a pair file. `label` is `abstain`: nobody has judged it, and no reader takes it for a preference.

        `chosen` and `rejected` are the two responses in an order that carries no meaning.
        """
        return {
            "id": self.id,
            "prompt_id": self.group,
            "prompt": to_dicts(self.prompt),
            "chosen": to_dicts(self.responses[0]),
            "rejected": to_dicts(self.responses[1]),
            "label": "abstain",
            "source": SOURCE,
            "why": self.why,
            "chosen_by": self.by,
            "acquisition": self.value,
            "priority": self.priority,
            "rewards": list(self.rewards),
        }


@dataclass(frozen=True, slots=True)
class Answers:
    """Labels that came back.

    Attributes:
        preferences: Each with the prompt group that it was asked under.
        counts: What was asked, answered, answered alike, and what nobody asked about.
        accuracy: Of the incumbent on the answered pairs that were drawn by lot; NaN without any.
        hard_accuracy: The same on those that were chosen: how hard they are, and no accuracy of the model.
    """

    preferences: tuple[Preference, ...]
    counts: dict[str, int]
    accuracy: Estimate
    hard_accuracy: Estimate


def asked_of(pool: Pool, reading: Reading, chosen: Sequence[Chosen]) -> list[Asked]:
    """The rows of the file, in the order of the choice."""
    found = []
    for place, one in enumerate(chosen):
        sides = [pool.conversations[number] for number in pool.pairs[one.pair].tolist()]
        first, second = reading.rewards[one.pair].tolist()
        found.append(
            Asked(
                id=_id(sides),
                group=pool.groups[one.pair],
                prompt=sides[0][:-1],
                responses=(sides[0][-1:], sides[1][-1:]),
                by=one.by,
                value=one.value,
                why=one.why,
                rewards=(first, second),
                priority=len(chosen) - 1 - place,
            )
        )
    return found


def asked_from(values: Mapping[str, Any], *, where: str) -> Asked:
    """The pair of a row; the inverse of `Asked.row`.

    Raises:
        DataError: It is no row of a file of pairs to label.
    """
    try:
        first, second = (from_dicts(values[side]) for side in ("chosen", "rejected"))
        one, other = values["rewards"]
        return Asked(
            id=str(values["id"]),
            group=str(values["prompt_id"]),
            prompt=from_dicts(values["prompt"]),
            responses=(first, second),
            by=str(values["chosen_by"]),
            value=float(values["acquisition"]),
            why=str(values["why"]),
            rewards=(float(one), float(other)),
            priority=int(values["priority"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("not a row of pairs to label", got=error, where=where) from error


def key_of(prompt: Conversation, responses: Iterable[Conversation]) -> tuple[Conversation, frozenset[Conversation]]:
    """See `Asked.key`."""
    return prompt, frozenset(responses)


def answered(asked: Sequence[Asked], labels: Iterable[Preference], *, seed: int = 0) -> Answers:
    """Which questions the labels answer. They are matched by their texts, so that a tool may give rows other ids.

    Labels of pairs that nobody asked about are labels all the same, and are kept; of two labels of one question the
    first is kept here, and both are counted.
    """
    open_questions = {each.key: each for each in asked}
    counts = Counter(asked=len(open_questions), answered=0, ties=0, repeated=0, not_asked=0)
    kept: list[Preference] = []
    credits: list[tuple[bool, float, str]] = []
    seen: set[object] = set()
    for label in labels:
        key = key_of(label.prompt, label.responses)
        question = open_questions.get(key)
        if key in seen:
            counts["repeated"] += 1
            continue
        seen.add(key)
        if question is None:
            kept.append(label)
            counts["not_asked"] += 1
            continue
        kept.append(replace(label, id=question.id, group=question.group, source=SOURCE))
        is_tie = label.pairs[0].tie or label.pairs[0].prob_chosen == 0.5
        counts.update(answered=1, ties=int(is_tie))
        if not is_tie:
            credits.append((question.by == LOT, _credit(question, label), question.group))
    return Answers(
        preferences=tuple(kept),
        counts=dict(counts) | {"unanswered": counts["asked"] - counts["answered"]},
        accuracy=_accuracy([each for each in credits if each[0]], seed=seed),
        hard_accuracy=_accuracy([each for each in credits if not each[0]], seed=seed),
    )


def _credit(question: Asked, label: Preference) -> float:
    """1 where the incumbent's rewards agree with the label, a half where they tie."""
    rewards = dict(zip(question.responses, question.rewards, strict=True))
    pair = label.pairs[0]
    margin = rewards[label.responses[pair.chosen]] - rewards[label.responses[pair.rejected]]
    if pair.prob_chosen < 0.5:
        margin = -margin
    return 0.5 if margin == 0 else float(margin > 0)


def _accuracy(credits: Sequence[tuple[bool, float, str]], *, seed: int) -> Estimate:
    values = np.array([credit for _, credit, _ in credits], dtype=np.float64)
    return share_bootstrap(values, [group for *_, group in credits], seed=seed)


def _id(sides: Sequence[Conversation]) -> str:
    return f"{SOURCE}-{digest_json(sorted(digest_json(to_dicts(side)) for side in sides))[:_ID_CHARS]}"
