"""bfloat16 copies of a model's matrices that are made once, and not once a run as autocast makes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import nn


class Bfloat16Weights:
    """Copies that take the places of the matrices while the model runs under autocast.

    A short text is scored in less time than it takes to cast all weights. The copies stay in memory, half as much again
    as a float32 model, until `forget` is called: after the weights were changed they are another model's.

    Args:
        backbones: The parts whose linear layers run in bfloat16. A matrix that several have is copied once.
    """

    def __init__(self, backbones: Sequence[nn.Module]) -> None:
        modules = (module for backbone in backbones for module in backbone.modules())
        self._layers = list(dict.fromkeys(module for module in modules if isinstance(module, nn.Linear)))
        self._copies: dict[int, nn.Parameter] = {}

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """In this context each layer has its bfloat16 copy; gradients have no way to the weights."""
        originals = [layer.weight for layer in self._layers]
        for weight in originals:
            if id(weight) not in self._copies:
                self._copies[id(weight)] = nn.Parameter(weight.detach().to(torch.bfloat16), requires_grad=False)
        try:
            for layer, weight in zip(self._layers, originals, strict=True):
                layer.weight = self._copies[id(weight)]
            yield
        finally:
            for layer, weight in zip(self._layers, originals, strict=True):
                layer.weight = weight

    def forget(self) -> None:
        """Drop the copies; they are made again when they are needed."""
        self._copies.clear()
