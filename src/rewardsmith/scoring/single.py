"""The scorer of a single reward model: one checkpoint, one number a conversation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.load import LoadedModel, load_checkpoint
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.reference import ReferenceScorer
from rewardsmith.text.encoder import ConversationEncoder


def load_single(path: str | Path, options: ScoringOptions) -> FastScorer | ReferenceScorer:
    """The scorer of the checkpoint at `path`, a folder or a hub id, whatever else lies beside it.

    Raises:
        ModelError: No usable reward model is there, or its chat template has changed since training.
        SettingsError: The engine is unknown, `max_tokens` is more than the model has positions for, or the cache cannot
            be used.
    """
    if options.cache is not None and options.engine == "reference":
        raise SettingsError(
            "the reference engine keeps no cache", wanted="engine: fast", got="reference", where="cache"
        )
    loaded = load_checkpoint(path)
    loaded.model.to(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    encoder = ConversationEncoder(loaded.tokenizer, max_tokens=token_limit(loaded, options.max_tokens))
    check_template(loaded, encoder, str(path))
    shared: dict[str, Any] = {"overlength": options.overlength, "model_digest": loaded.digest}
    match options.engine:
        case "reference":
            return ReferenceScorer(loaded.model, encoder, **shared)
        case "fast":
            return FastScorer(
                loaded.model,
                encoder,
                token_budget=options.token_budget,
                precision=options.precision,
                cache=options.cache,
                **shared,
            )
        case other:
            raise SettingsError("unknown engine", wanted="fast or reference", got=other)


def token_limit(loaded: LoadedModel, wanted: int | None) -> int | None:
    """Most tokens of a conversation: `wanted`, or else what the model was trained on and can take.

    Raises:
        SettingsError: `wanted` is more than the model has positions for.
    """
    capacity = token_capacity(loaded.model, loaded.tokenizer)
    if wanted is not None and capacity is not None and wanted > capacity:
        raise SettingsError(
            "max_tokens is more than the model takes", wanted=f"at most {capacity}", got=wanted, where="max_tokens"
        )
    known = [limit for limit in (loaded.card.max_tokens, capacity) if limit is not None]
    return wanted or min(known, default=None)


def check_template(loaded: LoadedModel, encoder: ConversationEncoder, where: str) -> None:
    """The chat template is the one that the model was trained with, where that is known.

    Raises:
        ModelError: It is another one.
    """
    wanted = loaded.card.template_digest
    if wanted is not None and wanted != encoder.template_digest:
        raise ModelError(
            "the chat template differs from the one in training",
            wanted=f"template digest {wanted[:12]}",
            got=encoder.template_digest[:12],
            where=where,
            fix="restore the tokenizer files that were saved with the model",
        )
