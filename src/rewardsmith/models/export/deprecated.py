"""TorchScript, which torch calls deprecated since 2.9 and still makes and runs. Nothing else here knows of it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64

from rewardsmith.models.export.graph import RewardGraph, example_batch

_jit: Any = torch.jit


def write_torchscript(graph: RewardGraph, path: Path, *, vocabulary: int) -> None:
    """Write `graph` as a TorchScript file, which libtorch runs without Python.

    It is traced, not compiled: the code of transformers is beyond TorchScript's compiler. Sizes stay open, since the
    graph reads them from its inputs; the tests try others than those of the example.
    """
    ids, mask = example_batch(vocabulary=vocabulary)
    with warnings.catch_warnings(), torch.no_grad():
        # Of the deprecation, and of each place where a size becomes a Python number.
        warnings.simplefilter("ignore")
        traced = _jit.trace(graph.eval(), (ids, mask), strict=False, check_trace=False)
        _jit.save(_jit.freeze(traced), str(path))


class TorchScriptGraph:
    """A TorchScript file, on the CPU; see `models.export.load.Runnable`.

    Raises:
        RuntimeError: It is no TorchScript file.
    """

    def __init__(self, path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._module = _jit.load(str(path), map_location="cpu").eval()

    def rewards(
        self, input_ids: Int64[np.ndarray, "sequence token"], attention_mask: Int64[np.ndarray, "sequence token"]
    ) -> Float32[np.ndarray, " sequence"]:
        """One reward a sequence of a batch that is padded on the right."""
        # The optimiser compiles anew for each of the first shapes that it sees: seconds, for nothing on a CPU.
        with torch.inference_mode(), _jit.optimized_execution(False):
            return self._module(torch.from_numpy(input_ids), torch.from_numpy(attention_mask)).numpy()
