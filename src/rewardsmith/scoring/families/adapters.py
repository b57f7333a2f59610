"""An ensemble of LoRA adapters over one backbone: members cost their own last blocks, and the rest is computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field, ValidationError

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.scores import Provenance, Scorer, Scores
from rewardsmith.models.adapter_ensemble import AdapterEnsemble, share
from rewardsmith.models.load import load_checkpoint
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.numerics.combination import Rule, Standard, combine, spread, standardise
from rewardsmith.scoring.families.ensemble import EnsembleScorer, EnsembleSpec, check_rule, spec_of
from rewardsmith.scoring.families.spec import SPEC_NAME
from rewardsmith.scoring.limits import Ids, Overlength
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.single import check_template, token_limit
from rewardsmith.scoring.statistics import ScoringStatistics
from rewardsmith.scoring.values import Precision, TextValues
from rewardsmith.text.encoder import ConversationEncoder

FAMILY = "adapters"


class AdapterEnsembleSpec(EnsembleSpec):
    """What `scorer.json` of an ensemble of adapters says beside its family."""

    base: str = Field(min_length=1)
    """The members' base model: folder, hub id or a built-in name. Its weights are not in the folder."""


class AdapterEnsembleScorer:
    """Scores with all members in one pass, on the scale of the reference set, and combines.

    The rewards are those of an `EnsembleScorer` of the merged members, to rounding. As in `FastScorer` each distinct
    text is computed once and the rewards of its members are remembered, whatever the rule.

    Args:
        model: The members over their common backbone.
        encoder: Its `max_tokens` is the limit.
        standard: From the reference set; one offset and one scale a member.
        rule: `mean`; `worst`, the smallest; `penalised`, mean − λ·variance.
        weight: λ.
        token_budget: See `FastScorer`, as for the others.
        precision: Of the networks' arithmetic.
        overlength: What happens to longer conversations.
        model_digest: Digest of the members' weights; taken from the weights in memory where absent.
        cache: Folder that keeps the members' rewards for later processes.

    Raises:
        SettingsError: The standard is not one of as many members, the rule is unknown, λ or the budget is too small,
            or the cache folder cannot be used.
    """

    def __init__(
        self,
        model: AdapterEnsemble,
        encoder: ConversationEncoder,
        standard: Standard,
        *,
        rule: Rule = "mean",
        weight: float = 0.5,
        token_budget: int | None = None,
        precision: Precision = "float32",
        overlength: Overlength = "raise",
        model_digest: str | None = None,
        cache: str | Path | None = None,
    ) -> None:
        if model.width != len(standard):
            raise SettingsError("a standard of other members", wanted=f"{len(standard)} members", got=model.width)
        check_rule(rule, weight)
        self.model = model
        self.encoder = encoder
        self.standard = standard
        self.rule: Rule = rule
        self.weight = weight
        self._values = TextValues(
            model,
            encoder,
            width=model.width,
            token_budget=token_budget,
            precision=precision,
            overlength=overlength,
            model_digest=model_digest,
            cache=cache,
        )

    @property
    def n_truncated(self) -> int:
        """Conversations that were cut to fit, so far."""
        return self._values.n_truncated

    @property
    def provenance(self) -> Provenance:
        """A digest of the members, the standard and the rule; the template's."""
        own = self._values.provenance
        said = spec_of([own.model_digest], self.standard, rule=self.rule, weight=self.weight)
        return Provenance(digest_json({"family": FAMILY, **said}), own.template_digest)

    @property
    def statistics(self) -> ScoringStatistics:
        """What was asked for, found and computed so far; a text counts once for all members."""
        return self._values.statistics

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """The combined reward of each conversation, in order, with the members' and their spread.

        Raises:
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        return self._scores(self._values.rewards(conversations))

    def score_ids(self, sequences: Sequence[Ids]) -> Scores:
        """The same of token ids; see `TokenScorer`.

        Raises:
            DataError: A sequence is empty, or holds an id that the model has no embedding for.
            OverlengthError: A sequence is too long, and truncation was not asked for.
        """
        self._values.require_known(sequences)
        return self._scores(self._values.of_ids(sequences, is_reward=True))

    def _scores(self, rows: Sequence[np.ndarray]) -> Scores:
        members = np.stack(rows, axis=1) if rows else np.empty((self.model.width, 0), np.float32)
        rewards = standardise(members, self.standard)
        return Scores(
            rewards=combine(rewards, self.rule, weight=self.weight).astype(np.float32),
            provenance=self.provenance,
            spread=spread(rewards).astype(np.float32),
            members=rewards.astype(np.float32),
        )


def load(
    folder: Path, spec: Mapping[str, Any], options: ScoringOptions, load_member: Callable[[Path], Scorer]
) -> AdapterEnsembleScorer | EnsembleScorer:
    """The ensemble in `folder`, of which `scorer.json` says `spec`.

    The reference engine scores with one merged member after the other.

    Raises:
        ModelError: `scorer.json` is not that of such an ensemble, a member cannot be loaded, the base is not found, or
            members have no blocks in common.
        SettingsError: See `load_scorer`.
    """
    said, standard = _read(spec, where=str(folder / SPEC_NAME))
    paths = [folder / name for name in said.members]
    if options.engine == "reference":
        return EnsembleScorer([load_member(path) for path in paths], standard, rule=said.rule, weight=said.weight)
    members = _Members(paths, base=said.base)
    model = share(members)
    model.to(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return AdapterEnsembleScorer(
        model,
        ConversationEncoder(members.first.tokenizer, max_tokens=token_limit(members.first, options.max_tokens)),
        standard,
        rule=said.rule,
        weight=said.weight,
        token_budget=options.token_budget,
        precision=options.precision,
        overlength=options.overlength,
        model_digest=digest_json(members.digests),
        cache=options.cache,
    )


class _Members:
    """The members at `paths`, loaded one after the other, and what is known of those that were.

    Attributes:
        digests: Of the adapters so far.
        first: The first member.
    """

    def __init__(self, paths: Sequence[Path], *, base: str) -> None:
        self.digests: list[str] = []
        self._paths = paths
        self._base = base

    def __iter__(self) -> Iterator[RewardModel]:
        for path in self._paths:
            yield self._loaded(path)

    def _loaded(self, path: Path) -> RewardModel:
        member = load_checkpoint(path)
        check_template(member, ConversationEncoder(member.tokenizer), str(path))
        if member.card.base != self._base:
            raise ModelError("a member of another base", wanted=self._base, got=member.card.base, where=str(path))
        if not self.digests:
            self.first = member
        self.digests.append(member.digest)
        return member.model


def _read(spec: Mapping[str, Any], *, where: str) -> tuple[AdapterEnsembleSpec, Standard]:
    """What `scorer.json` says, and the standard in it."""
    try:
        said = AdapterEnsembleSpec.model_validate({key: value for key, value in spec.items() if key != "family"})
    except ValidationError as error:
        raise ModelError(
            "not an ensemble of adapters", got=error.errors()[0], where=where, fix="train it again"
        ) from error
    standard = Standard(np.array(said.standard.offsets), np.array(said.standard.scales))
    if len(standard) != len(said.members):
        raise ModelError(
            "a standard of other members", wanted=f"{len(said.members)} members", got=len(standard), where=where
        )
    return said, standard
