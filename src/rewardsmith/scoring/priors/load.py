"""Terms of a prior from their settings: whatever they read from disk is read here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.digest import digest_json, load_file_digest
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.scores import Scorer
from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.causal_lm import load_causal_lm
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.scoring.cache import RewardCache
from rewardsmith.scoring.families.spec import SPEC_NAME
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.priors.function import find_function, function_digest, function_prior
from rewardsmith.scoring.priors.length import length_prior
from rewardsmith.scoring.priors.log_probability import LogProbabilityPrior
from rewardsmith.scoring.priors.prior import Prior
from rewardsmith.scoring.priors.remembered import RememberedPrior
from rewardsmith.scoring.priors.reward_model import RewardModelPrior
from rewardsmith.scoring.priors.rubric import rubric_prior
from rewardsmith.scoring.priors.settings import PriorTerm
from rewardsmith.text.encoder import ConversationEncoder

LoadScorer = Callable[[str, Overlength], Scorer]
"""From a folder or hub id, and what happens to conversations that are too long for it, to its scorer."""


@dataclass(frozen=True, slots=True)
class PriorResources:
    """What terms are loaded with.

    Attributes:
        tokenizer: Of the reward model; lengths in tokens are in its tokens.
        load_scorer: Loads the reward model that is a prior.
        device: Where a language model runs; the GPU where there is one, if absent.
        cache: Folder that keeps log-probabilities for later processes.
    """

    tokenizer: PreTrainedTokenizerBase
    load_scorer: LoadScorer
    device: str | None = None
    cache: Path | None = None


def load_prior(term: PriorTerm, resources: PriorResources) -> Prior:
    """The term, ready to be asked.

    Raises:
        SettingsError: The kind is unknown, the function cannot be found, or `max_tokens` is more than the model takes.
        ModelError: The term's model cannot be loaded.
    """
    match term.kind:
        case "length":
            tokenizer = resources.tokenizer if term.unit == "tokens" else None
            shape = {"shape": term.shape, "scale": term.scale, "target": term.target or 0.0}
            return Prior(term.kind, term.weight, partial(length_prior, tokenizer=tokenizer, **shape))
        case "rubric":
            return Prior(term.kind, term.weight, partial(rubric_prior, checks=term.checks))
        case "callable":
            name = str(term.function)
            function = partial(function_prior, function=find_function(name), name=name)
            return Prior(term.kind, term.weight, function)
        case "reward_model":
            scored = RewardModelPrior(resources.load_scorer(str(term.model), term.overlength))
            return Prior(term.kind, term.weight, scored, scored.n_truncated)
        case "log_probability":
            return _log_probability(term, resources)
        case other:
            raise SettingsError(
                "unknown kind of prior", wanted="length, log_probability, rubric, reward_model or callable", got=other
            )


def term_digest(term: PriorTerm) -> str:
    """Digest of what decides the term's values beyond its settings: a folder's weights, the source of a function.

    Of built-in models and hub ids the name stands for the weights. Empty where the settings say all.
    """
    if term.kind == "callable":
        return function_digest(find_function(str(term.function)))
    if term.model is None:
        return ""
    folder = Path(term.model)
    if not folder.is_dir():
        return digest_json({"name": term.model})
    spec = folder / SPEC_NAME
    return digest_json([weights_digest(folder), load_file_digest(spec) if spec.is_file() else ""])


def _log_probability(term: PriorTerm, resources: PriorResources) -> Prior:
    lm = load_causal_lm(str(term.model))
    capacity = token_capacity(lm.network, lm.tokenizer)
    if term.max_tokens is not None and capacity is not None and term.max_tokens > capacity:
        raise SettingsError(
            "max_tokens is more than the language model takes",
            wanted=f"at most {capacity}",
            got=term.max_tokens,
            where="prior.terms.max_tokens",
        )
    device = resources.device or ("cuda" if torch.cuda.is_available() else "cpu")
    encoder = ConversationEncoder(lm.tokenizer, max_tokens=term.max_tokens or capacity)
    lm.network.to(device)  # pyright: ignore[reportArgumentType] -- its stubs know no plain string
    function = LogProbabilityPrior(lm.network, encoder, overlength=term.overlength)
    identity = digest_json([lm.digest, encoder.template_digest, encoder.tokenizer_digest, encoder.max_tokens])
    cache: RewardCache[float] = RewardCache(identity, folder=resources.cache)
    return Prior(term.kind, term.weight, RememberedPrior(function, cache), lambda: function.n_truncated)
