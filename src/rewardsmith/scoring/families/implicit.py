"""The implicit reward of a policy that was trained by DPO, or by anything else with a KL price on its reference."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from jaxtyping import Float32
from pydantic import Field, ValidationError
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ModelError, OverlengthError, SettingsError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.core.settings import Settings
from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.causal_lm import TOKEN_BUDGET, CausalLm, load_causal_lm, log_probabilities
from rewardsmith.numerics.implicit import Normalise, implicit_reward
from rewardsmith.scoring.cache import RewardCache
from rewardsmith.scoring.families.spec import SPEC_NAME
from rewardsmith.scoring.limits import Overlength, within
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.response import ResponseIds, encode_responses

FAMILY = "implicit"


class ImplicitSpec(Settings):
    """What `scorer.json` of an implicit reward says beside its family."""

    policy: str
    """The trained model: a folder relative to this one, a built-in name, or a hub id."""

    reference: str
    """What its training started from, likewise."""

    beta: float = Field(default=0.1, gt=0)
    """The KL price of the training."""

    normalise: Normalise = "none"
    """`per_token` divides by the number of the response's tokens."""


class ImplicitScorer:
    """β·[log π(y|x) − log π_ref(y|x)] of each conversation's last assistant turn y, its end-of-turn token included.

    Both models read the tokens that the policy's tokenizer and chat template give. Everything is computed in float32:
    a reward is the small difference of two large sums.

    Args:
        policy: π.
        reference: π_ref.
        beta: The KL price that the policy was trained with; it scales the rewards and changes no order.
        normalise: `per_token` divides by the number of the response's tokens.
        max_tokens: Longest conversation; what both models have positions for where absent.
        overlength: What happens to longer ones; `truncate` cuts the prompt from the left and counts them. A response
            is never cut.
        token_budget: Most tokens in one pass, padding included.
        cache: Folder that keeps rewards for later processes.

    Raises:
        ModelError: The two do not read the same tokens.
        SettingsError: `beta` is not above 0, or the cache folder cannot be used.
    """

    def __init__(
        self,
        policy: CausalLm,
        reference: CausalLm,
        *,
        beta: float = 0.1,
        normalise: Normalise = "none",
        max_tokens: int | None = None,
        overlength: Overlength = "raise",
        token_budget: int | None = None,
        cache: str | Path | None = None,
    ) -> None:
        if beta <= 0:
            raise SettingsError("the KL price must be above 0", wanted="more than 0", got=beta, where="beta")
        require_same_tokens(policy.tokenizer, reference.tokenizer)
        self.policy = policy
        self.reference = reference
        self.beta = beta
        self.normalise: Normalise = normalise
        self.encoder = ConversationEncoder(policy.tokenizer, max_tokens=max_tokens or _capacity(policy, reference))
        self.overlength: Overlength = overlength
        self.token_budget = token_budget or TOKEN_BUDGET
        self.n_truncated = 0
        parts = {"policy": policy.digest, "reference": reference.digest, "beta": beta, "normalise": normalise}
        self._provenance = Provenance(digest_json({"family": FAMILY, **parts}), self.encoder.template_digest)
        versions = [str(torch.__version__), transformers.__version__, policy.network.device.type]
        identity = digest_json([self._provenance.model_digest, self._provenance.template_digest, versions])
        self._cache = RewardCache(identity, folder=None if cache is None else Path(cache))

    @property
    def provenance(self) -> Provenance:
        """Digests of both models with β, and of the template."""
        return self._provenance

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """One reward a conversation, in order; what was scored before is remembered.

        Raises:
            DataError: A conversation does not end with the assistant's turn.
            OverlengthError: A conversation is too long, and truncation was not asked for or would cut the response.
            ModelError: A token is none of the reference's vocabulary.
        """
        located = encode_responses(self.encoder, conversations)
        responses = [self._fitted(each, number) for number, each in enumerate(located)]
        keys = [self._cache.key(np.append(each.ids, [each.start, each.end])) for each in responses]
        known = self._cache.find(keys)
        missing = {key: each for key, each in zip(keys, responses, strict=True) if key not in known}
        if missing:
            found = self._rewards(list(missing.values())).tolist()
            computed = dict(zip(missing, found, strict=True))
            self._cache.add(computed)
            known |= computed
        return Scores(np.array([known[key] for key in keys], dtype=np.float32), self._provenance)

    def _rewards(self, responses: Sequence[ResponseIds]) -> Float32[np.ndarray, " response"]:
        self._require_known(responses)
        options: dict[str, Any] = {"pad_id": self.encoder.pad_id, "token_budget": self.token_budget}
        policy, n_tokens = log_probabilities(self.policy.network, responses, **options)
        reference, _ = log_probabilities(self.reference.network, responses, **options)
        rewards = implicit_reward(policy, reference, n_tokens, beta=self.beta, normalise=self.normalise)
        return rewards.astype(np.float32)

    def _fitted(self, response: ResponseIds, number: int) -> ResponseIds:
        [ids], n_cut = within(
            [response.ids],
            max_tokens=self.encoder.max_tokens,
            overlength=self.overlength,
            bos_id=self.encoder.bos_id,
            first=number,
        )
        if not n_cut:
            return response
        shift = len(response.ids) - len(ids)
        if response.start - shift < 1:
            raise OverlengthError(
                "a response is too long by itself",
                wanted=f"at most {self.encoder.max_tokens} tokens",
                got=f"{len(response.ids) - response.start} tokens",
                where=f"conversation {number}",
                fix="leave it out: the log-probability of a cut response is that of another one",
            )
        self.n_truncated += 1
        return ResponseIds(ids, response.start - shift, response.end - shift)

    def _require_known(self, responses: Sequence[ResponseIds]) -> None:
        """A chat template may bring tokens that only the policy was given."""
        for name, model in (("policy", self.policy), ("reference", self.reference)):
            size = model.network.get_input_embeddings().weight.shape[0]  # type: ignore[union-attr]
            largest = max(int(each.ids.max()) for each in responses)
            if largest >= int(size):
                raise ModelError(
                    f"the {name} has no such token",
                    wanted=f"ids below {size}",
                    got=f"{largest} ({self.encoder.tokenizer.convert_ids_to_tokens(largest)!r})",
                    fix="name the reference that the policy was trained with, its added tokens included",
                )


def require_same_tokens(policy: PreTrainedTokenizerBase, reference: PreTrainedTokenizerBase) -> None:
    """The two cut texts into the same ids; a token that only one of them was given (a pad) is no hindrance.

    Raises:
        ModelError: They do not.
    """
    one, other = (json.loads(each.backend_tokenizer.to_str()) for each in (policy, reference))  # type: ignore[union-attr]
    differs = [part for part in ("model", "normalizer", "pre_tokenizer") if one[part] != other[part]]
    added = [
        {str(token): number for number, token in each.added_tokens_decoder.items()} for each in (policy, reference)
    ]
    moved = [token for token in added[0].keys() & added[1].keys() if added[0][token] != added[1][token]]
    if differs or moved:
        raise ModelError(
            "policy and reference have different tokenizers, so that their log-probabilities are of different events",
            wanted="one tokenizer",
            got=", ".join([*differs, *sorted(moved)[:3]]),
            fix="name the model that the policy's training started from",
        )


def load(folder: Path, spec: Mapping[str, Any], options: ScoringOptions) -> ImplicitScorer:
    """The implicit reward in `folder`, of which `scorer.json` says `spec`.

    Raises:
        ModelError: `scorer.json` is not that of an implicit reward, or a model cannot be loaded.
        SettingsError: bf16 was asked for, or `max_tokens` is more than the models have positions for.
    """
    where = str(folder / SPEC_NAME)
    try:
        said = ImplicitSpec.model_validate({key: value for key, value in spec.items() if key != "family"})
    except ValidationError as error:
        raise ModelError("not an implicit reward", got=error.errors()[0], where=where, fix="make it again") from error
    if options.precision == "bf16":
        raise SettingsError(
            "an implicit reward is too small a difference for bfloat16", wanted="float32", got="bf16", where="precision"
        )
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    policy, reference = (_model(folder, name, device) for name in (said.policy, said.reference))
    capacity = _capacity(policy, reference)
    if options.max_tokens is not None and capacity is not None and options.max_tokens > capacity:
        raise SettingsError(
            "max_tokens is more than the models take", wanted=f"at most {capacity}", got=options.max_tokens
        )
    return ImplicitScorer(
        policy,
        reference,
        beta=said.beta,
        normalise=said.normalise,
        max_tokens=options.max_tokens,
        overlength=options.overlength,
        # One text at a time has no padding, and so nothing that could be wrong with it.
        token_budget=1 if options.engine == "reference" else options.token_budget,
        cache=options.cache,
    )


def _model(folder: Path, name: str, device: str) -> CausalLm:
    inside = folder / name
    if name.startswith((".", "/")) and not inside.is_dir():
        raise ModelError("a model of the implicit reward is gone", got=name, where=str(folder / SPEC_NAME))
    found = load_causal_lm(inside.resolve() if inside.is_dir() else name)
    found.network.to(device)  # type: ignore[arg-type]
    return found


def _capacity(*models: CausalLm) -> int | None:
    limits = [token_capacity(each.network, each.tokenizer) for each in models]
    return min((limit for limit in limits if limit is not None), default=None)
