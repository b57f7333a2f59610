"""Reward heads: where the head of a Hugging Face model is, how a new one starts, and the two-layer head."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from peft import PeftModel
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from rewardsmith.core.errors import ModelError

_HEAD_NAMES = ("score", "classifier")
_STACK_NAMES = ("encoder", "transformer")


class MlpHead(nn.Module):
    """Pooled state → one hidden layer (SiLU) → reward. Not portable: plain transformers has no such head."""

    def __init__(self, hidden_size: int, *, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(hidden_size, width)
        self.output = nn.Linear(width, 1)

    def features(self, pooled: Float[Tensor, "sequence hidden"]) -> Float[Tensor, "sequence width"]:
        """What the last layer reads."""
        return functional.silu(self.hidden(pooled))


def plain(network: nn.Module) -> PreTrainedModel:
    """The Hugging Face model inside `network`, whether or not it carries adapters."""
    inner: Any = network.get_base_model() if isinstance(network, PeftModel) else network
    if not isinstance(inner, PreTrainedModel):
        raise ModelError("not a Hugging Face model", got=type(inner).__name__)
    return inner


def backbone(network: nn.Module) -> nn.Module:
    """The model without its head."""
    model = plain(network)
    return getattr(model, model.base_model_prefix)


def blocks(network: nn.Module) -> nn.ModuleList | None:
    """The transformer blocks, in order; `None` where no list of modules is as long as the model has layers."""
    n_layers = getattr(plain(network).config.get_text_config(), "num_hidden_layers", None)
    lists = (module for module in backbone(network).modules() if isinstance(module, nn.ModuleList))
    return next((module for module in lists if len(module) == n_layers), None)


def is_decoder(network: nn.Module) -> bool:
    """Whether the model reads the last token with a `score` head, as all decoders of transformers do."""
    return hasattr(plain(network), "score")


def output_layer(network: nn.Module) -> nn.Linear:
    """The linear layer whose single output is the reward: `score`, `classifier`, or the last layer in `classifier`.

    Raises:
        ModelError: The model has no such layer, or it has several outputs.
    """
    model = plain(network)
    for name in _HEAD_NAMES:
        module = getattr(model, name, None)
        if module is not None:
            linears = [layer for layer in active(module).modules() if isinstance(layer, nn.Linear)]
            if linears:
                return _one_output(linears[-1], name)
    raise ModelError(
        "no reward head in this architecture",
        wanted=f"a linear layer in {' or '.join(_HEAD_NAMES)}",
        got=type(model).__name__,
        fix="use a model that AutoModelForSequenceClassification knows",
    )


def first_position(network: nn.Module) -> int:
    """What the model calls its first position: 0, or in RoBERTa's family one more than the pad id."""
    embeddings = getattr(backbone(network), "embeddings", None)
    counts_from_padding = hasattr(embeddings, "create_position_ids_from_input_ids")
    return int(embeddings.padding_idx) + 1 if counts_from_padding else 0  # type: ignore[union-attr]


@contextlib.contextmanager
def inputs_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collects the first input of each call of `module` in this context."""
    seen: list[Tensor] = []
    hook = module.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        hook.remove()


@contextlib.contextmanager
def fed_with(module: nn.Module, states: Float[Tensor, "sequence width"]) -> Iterator[None]:
    """In this context `module` reads `states` in the place of its first input."""
    hook = module.register_forward_pre_hook(lambda _module, inputs: (states, *inputs[1:]))
    try:
        yield
    finally:
        hook.remove()


@contextlib.contextmanager
def only_states_at(network: nn.Module, places: Int[Tensor, " sequence"]) -> Iterator[None]:
    """In this context the encoder's stack of blocks gives the states at `places`, as if each were a sequence.

    Whatever the architecture does to the first state of a sequence is then done by its own code. In BERT's family the
    last block computes nothing else after its attention, since nothing else is read.

    Raises:
        ModelError: The stack was not found.
    """
    stack = _stack(network)
    # A block that is computed again for its gradient would be without the hook then. Without gradients there is no such
    # block, and looking for one takes a millisecond of each pass.
    is_computed_again = torch.is_grad_enabled() and any(
        getattr(module, "gradient_checkpointing", False) for module in network.modules()
    )
    attention = None if is_computed_again else _last_attention(stack)
    hooks = []
    if attention is None:
        hooks.append(stack.register_forward_hook(lambda _module, _inputs, output: _sequences(output, places)))
    else:
        hooks.append(
            attention.register_forward_hook(lambda _module, _inputs, output: (output[0][:, places], *output[1:]))
        )
        hooks.append(stack.register_forward_hook(lambda _module, _inputs, output: _sequences(output, slice(None))))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def last_mlp_only_at(network: nn.Module, places: Int[Tensor, " sequence"]) -> Iterator[None]:
    """In this context the last block's `mlp`, which knows no neighbours, computes a decoder's states at `places` alone.

    The states elsewhere lack its part; nobody may read them. In a Llama that is three quarters of a block. Nothing
    changes where there is no such module, nor with gradients: a block may be computed again for them, without the hook.
    """
    found = blocks(network)
    mlp = None if found is None else getattr(found[-1], "mlp", None)
    if torch.is_grad_enabled() or not isinstance(mlp, nn.Module):
        yield
        return
    shape: list[torch.Size] = []

    def narrow(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        shape[:] = [inputs[0].shape]
        return (inputs[0][:, places], *inputs[1:])

    def widen(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        values, *others = output if isinstance(output, tuple) else (output,)
        whole = values.new_zeros(shape[0])
        whole[:, places] = values
        return (whole, *others) if isinstance(output, tuple) else whole

    hooks = [mlp.register_forward_pre_hook(narrow), mlp.register_forward_hook(widen)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _stack(network: nn.Module) -> nn.Module:
    """The part of the backbone that runs all blocks."""
    for name in _STACK_NAMES:
        stack = getattr(backbone(network), name, None)
        if isinstance(stack, nn.Module) and not isinstance(stack, nn.ModuleList):
            return stack
    raise ModelError("cannot find the encoder's blocks", wanted=" or ".join(_STACK_NAMES), got=type(network).__name__)


def _last_attention(stack: nn.Module) -> nn.Module | None:
    """The last block's attention where it adds the block's input itself, as in BERT's family: what follows is local."""
    blocks = getattr(stack, "layer", None)
    last = blocks[-1] if isinstance(blocks, nn.ModuleList) else None
    attention = getattr(last, "attention", None)
    is_local = all(hasattr(last, name) for name in ("intermediate", "output")) and hasattr(attention, "output")
    return attention if is_local else None


def _sequences(output: Any, places: Int[Tensor, " sequence"] | slice) -> Any:
    return type(output)(last_hidden_state=output.last_hidden_state[0, places].unsqueeze(1))


def initialise(layer: nn.Linear, *, seed: int) -> None:
    """New weights from N(0, 1 / (d + 1)), bias 0: rewards of unit scale at the start (Stiennon et al. 2020, App. B).

    The numbers come from a generator of their own, so that they depend on `seed` alone.
    """
    generator = torch.Generator().manual_seed(seed)
    std = (layer.in_features + 1) ** -0.5
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * std)
        if layer.bias is not None:
            layer.bias.zero_()


def active(module: nn.Module) -> nn.Module:
    """The module that runs: PEFT keeps the untrained head beside the trained one."""
    if isinstance(module, ModulesToSaveWrapper):
        return module.modules_to_save[module.active_adapters[0]]
    return module


def _one_output(layer: nn.Linear, name: str) -> nn.Linear:
    if layer.out_features != 1:
        raise ModelError(
            "the model has more than one output",
            wanted="1 (a reward)",
            got=f"{layer.out_features}",
            where=name,
            fix="this is a classifier, not a reward model; train a new head on its base",
        )
    return layer
