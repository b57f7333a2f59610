"""Language models: loading them, and the log-probability that they give to a response."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from peft import PeftModel
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from rewardsmith.batching import buckets
from rewardsmith.batching.collate import pad
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ModelError, OverlengthError
from rewardsmith.models import head
from rewardsmith.models.builtin import resolve
from rewardsmith.models.checkpoint import ADAPTER_CONFIG_NAME, weights_digest
from rewardsmith.models.progress_bars import without_bars
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.text.response import ResponseIds, encode_responses

TOKEN_BUDGET = 2048

_LOGITS_AT_ONCE = 256
"""Places whose logits over the whole vocabulary are held at once: 50 MB for 49,152 words."""

_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class CausalLm:
    """A language model in memory.

    Attributes:
        network: In evaluation mode, on the CPU, float32; an adapter is merged into it.
        tokenizer: With a pad token and a chat template.
        digest: Digest of the weight files; of a hub id, of its name and commit.
    """

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    digest: str


def load_causal_lm(base: str | Path, *, keep_template: bool = False) -> CausalLm:
    """The language model at `base`: a built-in name, a folder (also of a LoRA adapter), or a hub id.

    Args:
        keep_template: Take the tokenizer's chat template as it is, also where it lacks a BOS or an end.

    Raises:
        ModelError: It cannot be loaded, is a reward model, lacks weights, or changes its logits after the LM head.
        SettingsError: There is no built-in model of that name.
        MissingDependencyError: The package of a built-in model is not installed.
    """
    path = resolve(str(base))
    adapter = Path(path) / ADAPTER_CONFIG_NAME
    is_adapter = adapter.is_file() and not (Path(path) / "config.json").is_file()
    network = _adapted(Path(path)) if is_adapter else _load(path)
    has_tokenizer = not is_adapter or (Path(path) / "tokenizer_config.json").is_file()
    tokenizer_path = path if has_tokenizer else resolve(_base_of(Path(path)))
    _require_plain_logits(network, where=str(base))
    tokenizer = load_tokenizer(tokenizer_path, keep_template=keep_template)
    return CausalLm(network, tokenizer, _digest(network, path))


def response_log_probabilities(
    network: nn.Module,
    encoder: ConversationEncoder,
    conversations: Sequence[Conversation],
    *,
    token_budget: int = TOKEN_BUDGET,
) -> tuple[Float64[np.ndarray, " conversation"], Int64[np.ndarray, " conversation"]]:
    """log π(y|x) of each conversation's last assistant turn, in nats, and the number of its tokens.

    The turn's own tokens count, its end-of-turn token included; the header before them and what the template prints
    after them do not. See `text.response`.

    Args:
        network: A causal language model, as `load_causal_lm` gives it.
        encoder: Of its tokenizer. A conversation with more tokens than its `max_tokens` is refused.
        token_budget: Most tokens in one pass, padding included.

    Raises:
        DataError: A conversation does not end with the assistant's turn.
        OverlengthError: A conversation is too long.
    """
    responses = encode_responses(encoder, conversations)
    limit = encoder.max_tokens
    for number, each in enumerate(responses):
        if limit is not None and len(each.ids) > limit:
            raise OverlengthError(
                "a conversation is too long",
                wanted=f"at most {limit} tokens",
                got=f"{len(each.ids)} tokens",
                where=f"conversation {number}",
            )
    return log_probabilities(network, responses, pad_id=encoder.pad_id, token_budget=token_budget)


def log_probabilities(
    network: nn.Module,
    responses: Sequence[ResponseIds],
    *,
    pad_id: int,
    token_budget: int = TOKEN_BUDGET,
    side: Literal["left", "right"] = "right",
) -> tuple[Float64[np.ndarray, " response"], Int64[np.ndarray, " response"]]:
    """Σ_t log π(y_t | x, y_<t) over the tokens of each response, and their number.

    Sequences of similar length are padded together. The logits, which are far larger than the states, are computed at
    the response's places only and some at a time, so that memory does not grow with the texts. The softmax is float32,
    the sum float64.

    Args:
        side: Where padding goes; it changes nothing.
    """
    sums = np.zeros(len(responses))
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            for batch in buckets.plan([len(each.ids) for each in responses], max_tokens=token_budget):
                sums[batch] = _sums(network, [responses[index] for index in batch], pad_id=pad_id, side=side)
    finally:
        network.train(was_training)
    return sums, np.array([each.end - each.start for each in responses], dtype=np.int64)


def token_log_probabilities(
    network: nn.Module, states: Float[Tensor, "token hidden"], targets: Int64[Tensor, " token"]
) -> Float32[Tensor, " token"]:
    """log softmax of the LM head at `states`, at `targets`, in float32."""
    lm_head: Any = head.plain(network).get_output_embeddings()
    parts = [
        -cross_entropy(lm_head(some).float(), wanted, reduction="none")
        for some, wanted in zip(states.split(_LOGITS_AT_ONCE), targets.split(_LOGITS_AT_ONCE), strict=True)
    ]
    return torch.cat(parts)


def last_states(
    network: nn.Module,
    input_ids: Int64[Tensor, "sequence token"],
    attention_mask: Int64[Tensor, "sequence token"],
    position_ids: Int64[Tensor, "sequence token"],
) -> Float[Tensor, "sequence token hidden"]:
    """What the LM head reads at each token."""
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "position_ids": position_ids}
    return head.backbone(network)(**inputs, use_cache=False).last_hidden_state


def _sums(
    network: nn.Module, responses: Sequence[ResponseIds], *, pad_id: int, side: Literal["left", "right"]
) -> Float64[np.ndarray, " response"]:
    padded = pad([each.ids for each in responses], pad_id=pad_id, side=side)
    device = head.plain(network).device
    inputs = [padded.input_ids, padded.attention_mask, padded.position_ids]
    ids, mask, positions = (torch.from_numpy(each).to(device) for each in inputs)
    states = last_states(network, ids, mask, positions)
    width = ids.shape[1]
    shifts = [0 if side == "right" else width - len(each.ids) for each in responses]
    rows = np.repeat(np.arange(len(responses)), [each.end - each.start for each in responses])
    spans = [np.arange(each.start, each.end) + shift for each, shift in zip(responses, shifts, strict=True)]
    row, place = torch.from_numpy(rows).to(device), torch.from_numpy(np.concatenate(spans)).to(device)
    if not len(row):
        return np.zeros(len(responses))
    # The state at a token says what comes after it.
    found = token_log_probabilities(network, states[row, place - 1], ids[row, place])
    return np.bincount(rows, weights=found.double().cpu().numpy(), minlength=len(responses))


def _load(path: str) -> PreTrainedModel:
    try:
        with without_bars():
            found: Any = AutoModelForCausalLM.from_pretrained(
                path, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            "cannot load a language model", got=error, where=path, fix="name a folder of a causal LM, or a hub id"
        ) from error
    network, info = found
    surplus = [key for key in info["unexpected_keys"] if key.split(".")[0] in ("score", "classifier")]
    if surplus:
        raise ModelError(
            "a reward model, not a language model", wanted="…ForCausalLM", got=surplus, where=path, fix="name its base"
        )
    if info["missing_keys"]:
        raise ModelError(
            "weights are missing in the language model",
            wanted="every weight of a causal LM",
            got=sorted(info["missing_keys"])[:5],
            where=path,
            fix="save the whole model again; a missing weight would be random",
        )
    return network.eval()


def _adapted(folder: Path) -> PreTrainedModel:
    """The base of an adapter, and the adapter merged into it."""
    merge: Any = PeftModel.from_pretrained(_load(resolve(_base_of(folder))), str(folder)).merge_and_unload
    return merge().eval()


def _base_of(folder: Path) -> str:
    config = json.loads((folder / ADAPTER_CONFIG_NAME).read_text("utf-8"))
    base = config.get("base_model_name_or_path")
    if not base:
        raise ModelError("the adapter does not name its base", where=str(folder), fix="merge it and name that folder")
    return str(base)


def _digest(network: PreTrainedModel, path: str) -> str:
    if Path(path).is_dir():
        return weights_digest(Path(path))
    return digest_json({"name": path, "commit": getattr(network.config, "_commit_hash", None)})


def _require_plain_logits(network: PreTrainedModel, *, where: str) -> None:
    """The LM head is the last thing: logits are computed here at some places only, by that head alone."""
    lm_head: Any = network.get_output_embeddings()
    ids = torch.tensor([[0, 1]], device=network.device)
    with torch.inference_mode():
        call: Any = network
        wanted = call(input_ids=ids, use_cache=False).logits
        states = last_states(network, ids, torch.ones_like(ids), torch.arange(2, device=network.device)[None])
        is_plain = lm_head is not None and torch.allclose(lm_head(states), wanted, atol=_TOLERANCE, rtol=_TOLERANCE)
    if not is_plain:
        raise ModelError(
            "the model changes its logits after the LM head (as the soft cap of Gemma 2 does)",
            wanted="logits that are the LM head of the last states",
            got=type(network).__name__,
            where=where,
        )
