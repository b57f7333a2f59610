"""ONNX: torch.export's graph, written for onnxruntime and every other tool that reads ONNX."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from rewardsmith.core.errors import MissingDependencyError, ModelError
from rewardsmith.models.export.graph import INPUTS, OUTPUT, RewardGraph, example_batch

_MOST_BYTES_INSIDE = 1_500_000_000
"""A protobuf file ends at 2 GiB; the weights of larger models lie in a file beside it."""


def write_onnx(graph: RewardGraph, path: Path, *, vocabulary: int, capacity: int | None) -> None:
    """Write `graph` as ONNX with open numbers of sequences and tokens.

    Args:
        capacity: Most tokens of a sequence, where the model's table of positions ends.

    Raises:
        MissingDependencyError: The packages of the extra `export` are not installed.
        ModelError: The architecture has code that torch.export cannot follow.
    """
    require_onnx()
    axes = {0: torch.export.Dim("sequence"), 1: torch.export.Dim("token", max=capacity)}
    exporting: Any = torch.onnx.export
    with _quietly(), torch.no_grad():
        try:
            program = torch.export.export(
                graph.eval(),
                example_batch(vocabulary=vocabulary),
                dynamic_shapes=dict.fromkeys(INPUTS, axes),
                strict=False,
            )
            written = exporting(program, dynamo=True, input_names=INPUTS, output_names=[OUTPUT], verbose=False)
        except Exception as error:  # torch raises a different kind for each thing that it cannot follow
            raise ModelError(
                "this architecture cannot be exported to ONNX",
                got=error,
                fix="take --format torchscript, or serve the model as it is",
            ) from error
        written.save(str(path), external_data=_bytes(graph) > _MOST_BYTES_INSIDE)


def require_onnx() -> None:
    """Before long work: what writes and runs ONNX is installed.

    Raises:
        MissingDependencyError: It is not.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript
    except ImportError as error:
        raise MissingDependencyError(
            "ONNX needs further packages", got=error, fix="pip install 'rewardsmith[export]'"
        ) from error
    del onnx, onnxruntime, onnxscript


def _bytes(graph: RewardGraph) -> int:
    return sum(each.numel() * each.element_size() for each in graph.parameters())


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's notes on packages that it would also know."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
