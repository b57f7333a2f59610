"""The reward model: token ids in, one float32 logit a sequence out."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn
from torch.nn import functional

from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.models import head, pooling
from rewardsmith.models.segment_attention import segment_table
from rewardsmith.models.settings import Pooling


class RewardModel(nn.Module):
    """A Hugging Face sequence classifier with one output, read by the attention mask.

    Left and right padding, and any batch, give a sequence the same reward (to float rounding). The reward is the
    raw logit: no sigmoid, and no softmax (over one logit it would always be 1). The head runs in float32 whatever
    precision the network runs in, since rewards rounded to bfloat16 tie.

    Args:
        network: `AutoModelForSequenceClassification` with one label, or the same in a PEFT wrapper.
        pooling_name: Which state the head reads; what plain transformers does where `None`.
        mlp: A two-layer head that takes the place of the network's own.
        new_modules: Names of modules that came without weights and were initialised.

    Attributes:
        entry: The network's module that `states` enter; the one after the network where `None`. See `models.frozen`.

    Raises:
        SettingsError: The pooling does not suit the network.
        ModelError: The network has no head, or one with several outputs.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        pooling_name: Pooling | None = None,
        mlp: head.MlpHead | None = None,
        new_modules: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.network = network
        self.mlp = mlp
        self.new_modules = new_modules
        self.entry: str | None = None
        self.is_decoder = head.is_decoder(network)
        self.native_pooling: Pooling = "last" if self.is_decoder else "pooled"
        self.pooling: Pooling = pooling_name or self.native_pooling
        if self.pooling == "pooled" and self.is_decoder:
            raise SettingsError(
                "a decoder has no pooled state", wanted="pooling: auto, last or mean", got="pooled", where="model"
            )
        head.output_layer(network)

    @property
    def is_portable(self) -> bool:
        """Whether plain transformers, which knows only its own pooling and head, computes the same reward."""
        return self.mlp is None and self.pooling == self.native_pooling

    @property
    def config(self) -> Any:
        """The network's configuration."""
        return head.plain(self.network).config

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.output_layer.weight.device

    @property
    def output_layer(self) -> nn.Linear:
        """The linear layer that turns features into the reward."""
        return self.mlp.output if self.mlp is not None else head.output_layer(self.network)

    def forward(
        self,
        input_ids: Int[Tensor, "row token"] | None = None,
        attention_mask: Int[Tensor, "a b"] | None = None,
        position_ids: Int[Tensor, "row token"] | None = None,
        ends: Int[Tensor, " sequence"] | None = None,
        states: Float[Tensor, "sequence width"] | None = None,
    ) -> Float32[Tensor, " sequence"]:
        """The reward of each sequence; of a packed batch where `ends` is given; of `states` by themselves.

        Args:
            input_ids: A sequence a row; of a packed batch one row that holds all of them.
            attention_mask: 1 where a token stands; of a packed batch its segments, `[segment, 3]`.
            position_ids: Position of each token in its own sequence; counted from the mask where absent.
            ends: Place of each sequence's last token. Such a model must have been through `models.packing`.
            states: What `states` gave, in the place of everything else.

        Raises:
            ModelError: There is nothing to score.
        """
        if states is not None:
            return self.readout(self._above(self._pooled_from(states)))
        if input_ids is None or attention_mask is None:
            raise ModelError("nothing to score", wanted="input_ids and attention_mask, or states")
        return self.readout(self.features(input_ids, attention_mask, position_ids, ends))

    def features(
        self,
        input_ids: Int[Tensor, "row token"],
        attention_mask: Int[Tensor, "a b"],
        position_ids: Int[Tensor, "row token"] | None = None,
        ends: Int[Tensor, " sequence"] | None = None,
    ) -> Float32[Tensor, "sequence hidden"]:
        """What the last linear layer reads, float32. Takes what `forward` takes."""
        return self._above(self._pooled(input_ids, attention_mask, position_ids, ends))

    def states(
        self,
        input_ids: Int[Tensor, "row token"],
        attention_mask: Int[Tensor, "a b"],
        position_ids: Int[Tensor, "row token"] | None = None,
        ends: Int[Tensor, " sequence"] | None = None,
    ) -> Float32[Tensor, "sequence width"]:
        """What the trained head reads, float32, where only that is trained: it decides the reward and never changes.

        Takes what `forward` takes; the model must have been through `models.frozen`.
        """
        if self.entry is None:
            return self._pooled(input_ids, attention_mask, position_ids, ends)
        with head.inputs_of(self.network.get_submodule(self.entry)) as seen:
            self._pooled(input_ids, attention_mask, position_ids, ends)
        return seen[-1].float()

    def readout(self, features: Float[Tensor, "sequence hidden"]) -> Float32[Tensor, " sequence"]:
        """w · h + b, in float32 also under autocast."""
        layer = self.output_layer
        bias = layer.bias.float() if layer.bias is not None else None
        with torch.autocast(features.device.type, enabled=False):
            return functional.linear(features.float(), layer.weight.float(), bias).squeeze(-1)

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """Trade time for memory in the network's blocks (the name that transformers' Trainer calls).

        Raises:
            SettingsError: The network's code has no gradient checkpointing, as ALBERT's.
        """
        network = head.plain(self.network)
        try:
            network.gradient_checkpointing_enable(gradient_checkpointing_kwargs)
        except ValueError as error:
            raise SettingsError(
                "this model has no gradient checkpointing",
                wanted="false",
                got=f"true for {type(network).__name__}",
                where="training.gradient_checkpointing",
                fix="leave it out; a smaller training.token_budget saves memory too, with the same gradient",
            ) from error

    def _above(self, pooled: Float32[Tensor, "sequence hidden"]) -> Float32[Tensor, "sequence hidden"]:
        if self.mlp is None:
            return pooled
        with torch.autocast(pooled.device.type, enabled=False):
            return self.mlp.features(pooled)

    def _pooled(
        self,
        input_ids: Int[Tensor, "row token"],
        attention_mask: Int[Tensor, "a b"],
        position_ids: Int[Tensor, "row token"] | None,
        ends: Int[Tensor, " sequence"] | None,
    ) -> Float32[Tensor, "sequence hidden"]:
        if ends is not None:
            return self._packed_pooled(input_ids, attention_mask, position_ids, ends).float()
        pooling.check_mask(input_ids, attention_mask)
        ids = pooling.left_aligned(input_ids, attention_mask)
        mask = pooling.left_aligned(attention_mask, attention_mask)
        # Encoders count positions in their own way (RoBERTa from 2), which after the alignment is right by itself.
        positions = pooling.left_aligned(position_ids, attention_mask) if position_ids is not None else None
        return self._padded_pooled(ids, mask, positions if self.is_decoder else None).float()

    def _pooled_from(self, states: Float[Tensor, "sequence width"]) -> Float32[Tensor, "sequence hidden"]:
        """What the network's own code makes of states that enter it at `entry`."""
        if self.entry is None:
            return states
        # A pass over one token comes to the same code, at the cost of one token.
        ids = torch.zeros((1, 1), dtype=torch.long, device=states.device)
        with head.fed_with(self.network.get_submodule(self.entry), states):
            return self._network_pooled(ids, attention_mask=torch.ones_like(ids)).float()

    def _padded_pooled(
        self,
        ids: Int[Tensor, "sequence token"],
        mask: Int[Tensor, "sequence token"],
        positions: Int[Tensor, "sequence token"] | None,
    ) -> Float[Tensor, "sequence hidden"]:
        if self.pooling == "pooled":
            return self._network_pooled(ids, attention_mask=mask)
        extra: dict[str, Any] = {"use_cache": False} if self.is_decoder else {}
        if positions is not None:
            extra["position_ids"] = positions
        states = head.backbone(self.network)(input_ids=ids, attention_mask=mask, **extra).last_hidden_state
        return pooling.last_token(states, mask) if self.pooling == "last" else pooling.mean(states, mask)

    def _packed_pooled(
        self,
        ids: Int[Tensor, "1 token"],
        segments: Int[Tensor, "segment 3"],
        positions: Int[Tensor, "1 token"] | None,
        ends: Int[Tensor, " sequence"],
    ) -> Float[Tensor, "sequence hidden"]:
        inputs: dict[str, Any] = {"attention_mask": segment_table(segments)}
        if positions is not None:
            inputs["position_ids"] = positions + head.first_position(self.network)
        if self.pooling == "pooled":
            # An encoder shares nothing, so that sequence k is segment k. Its own code then pools one state a sequence.
            with head.only_states_at(self.network, segments[: len(ends), 0]):
                return self._network_pooled(ids, **inputs)
        extra: dict[str, Any] = {"use_cache": False} if self.is_decoder else {}
        reads_ends = self.is_decoder and self.pooling == "last"
        with head.last_mlp_only_at(self.network, ends) if reads_ends else contextlib.nullcontext():
            states = head.backbone(self.network)(input_ids=ids, **inputs, **extra).last_hidden_state[0]
        return states[ends] if self.pooling == "last" else pooling.path_mean(states, segments, ends)

    def _network_pooled(self, ids: Int[Tensor, "row token"], **inputs: Tensor) -> Float[Tensor, "sequence hidden"]:
        """What the encoder's own code feeds to its last layer: every architecture pools in its own way."""
        with head.inputs_of(head.output_layer(self.network)) as seen:
            head.plain(self.network)(input_ids=ids, **inputs)
        return seen[-1]
