"""Several scorers as one: rewards on a common scale, combined by a rule, and how far the members lie apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.scores import Provenance, Scorer, Scores
from rewardsmith.core.settings import Settings
from rewardsmith.numerics.combination import RULES, Rule, Standard, combine, spread, standardise
from rewardsmith.scoring.families.spec import SPEC_NAME

FAMILY = "ensemble"


class StandardSpec(Settings):
    """`Standard` as JSON."""

    offsets: tuple[float, ...]
    """Taken from each member's rewards, in its own units."""

    scales: tuple[float, ...]
    """What they are then divided by."""


class EnsembleSpec(Settings):
    """What `scorer.json` of an ensemble says beside its family."""

    members: tuple[str, ...] = Field(min_length=1)
    """The members' folders, relative to the ensemble's."""

    rule: Rule = "mean"
    """How the members' rewards become one."""

    weight: float = Field(default=0.5, ge=0)
    """λ of `penalised`."""

    standard: StandardSpec
    """The common scale of the members."""


class EnsembleScorer:
    """Scores with every member, on the scale of the reference set, and combines.

    A reward is in standard deviations within a prompt of the reference set. `Scores.members` are the standardised
    rewards of the members, `Scores.spread` their population standard deviation.

    Args:
        members: Any scorers, even of different tokenizers: they are asked one after the other.
        standard: From the reference set; one offset and one scale a member.
        rule: `mean`; `worst`, the smallest; `penalised`, mean − λ·variance.
        weight: λ.

    Raises:
        SettingsError: There is no member, the standard is not one of as many, the rule is unknown, or λ is below 0.
    """

    def __init__(
        self, members: Sequence[Scorer], standard: Standard, *, rule: Rule = "mean", weight: float = 0.5
    ) -> None:
        if not members or len(members) != len(standard):
            raise SettingsError("a standard of other members", wanted=f"{len(standard)} members", got=len(members))
        check_rule(rule, weight)
        self.members = tuple(members)
        self.standard = standard
        self.rule: Rule = rule
        self.weight = weight

    @property
    def n_truncated(self) -> int:
        """Conversations that were cut for the member that had to cut most of them."""
        return max(int(getattr(member, "n_truncated", 0)) for member in self.members)

    @property
    def provenance(self) -> Provenance:
        """A digest of the members', the standard and the rule; the template's where all members share one."""
        return self._provenance([member.score([]).provenance for member in self.members])

    def with_rule(self, rule: Rule, *, weight: float | None = None) -> EnsembleScorer:
        """The same members under another rule; what they remember is shared."""
        return EnsembleScorer(self.members, self.standard, rule=rule, weight=self.weight if weight is None else weight)

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """The combined reward of each conversation, in order, with the members' and their spread.

        Raises:
            OverlengthError: A conversation is too long for a member, and truncation was not asked for.
        """
        found = [member.score(conversations) for member in self.members]
        rewards = standardise(np.stack([each.rewards for each in found]), self.standard)
        return Scores(
            rewards=combine(rewards, self.rule, weight=self.weight).astype(np.float32),
            provenance=self._provenance([each.provenance for each in found]),
            spread=spread(rewards).astype(np.float32),
            members=rewards.astype(np.float32),
        )

    def _provenance(self, members: Sequence[Provenance]) -> Provenance:
        said = spec_of([each.model_digest for each in members], self.standard, rule=self.rule, weight=self.weight)
        templates = sorted({each.template_digest for each in members})
        template = templates[0] if len(templates) == 1 else digest_json(templates)
        return Provenance(digest_json({"family": FAMILY, **said}), template)


def check_rule(rule: Rule, weight: float) -> None:
    """Refuse an unknown rule, or a λ below 0, before any work is done.

    Raises:
        SettingsError: One of them is wrong.
    """
    if rule not in RULES:
        raise SettingsError("unknown rule", wanted=f"one of {', '.join(RULES)}", got=rule, where="rule")
    if weight < 0:
        raise SettingsError("a penalty below 0 rewards disagreement", wanted="at least 0", got=weight, where="weight")


def spec_of(members: Sequence[str], standard: Standard, *, rule: Rule, weight: float) -> dict[str, Any]:
    """What is written to `scorer.json` beside the family; `load` reads it."""
    return {
        "members": list(members),
        "rule": rule,
        "weight": weight,
        "standard": {"offsets": standard.offsets.tolist(), "scales": standard.scales.tolist()},
    }


def load(folder: Path, spec: Mapping[str, Any], load_member: Callable[[Path], Scorer]) -> EnsembleScorer:
    """The ensemble in `folder`, of which `scorer.json` says `spec`.

    Args:
        load_member: Loads the member at a path.

    Raises:
        ModelError: `scorer.json` is not that of an ensemble, or a member cannot be loaded.
    """
    where = str(folder / SPEC_NAME)
    try:
        said = EnsembleSpec.model_validate({key: value for key, value in spec.items() if key != "family"})
    except ValidationError as error:
        raise ModelError("not an ensemble", got=error.errors()[0], where=where, fix="combine it again") from error
    standard = Standard(np.array(said.standard.offsets), np.array(said.standard.scales))
    if len(standard) != len(said.members):
        raise ModelError(
            "a standard of other members", wanted=f"{len(said.members)} members", got=len(standard), where=where
        )
    members = [load_member(folder / name) for name in said.members]
    return EnsembleScorer(members, standard, rule=said.rule, weight=said.weight)
