"""The generative reward model: a causal language model that writes a rationale, and a reward that is read after it."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float, Float32, Int64
from peft import TaskType
from torch import Tensor, nn
from torch.nn import functional

from rewardsmith.core.errors import SettingsError
from rewardsmith.models import head
from rewardsmith.models.causal_lm import last_states, token_log_probabilities
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.trainable import add_adapters, blocks

ScoreFrom = Literal["head", "verdict"]


class GenerativeRewardModel(nn.Module):
    """One backbone with its LM head, which writes, and a reward head, which scores.

    A sequence is a conversation, the request to judge it, a rationale, and a closing text ("Verdict:"). The reward is
    read at its last token: by a linear head of its own, or as log p(good) − log p(bad) of the LM head's next word. It
    is computed in float32 whatever precision the network runs in.

    Args:
        network: A causal language model, or one with adapters.
        score_from: `head` or `verdict`.
        verdicts: The ids of the good and of the bad verdict's first token.
        seed: Of the reward head.
    """

    new_modules: tuple[str, ...] = ()

    def __init__(self, network: nn.Module, *, score_from: ScoreFrom, verdicts: tuple[int, int], seed: int = 0) -> None:
        super().__init__()
        self.network = network
        self.score_from: ScoreFrom = score_from
        self.verdicts = verdicts
        lm_head: Any = head.plain(network).get_output_embeddings()
        self.reward_head = nn.Linear(lm_head.in_features, 1, bias=False, device=lm_head.weight.device)
        head.initialise(self.reward_head, seed=seed)
        self.register_state_dict_post_hook(_without_tied)
        self.register_load_state_dict_pre_hook(_with_tied)

    @property
    def config(self) -> Any:
        """The network's configuration."""
        return head.plain(self.network).config

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.reward_head.weight.device

    @property
    def output_layer(self) -> nn.Linear:
        """The reward head; of `verdict` it takes no part."""
        return self.reward_head

    def forward(
        self,
        input_ids: Int64[Tensor, "sequence token"],
        attention_mask: Int64[Tensor, "sequence token"],
        position_ids: Int64[Tensor, "sequence token"],
        rationale_rows: Int64[Tensor, " written"] | None = None,
        rationale_places: Int64[Tensor, " written"] | None = None,
    ) -> tuple[Float32[Tensor, " sequence"], Float32[Tensor, " written"]]:
        """The reward of each sequence, and the log-probability of each written token.

        Args:
            input_ids: Padded on the right.
            attention_mask: 1 where a token stands.
            position_ids: Position of each token in its own sequence.
            rationale_rows: Sequence of each rationale token, in any order.
            rationale_places: Its place in the sequence; the state before it predicts it.
        """
        states = last_states(self.network, input_ids, attention_mask, position_ids)
        rows = torch.arange(len(states), device=states.device)
        rewards = self.readout(states[rows, attention_mask.sum(dim=1) - 1])
        if rationale_rows is None or rationale_places is None or not len(rationale_rows):
            return rewards, rewards.new_zeros(0)
        wanted = input_ids[rationale_rows, rationale_places]
        return rewards, token_log_probabilities(self.network, states[rationale_rows, rationale_places - 1], wanted)

    def readout(self, states: Float[Tensor, "sequence hidden"]) -> Float32[Tensor, " sequence"]:
        """w · h, or the log-odds of the verdict: the difference of two logits, as the rest of the softmax cancels."""
        with torch.autocast(states.device.type, enabled=False):
            if self.score_from == "head":
                return functional.linear(states.float(), self.reward_head.weight.float()).squeeze(-1)
            lm_head: Any = head.plain(self.network).get_output_embeddings()
            two = torch.tensor(self.verdicts, device=states.device)
            bias = None if lm_head.bias is None else lm_head.bias[two].float()
            logits = functional.linear(states.float(), lm_head.weight[two].float(), bias)
            return logits[:, 0] - logits[:, 1]

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """Trade time for memory in the network's blocks (the name that transformers' Trainer calls)."""
        head.plain(self.network).gradient_checkpointing_enable(gradient_checkpointing_kwargs)


def with_trainable(model: GenerativeRewardModel, settings: ModelSettings) -> GenerativeRewardModel:
    """`model`, ready for training as `settings` say; `head` trains nothing but the reward head.

    Raises:
        SettingsError: The settings leave nothing to train, are for other models, or name layers that are not there.
    """
    _require_suited(model, settings)
    if settings.trainable == "lora":
        known: Any = model
        model.network = add_adapters(known, settings, task=TaskType.CAUSAL_LM)
    else:
        for parameter in model.network.parameters():
            parameter.requires_grad_(settings.trainable == "all")
        if settings.trainable == "last_blocks":
            known = model
            for parameter in _last_blocks(known, settings.blocks).parameters():
                parameter.requires_grad_(True)
    # A head that is not read has no gradient, which a distributed run would wait for.
    model.reward_head.requires_grad_(model.score_from == "head")
    return model


def _last_blocks(model: Any, wanted: int) -> nn.ModuleList:
    layers = blocks(model)
    if wanted > len(layers):
        raise SettingsError(
            "more blocks than the model has", wanted=f"at most {len(layers)}", got=wanted, where="model.blocks"
        )
    return nn.ModuleList(list(layers[len(layers) - wanted :]))


def _require_suited(model: GenerativeRewardModel, settings: ModelSettings) -> None:
    if settings.head != "linear" or settings.pooling not in ("auto", "last"):
        raise SettingsError(
            "a generative reward is read at the last token by a linear head",
            wanted="model.head: linear and model.pooling: auto",
            got=f"{settings.head} and {settings.pooling}",
            where="model",
        )
    if settings.trainable == "head" and model.score_from == "verdict":
        raise SettingsError(
            "there is nothing to train: the verdict is read from the LM head",
            wanted="model.trainable: lora, last_blocks or all",
            got="head",
            where="model.trainable",
        )


def _tied_name(model: nn.Module) -> tuple[str, str] | None:
    """Names of the LM head's weight and of the embedding's where both are one tensor."""
    network: Any = head.plain(model.get_submodule("network"))
    lm_head, embedding = network.get_output_embeddings(), network.get_input_embeddings()
    if lm_head.weight is not embedding.weight:
        return None
    names = {id(module): name for name, module in model.named_modules()}
    return f"{names[id(lm_head)]}.weight", f"{names[id(embedding)]}.weight"


def _without_tied(module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    """Safetensors, which checkpoints are written as, holds no tensor twice."""
    tied = _tied_name(module)
    if tied is not None:
        state.pop(prefix + tied[0], None)


def _with_tied(module: nn.Module, state: dict[str, Any], prefix: str, *_others: Any) -> None:
    tied = _tied_name(module)
    if tied is not None and prefix + tied[1] in state:
        state.setdefault(prefix + tied[0], state[prefix + tied[1]])
