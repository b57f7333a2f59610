"""The step model: token ids and places in, one float32 logit a place out."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn
from torch.nn import functional

from rewardsmith.core.errors import ModelError
from rewardsmith.models import head, pooling
from rewardsmith.models.segment_attention import segment_table

N_LABELS = 2
"""Wrong and right, in this order: TRL's convention."""

_HEAD_NAMES = ("score", "classifier")


class StepModel(nn.Module):
    """A Hugging Face token classifier with two labels, read at the end of each step.

    The logit of a step is logit₁ − logit₀ at its place, so that σ(logit) is what a softmax over the two labels gives
    label 1. Plain transformers computes the same two numbers from the same folder. The head runs in float32 whatever
    precision the network runs in.

    Args:
        network: `AutoModelForTokenClassification` with two labels, or the same in a PEFT wrapper.
        new_modules: Names of modules that came without weights and were initialised.

    Attributes:
        is_decoder: Whether a token's state does not depend on what follows, found by trying it.

    Raises:
        ModelError: The network has no head, or one with another number of labels.
    """

    mlp = None

    def __init__(self, network: nn.Module, *, new_modules: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.network = network
        self.new_modules = new_modules
        step_head(network)
        self.is_decoder = _looks_back_only(network)

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
        """The linear layer that turns the state at a place into the two logits."""
        return step_head(self.network)

    def forward(
        self,
        input_ids: Int[Tensor, "row token"] | None = None,
        attention_mask: Int[Tensor, "a b"] | None = None,
        position_ids: Int[Tensor, "row token"] | None = None,
        ends: Int[Tensor, " step"] | None = None,
        places: Int[Tensor, " step"] | None = None,
        states: Float[Tensor, "step hidden"] | None = None,
    ) -> Float32[Tensor, " step"]:
        """The logit of each step.

        Args:
            input_ids: A solution a row; of a packed batch one row that holds all of them.
            attention_mask: 1 where a token stands; of a packed batch its segments, `[segment, 3]`.
            position_ids: Of a packed batch, the position of each token in its own solution.
            ends: Of a packed batch, the places of the steps. Such a model must have been through `models.packing`.
            places: Of a padded batch, likewise, counted row by row: row · tokens + token. The last token of each row
                where absent.
            states: What `features` gave, in the place of everything else.

        Raises:
            ModelError: There is nothing to score.
        """
        if states is not None:
            return self.readout(states)
        if input_ids is None or attention_mask is None:
            raise ModelError("nothing to score", wanted="input_ids and attention_mask, or states")
        return self.readout(self.features(input_ids, attention_mask, position_ids, ends, places))

    def features(
        self,
        input_ids: Int[Tensor, "row token"],
        attention_mask: Int[Tensor, "a b"],
        position_ids: Int[Tensor, "row token"] | None = None,
        ends: Int[Tensor, " step"] | None = None,
        places: Int[Tensor, " step"] | None = None,
    ) -> Float32[Tensor, "step hidden"]:
        """What the head reads at each place, float32. Takes what `forward` takes."""
        if ends is not None:
            return self._packed(input_ids, attention_mask, position_ids, ends).float()
        return self._padded(input_ids, attention_mask, places).float()

    def readout(self, features: Float[Tensor, "step hidden"]) -> Float32[Tensor, " step"]:
        """logit₁ − logit₀, in float32 also under autocast."""
        layer = self.output_layer
        bias = layer.bias.float() if layer.bias is not None else None
        with torch.autocast(features.device.type, enabled=False):
            logits = functional.linear(features.float(), layer.weight.float(), bias)
        return logits[:, 1] - logits[:, 0]

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """Trade time for memory in the network's blocks (the name that transformers' Trainer calls)."""
        head.plain(self.network).gradient_checkpointing_enable(gradient_checkpointing_kwargs)

    def _padded(
        self,
        input_ids: Int[Tensor, "row token"],
        attention_mask: Int[Tensor, "row token"],
        places: Int[Tensor, " step"] | None,
    ) -> Float[Tensor, "step hidden"]:
        pooling.check_mask(input_ids, attention_mask)
        ids = pooling.left_aligned(input_ids, attention_mask)
        mask = pooling.left_aligned(attention_mask, attention_mask)
        extra: dict[str, Any] = {"use_cache": False} if self.is_decoder else {}
        states = head.backbone(self.network)(input_ids=ids, attention_mask=mask, **extra).last_hidden_state
        if places is None:
            return pooling.last_token(states, mask)
        # The alignment moved a row's k-th token to place k of the row.
        width = input_ids.shape[1]
        order = attention_mask.cumsum(dim=1) - 1
        moved = order.reshape(-1)[places] + places // width * width
        return states.reshape(-1, states.shape[-1])[moved]

    def _packed(
        self,
        ids: Int[Tensor, "1 token"],
        segments: Int[Tensor, "segment 3"],
        positions: Int[Tensor, "1 token"] | None,
        ends: Int[Tensor, " step"],
    ) -> Float[Tensor, "step hidden"]:
        inputs: dict[str, Any] = {"attention_mask": segment_table(segments)}
        if positions is not None:
            inputs["position_ids"] = positions + head.first_position(self.network)
        extra: dict[str, Any] = {"use_cache": False} if self.is_decoder else {}
        return head.backbone(self.network)(input_ids=ids, **inputs, **extra).last_hidden_state[0][ends]


def step_head(network: nn.Module) -> nn.Linear:
    """The layer in `score` or `classifier` with one output a label.

    Raises:
        ModelError: There is none, or it has another number of labels.
    """
    model = head.plain(network)
    for name in _HEAD_NAMES:
        module = getattr(model, name, None)
        linears = [] if module is None else [each for each in head.active(module).modules() if _is_linear(each)]
        if linears:
            return _two_labels(linears[-1], name)
    raise ModelError(
        "no head for steps in this architecture",
        wanted=f"a linear layer in {' or '.join(_HEAD_NAMES)}",
        got=type(model).__name__,
        fix="use a model that AutoModelForTokenClassification knows",
    )


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear)


def _two_labels(layer: Any, name: str) -> nn.Linear:
    if layer.out_features != N_LABELS:
        raise ModelError(
            "the model has another number of labels",
            wanted=f"{N_LABELS} (wrong, right)",
            got=f"{layer.out_features}",
            where=name,
            fix="this is no step model; train a new head on its base",
        )
    return layer


@torch.no_grad()
def _looks_back_only(network: nn.Module) -> bool:
    """Whether the first token's state stays the same when the second token changes. Names would not tell: GPT-2's
    token classifier has the head of an encoder."""
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    try:
        first, other = (
            head.backbone(network)(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0, 0]
            for ids in (torch.tensor([[5, second]], device=device) for second in (6, 7))
        )
    finally:
        network.train(was_training)
    return bool(torch.allclose(first, other, atol=1e-6))
