"""Reward models of different cohorts as one scorer, by a rule of `numerics.merging`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ModelError
from rewardsmith.core.scores import Provenance, Scorer, Scores
from rewardsmith.core.settings import Settings
from rewardsmith.numerics.combination import Standard
from rewardsmith.numerics.merging import Constraint, Merge, MergeRule
from rewardsmith.scoring.families.spec import SPEC_NAME

FAMILY = "merged"


class MemberSpec(Settings):
    """One member in `scorer.json`."""

    name: str
    """Its cohort."""

    path: str
    """Its folder, relative to the merged one's."""


class ParametersSpec(Settings):
    """What a rule was fitted to, as JSON; each list has one number a member."""

    offsets: tuple[float, ...] | None = None
    """Of the reference set, in the member's own units."""

    scales: tuple[float, ...] | None = None
    """Likewise."""

    temperatures: tuple[float, ...] | None = None
    """Of each member on its own cohort."""

    objective: str | None = None
    """Name of the member that is to be as high as possible."""

    thresholds: tuple[float, ...] | None = None
    """In standard deviations of the reference set."""

    strength: float | None = None
    """λ."""


class MergedSpec(Settings):
    """What `scorer.json` of a merged model says beside its family."""

    members: tuple[MemberSpec, ...] = Field(min_length=1)
    """The members, in the order of the lists in `parameters`."""

    rule: MergeRule
    """How their rewards become one."""

    parameters: ParametersSpec
    """What the rule was fitted to."""


class MergedScorer:
    """Scores with every member, and puts the rewards together by a rule.

    `Scores.attributes` holds what of each member is put together, under the name of its cohort: its reward, its
    standardised reward or its calibrated log-odds.

    Args:
        members: Scorers by the name of their cohort, even of different tokenizers.
        merge: The rule, fitted for as many members, in their order.

    Raises:
        DataError: The rule was fitted for another number of members.
    """

    def __init__(self, members: Mapping[str, Scorer], merge: Merge) -> None:
        merge(np.zeros((len(members), 1)))
        self.members = dict(members)
        self.merge = merge

    @property
    def n_truncated(self) -> int:
        """Conversations that were cut for the member that had to cut most of them."""
        return max(int(getattr(member, "n_truncated", 0)) for member in self.members.values())

    @property
    def provenance(self) -> Provenance:
        """A digest of the members' and of the fitted rule; the template's where all members share one."""
        return self._provenance([member.score([]).provenance for member in self.members.values()])

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """The merged reward of each conversation, in order, and what it was put together from.

        Raises:
            OverlengthError: A conversation is too long for a member, and truncation was not asked for.
        """
        found = [member.score(conversations) for member in self.members.values()]
        rewards = np.stack([each.rewards for each in found])
        parts = self.merge.parts(rewards).astype(np.float32)
        return Scores(
            rewards=self.merge(rewards).astype(np.float32),
            provenance=self._provenance([each.provenance for each in found]),
            attributes=dict(zip(self.members, parts, strict=True)),
        )

    def _provenance(self, members: Sequence[Provenance]) -> Provenance:
        said = spec_of({name: each.model_digest for name, each in zip(self.members, members, strict=True)}, self.merge)
        templates = sorted({each.template_digest for each in members})
        template = templates[0] if len(templates) == 1 else digest_json(templates)
        return Provenance(digest_json({"family": FAMILY, **said}), template)


def spec_of(members: Mapping[str, str], merge: Merge) -> dict[str, Any]:
    """What is written to `scorer.json` beside the family; `load` reads it.

    Args:
        members: Name → folder, relative to the merged one's.
    """
    constraint, standard = merge.constraint, merge.standard
    parameters = ParametersSpec(
        offsets=None if standard is None else tuple(standard.offsets.tolist()),
        scales=None if standard is None else tuple(standard.scales.tolist()),
        temperatures=None if merge.temperatures is None else tuple(merge.temperatures.tolist()),
        objective=None if constraint is None else list(members)[constraint.objective],
        thresholds=None if constraint is None else tuple(constraint.thresholds.tolist()),
        strength=None if constraint is None else constraint.strength,
    )
    spec = MergedSpec(
        members=tuple(MemberSpec(name=name, path=path) for name, path in members.items()),
        rule=merge.rule,
        parameters=parameters,
    )
    return spec.model_dump(mode="json", exclude_none=True)


def load(folder: Path, spec: Mapping[str, Any], load_member: Callable[[Path], Scorer]) -> MergedScorer:
    """The merged model in `folder`, of which `scorer.json` says `spec`.

    Args:
        load_member: Loads the member at a path.

    Raises:
        ModelError: `scorer.json` is not that of a merged model, or a member cannot be loaded.
    """
    where = str(folder / SPEC_NAME)
    try:
        said = MergedSpec.model_validate({key: value for key, value in spec.items() if key != "family"})
    except ValidationError as error:
        raise ModelError("not a merged model", got=error.errors()[0], where=where, fix="merge it again") from error
    names = [member.name for member in said.members]
    if len(set(names)) != len(names):
        raise ModelError("two members of one name", wanted="a name each", got=", ".join(names), where=where)
    merge = _merge(said, names)
    return MergedScorer({member.name: load_member(folder / member.path) for member in said.members}, merge)


def _merge(said: MergedSpec, names: Sequence[str]) -> Merge:
    given = said.parameters
    standard = constraint = None
    if given.offsets is not None and given.scales is not None:
        standard = Standard(np.array(given.offsets), np.array(given.scales))
    if given.thresholds is not None and given.objective in names and given.strength is not None:
        constraint = Constraint(names.index(given.objective), np.array(given.thresholds), given.strength)
    temperatures = None if given.temperatures is None else np.array(given.temperatures)
    return Merge(said.rule, standard=standard, temperatures=temperatures, constraint=constraint)
