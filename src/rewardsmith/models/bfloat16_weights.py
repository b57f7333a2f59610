"""bfloat16 copies of a model's matrices that are made once, and not once a run as autocast makes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import BFloat16, Float
from torch import Tensor, nn


class Bfloat16Weights:
    """Copies that take the places of the matrices while the model runs under autocast.

    A short text is scored in less time than it takes to cast all weights. The copies stay in memory, half as much again
    as a float32 model, until `forget` is called: after the weights were changed they are another model's.

    On a CPU they are kept in the order in which oneDNN reads them, which saves a seventh of each product's time.

    Args:
        backbones: The parts whose linear layers run in bfloat16. A matrix that several have is copied once.
    """

    def __init__(self, backbones: Sequence[nn.Module]) -> None:
        modules = (module for backbone in backbones for module in backbone.modules())
        layers = list(dict.fromkeys(module for module in modules if isinstance(module, nn.Linear)))
        self._ordered = [layer for layer in layers if _can_be_ordered(layer)]
        self._replaced = [layer for layer in layers if not _can_be_ordered(layer)]
        self._copies: dict[tuple[int, bool], Any] = {}

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """In this context each layer has its bfloat16 copy; gradients have no way to the weights."""
        originals = [layer.weight for layer in self._replaced]
        try:
            for layer in self._ordered:
                bias = None if layer.bias is None else self._copy(layer.bias)
                product = partial(_multiply, weight=self._copy(layer.weight, ordered=True), bias=bias)
                vars(layer)["forward"] = product
            for layer, weight in zip(self._replaced, originals, strict=True):
                layer.weight = self._copy(weight)
            yield
        finally:
            for layer in self._ordered:
                vars(layer).pop("forward", None)
            for layer, weight in zip(self._replaced, originals, strict=True):
                layer.weight = weight

    def forget(self) -> None:
        """Drop the copies; they are made again when they are needed."""
        self._copies.clear()

    def _copy(self, original: Tensor, *, ordered: bool = False) -> Any:
        key = id(original), ordered
        if key not in self._copies:
            copy = original.detach().to(torch.bfloat16)
            self._copies[key] = _in_order(copy) if ordered else nn.Parameter(copy, requires_grad=False)
        return self._copies[key]


def _can_be_ordered(layer: nn.Linear) -> bool:
    """Whether oneDNN multiplies by this layer's matrix: on a CPU that it knows, and the layer does nothing else."""
    return (
        type(layer) is nn.Linear
        and "forward" not in vars(layer)
        and layer.weight.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def _in_order(weight: BFloat16[Tensor, "output width"]) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight, None)


def _multiply(
    inputs: Float[Tensor, "*row width"], *, weight: Tensor, bias: Tensor | None
) -> BFloat16[Tensor, "*row output"]:
    """What the layer does under autocast, by a matrix in oneDNN's order."""
    return torch.ops.mkldnn._linear_pointwise(inputs.to(torch.bfloat16), weight, bias, "none", [], "")
