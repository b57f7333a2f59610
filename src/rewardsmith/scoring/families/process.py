"""Process and outcome reward models: a probability for each step of an answer, and one reward from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32
from pydantic import Field, ValidationError

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ModelError, OverlengthError, SettingsError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.core.settings import Settings
from rewardsmith.models import head
from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.steps.load import LoadedStepModel, load_step_checkpoint
from rewardsmith.models.steps.model import StepModel
from rewardsmith.numerics.steps import Aggregation, aggregate, locate_first_error, probabilities_of
from rewardsmith.scoring.families.spec import SPEC_NAME
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.provenance import state_digest
from rewardsmith.scoring.step_passes import StepPasses
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.steps import CUT, SEPARATOR, EncodedSteps, Splitting, StepEncoder, shortened, split_steps

FAMILY = "process"

Solution = tuple[Conversation, Sequence[str]]
"""Prompt and steps."""


class ProcessSpec(Settings):
    """What `scorer.json` of a process or outcome reward model says beside its family."""

    target: Literal["steps", "outcome"] = "steps"
    """What the probabilities are of: each step, or of the final answer, read at the last step."""

    aggregation: Aggregation = "product"
    """How the steps become one reward; see `numerics.steps.aggregate`."""

    splitting: Splitting = "lines"
    """Where an answer is cut into steps: `lines` or `paragraphs`; blank steps are left out."""

    separator: str = SEPARATOR
    """What follows each step in the text that the model reads."""

    max_tokens: int | None = Field(default=None, ge=1)
    """Longest conversation in training."""

    error_threshold: float = Field(default=0.5, ge=0, le=1)
    """A step whose probability is below counts as wrong; fitted on the training side."""

    template_digest: str | None = None
    """Digest of the chat template in training."""


class ProcessScorer:
    """Scores answers by their steps.

    `Scores.steps` are probabilities that each step is right (of an outcome model: that the solution so far leads to a
    right answer; the last one counts). `Scores.rewards` put them together on the scale of a logit: `product` Σ log p,
    `minimum` the logit of the smallest p, `last` that of the last p. An answer is cut into steps by the rule in the
    spec; steps that are known go into `score_steps`.

    Equal solutions of a call are computed once. The rewards equal those of `packs=False`, one solution at a time, to
    rounding.

    Args:
        model: Put into evaluation mode for the time of a call.
        encoder: Its `max_tokens` is the limit.
        spec: How steps are cut, read and put together.
        overlength: What happens to longer conversations; `truncate` cuts from the left, the problem first. A step that
            is cut away has the probability NaN and no part in the reward.
        model_digest: Digest of the weights; taken from the weights in memory where absent.
        token_budget: See `StepPasses`, as for the others.
        packs: Batches under a token budget; else one solution at a time.
        uses_bf16: The network runs in bfloat16.
    """

    def __init__(
        self,
        model: StepModel,
        encoder: ConversationEncoder,
        spec: ProcessSpec,
        *,
        overlength: Overlength = "raise",
        model_digest: str | None = None,
        token_budget: int | None = None,
        packs: bool = True,
        uses_bf16: bool = False,
    ) -> None:
        self.model = model
        self.encoder = encoder
        self.spec = spec
        self.overlength: Overlength = overlength
        self.n_truncated = 0
        self._steps = StepEncoder(encoder, separator=spec.separator)
        self._passes = StepPasses(
            model, pad_id=encoder.pad_id, token_budget=token_budget, packs=packs, uses_bf16=uses_bf16
        )
        said = digest_json([model_digest or state_digest(model), spec.model_dump(mode="json")])
        self._provenance = Provenance(said, encoder.template_digest)

    @property
    def provenance(self) -> Provenance:
        """A digest of weights and spec; the template's."""
        return self._provenance

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """The reward and the steps of each conversation, in order; its last turn is the answer.

        Raises:
            ModelError: A conversation does not end with the assistant's turn.
            OverlengthError: One is too long, and truncation was not asked for.
        """
        return self.score_steps([self._solution(each, number) for number, each in enumerate(conversations)])

    def score_steps(self, solutions: Sequence[Solution]) -> Scores:
        """The same of prompts and steps, which are taken as they are, but for blanks around them.

        Raises:
            ModelError: A solution has no step.
            OverlengthError: One is too long, and truncation was not asked for.
        """
        stripped = [(prompt, [step.strip() for step in steps]) for prompt, steps in solutions]
        encoded = [self._within(each, number) for number, each in enumerate(self._steps.encode(stripped))]
        logits = self._logits(encoded)
        return Scores(
            rewards=np.array([aggregate(each, self.spec.aggregation) for each in logits], np.float32),
            provenance=self._provenance,
            steps=tuple(probabilities_of(each).astype(np.float32) for each in logits),
        )

    def first_errors(self, scores: Scores) -> list[int]:
        """Number of the first step, from 0, that is below the spec's threshold; −1 where none is."""
        return [locate_first_error(each, self.spec.error_threshold) for each in scores.steps or ()]

    def _solution(self, conversation: Conversation, number: int) -> Solution:
        if not conversation or conversation[-1].role != "assistant":
            raise ModelError(
                "a conversation without an answer",
                wanted="an assistant turn at the end",
                got=conversation[-1].role if conversation else "no turn",
                where=f"conversation {number}",
            )
        return conversation[:-1], split_steps(conversation[-1].content, self.spec.splitting)

    def _within(self, encoded: EncodedSteps, number: int) -> EncodedSteps:
        limit = self.encoder.max_tokens
        if limit is None or len(encoded.input_ids) <= limit:
            return encoded
        short = shortened(encoded, max_tokens=limit, bos_id=self.encoder.bos_id)
        if self.overlength == "raise" or short.places[-1] == CUT:
            raise OverlengthError(
                "a conversation is too long",
                wanted=f"at most {limit} tokens",
                got=f"{len(encoded.input_ids)} tokens",
                where=f"conversation {number}",
                fix="shorten it, or allow truncation of the prompt",
            )
        self.n_truncated += 1
        return short

    def _logits(self, encoded: Sequence[EncodedSteps]) -> list[Float32[np.ndarray, " step"]]:
        """The logit of each step, NaN where it was cut away; equal solutions are computed once."""
        keys = [(each.input_ids.tobytes(), each.places.tobytes()) for each in encoded]
        distinct = dict(zip(keys, encoded, strict=True))
        read = [each.places[each.places != CUT] for each in distinct.values()]
        found = self._passes.logits([each.input_ids for each in distinct.values()], read)
        known = {}
        for (key, each), logits in zip(distinct.items(), found, strict=True):
            known[key] = np.full(len(each.places), np.nan, np.float32)
            known[key][each.places != CUT] = logits
        return [known[key] for key in keys]


def load(folder: Path, spec: Mapping[str, Any], options: ScoringOptions) -> ProcessScorer:
    """The scorer of a folder that `training.steps` wrote.

    Raises:
        ModelError: The folder holds no step model, or its chat template has changed since training.
        SettingsError: The engine is unknown, `max_tokens` is more than the model takes, or a cache is asked for.
    """
    said = _parsed(spec, folder)
    if options.engine not in ("fast", "reference"):
        raise SettingsError("unknown engine", wanted="fast or reference", got=options.engine)
    if options.cache is not None:
        raise SettingsError("a process reward model keeps no cache", wanted="no cache", got=options.cache)
    loaded = load_step_checkpoint(folder)
    loaded.model.to(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    encoder = ConversationEncoder(loaded.tokenizer, max_tokens=_limit(loaded, said, options.max_tokens))
    _check_template(said, encoder, folder)
    return ProcessScorer(
        loaded.model,
        encoder,
        said,
        overlength=options.overlength,
        model_digest=loaded.digest,
        token_budget=options.token_budget,
        packs=options.engine == "fast",
        uses_bf16=options.engine == "fast" and _uses_bf16(options, loaded.model.device),
    )


def _parsed(spec: Mapping[str, Any], folder: Path) -> ProcessSpec:
    try:
        return ProcessSpec.model_validate({key: value for key, value in spec.items() if key != "family"})
    except ValidationError as error:
        raise ModelError("unreadable scorer", got=error, where=str(folder / SPEC_NAME)) from error


def _limit(loaded: LoadedStepModel, spec: ProcessSpec, wanted: int | None) -> int | None:
    capacity = token_capacity(head.plain(loaded.model.network), loaded.tokenizer)
    if wanted is not None and capacity is not None and wanted > capacity:
        raise SettingsError(
            "max_tokens is more than the model takes", wanted=f"at most {capacity}", got=wanted, where="max_tokens"
        )
    return wanted or min((limit for limit in (spec.max_tokens, capacity) if limit is not None), default=None)


def _check_template(spec: ProcessSpec, encoder: ConversationEncoder, folder: Path) -> None:
    if spec.template_digest not in (None, encoder.template_digest):
        raise ModelError(
            "the chat template differs from the one in training",
            wanted=f"template digest {str(spec.template_digest)[:12]}",
            got=encoder.template_digest[:12],
            where=str(folder),
            fix="restore the tokenizer files that were saved with the model",
        )


def _uses_bf16(options: ScoringOptions, device: torch.device) -> bool:
    return options.precision == "bf16" or (
        options.precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported()
    )
