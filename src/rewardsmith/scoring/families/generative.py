"""The scorer of a generative reward model: it writes a rationale for each response, and then scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32
from pydantic import Field, ValidationError

from rewardsmith.batching import buckets
from rewardsmith.batching.collate import pad
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import ModelError, OverlengthError, SettingsError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.core.settings import Settings
from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.causal_lm import TOKEN_BUDGET
from rewardsmith.models.generative import GenerativeRewardModel
from rewardsmith.models.generative_checkpoint import load_generative
from rewardsmith.models.rationales import CLOSING, REQUEST, VERDICTS, RationaleFormat, write_rationales
from rewardsmith.scoring.families.spec import SPEC_NAME
from rewardsmith.scoring.limits import Ids, Overlength, within
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.provenance import state_digest
from rewardsmith.text.encoder import ConversationEncoder

FAMILY = "generative"


class GenerativeSpec(Settings):
    """What `scorer.json` of a generative reward model says beside its family."""

    score_from: Literal["head", "verdict"] = "head"
    """Where the reward is read after the rationale."""

    rationale_tokens: int = Field(default=48, ge=0)
    """Longest rationale."""

    request: str = REQUEST
    """What the user says after the response."""

    closing: str = CLOSING
    """What stands between rationale and verdict."""

    verdicts: tuple[str, str] = VERDICTS
    """The good and the bad verdict."""

    template_digest: str | None = None
    """Of the chat template in training."""

    max_tokens: int | None = None
    """Longest conversation in training, without request and rationale."""


class GenerativeScorer:
    """Writes a rationale after each conversation, greedily, and reads the reward at its end.

    The same texts get the same rationales and rewards; equal ones in a call are computed once, and what was scored
    before in this process is remembered (the last `remembered` of them).

    Args:
        model: Put into evaluation mode for the time of a call.
        form: The words around a rationale, and how long it may be. Its encoder's `max_tokens` is the limit of a
            conversation.
        overlength: What happens to longer ones; `truncate` cuts the prompt from the left and counts them.
        token_budget: Most tokens in one pass, padding included; see `models.rationales.write_rationales`.
        model_digest: Digest of the weights; taken from the weights in memory where absent.
        remembered: Most rewards that are kept in memory, with their rationales.
    """

    def __init__(
        self,
        model: GenerativeRewardModel,
        form: RationaleFormat,
        *,
        overlength: Overlength = "raise",
        token_budget: int | None = None,
        model_digest: str | None = None,
        remembered: int = 1 << 16,
    ) -> None:
        self.model = model
        self.form = form
        self.encoder = form.encoder
        self.overlength: Overlength = overlength
        self.token_budget = token_budget or TOKEN_BUDGET
        self.n_truncated = 0
        self._remembered = remembered
        self._known: dict[bytes, tuple[float, str]] = {}
        self._provenance = Provenance(model_digest or state_digest(model), form.encoder.template_digest)

    @property
    def provenance(self) -> Provenance:
        """Digests that every `Scores` of this scorer carries."""
        return self._provenance

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """One reward and one rationale a conversation, in order.

        Raises:
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        contexts, n_cut = contexts_within(self.form, self.model, conversations, overlength=self.overlength)
        self.n_truncated += n_cut
        keys = [ids.tobytes() for ids in contexts]
        missing = {key: ids for key, ids in zip(keys, contexts, strict=True) if key not in self._known}
        found = {key: self._known[key] for key in dict.fromkeys(keys) if key in self._known}
        if missing:
            found |= dict(zip(missing, self._judged(list(missing.values())), strict=True))
            self._remember(found)
        rewards = np.array([found[key][0] for key in keys], dtype=np.float32)
        return Scores(rewards, self._provenance, rationales=tuple(found[key][1] for key in keys))

    def _judged(self, contexts: Sequence[Ids]) -> list[tuple[float, str]]:
        written = write_rationales(self.model.network, self.form, contexts, token_budget=self.token_budget)
        sequences = [self.form.judged(*each).ids for each in zip(contexts, written, strict=True)]
        rewards = read_rewards(self.model, sequences, pad_id=self.encoder.pad_id, token_budget=self.token_budget)
        return list(zip(rewards.tolist(), map(self.form.text, written), strict=True))

    def _remember(self, found: Mapping[bytes, tuple[float, str]]) -> None:
        self._known.update(found)
        for key in list(self._known)[: max(0, len(self._known) - self._remembered)]:
            del self._known[key]


def read_rewards(
    model: GenerativeRewardModel, sequences: Sequence[Ids], *, pad_id: int, token_budget: int
) -> Float32[np.ndarray, " sequence"]:
    """The reward at the end of each sequence, in batches of similar length."""
    rewards = np.zeros(len(sequences), np.float32)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for batch in buckets.plan([len(ids) for ids in sequences], max_tokens=token_budget):
                padded = pad([sequences[index] for index in batch], pad_id=pad_id)
                inputs = (padded.input_ids, padded.attention_mask, padded.position_ids)
                found, _ = model(*(torch.from_numpy(each).to(model.device) for each in inputs))
                rewards[batch] = found.cpu().numpy()
    finally:
        model.train(was_training)
    return rewards


def contexts_within(
    form: RationaleFormat,
    model: GenerativeRewardModel,
    conversations: Sequence[Conversation],
    *,
    overlength: Overlength,
) -> tuple[list[Ids], int]:
    """What the model goes on from for each conversation, within its limit, and how many were cut.

    Room is kept for the longest rationale and the closing.

    Raises:
        OverlengthError: A conversation is too long and the rule is `raise`, or there is no room for a rationale.
    """
    known: Any = model
    capacity = token_capacity(known, form.encoder.tokenizer)
    own = form.encoder.max_tokens
    room = None if capacity is None else capacity - form.max_tokens - len(form.closing_ids)
    if room is not None and room <= form.frame_tokens:
        raise OverlengthError(
            "request and rationale leave no room for a conversation",
            wanted=f"fewer than {capacity} tokens in all",
            got=f"{form.frame_tokens} of the request and {form.max_tokens} of the rationale",
            fix="shorten generative.request or generative.max_tokens",
        )
    limits = [limit for limit in (room, None if own is None else own + form.frame_tokens) if limit is not None]
    return within(
        [form.context(each) for each in conversations],
        max_tokens=min(limits, default=None),
        overlength=overlength,
        bos_id=form.encoder.bos_id,
    )


def load(folder: Path, spec: Mapping[str, Any], options: ScoringOptions) -> GenerativeScorer:
    """The generative reward model in `folder`, of which `scorer.json` says `spec`.

    Args:
        options: A `cache` is not used: rationales are no numbers. `reference` writes and scores one at a time.

    Raises:
        ModelError: `scorer.json` is not that of a generative model, or the model cannot be loaded.
        SettingsError: bf16 was asked for.
    """
    where = str(folder / SPEC_NAME)
    try:
        said = GenerativeSpec.model_validate({key: value for key, value in spec.items() if key != "family"})
    except ValidationError as error:
        raise ModelError("not a generative model", got=error.errors()[0], where=where, fix="train it again") from error
    if options.precision == "bf16":
        raise SettingsError("in bfloat16 another word may be written", wanted="float32", got="bf16", where="precision")
    loaded = load_generative(folder, score_from=said.score_from)
    loaded.model.to(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    encoder = ConversationEncoder(loaded.tokenizer, max_tokens=options.max_tokens or said.max_tokens)
    if said.template_digest not in (None, encoder.template_digest):
        raise ModelError(
            "the chat template differs from the one in training",
            where=where,
            fix="restore the tokenizer files that were saved with the model",
        )
    form = RationaleFormat(
        encoder,
        request=said.request,
        closing=said.closing,
        verdicts=said.verdicts,
        max_tokens=said.rationale_tokens,
    )
    loaded.model.verdicts = form.verdict_ids
    budget = 1 if options.engine == "reference" else options.token_budget
    return GenerativeScorer(
        loaded.model, form, overlength=options.overlength, token_budget=budget, model_digest=loaded.digest
    )
