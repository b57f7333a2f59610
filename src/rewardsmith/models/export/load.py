"""Exported files, run: numpy in, numpy out."""

from __future__ import annotations

import logging
import platform
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float32, Int64

from rewardsmith.core.errors import MissingDependencyError, ModelError
from rewardsmith.models.export.deprecated import TorchScriptGraph
from rewardsmith.models.export.format import Format
from rewardsmith.models.export.graph import INPUTS

logger = logging.getLogger(__name__)

_VNNI_NAMES = ("_is_vnni_supported", "is_vnni_supported")


class Runnable(Protocol):
    """A reward model from a file."""

    def rewards(
        self, input_ids: Int64[np.ndarray, "sequence token"], attention_mask: Int64[np.ndarray, "sequence token"]
    ) -> Float32[np.ndarray, " sequence"]:
        """One reward a sequence of a batch that is padded on the right."""
        ...


def load_graph(path: Path, kind: Format) -> Runnable:
    """The exported file at `path`, on the CPU, with as many threads as torch has now.

    Raises:
        ModelError: It is missing or is no such file.
        MissingDependencyError: It is ONNX, and onnxruntime is not installed.
    """
    if not path.is_file():
        raise ModelError("the exported file is missing", where=str(path), fix="export the model again")
    if kind == "int8" and not multiplies_eight_bits():
        logger.warning("%s: this processor has no VNNI, so that int8 products may saturate; measure before use", path)
    try:
        return TorchScriptGraph(path) if kind == "torchscript" else OnnxGraph(path)
    except (RuntimeError, ValueError) as error:
        raise ModelError("cannot read an exported model", got=error, where=str(path), fix="export it again") from error


class OnnxGraph:
    """An ONNX file, by onnxruntime.

    Raises:
        ModelError: onnxruntime cannot read the file.
        MissingDependencyError: onnxruntime is not installed.
    """

    def __init__(self, path: Path) -> None:
        onnxruntime = _onnxruntime()
        state = onnxruntime.capi.onnxruntime_pybind11_state

        options: Any = onnxruntime.SessionOptions()
        # Threads that wait by turning in circles take the processor from whatever else runs on it.
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except (state.InvalidProtobuf, state.InvalidGraph, state.Fail, state.RuntimeException) as error:
            raise ModelError(
                "cannot read an exported model", got=error, where=str(path), fix="export it again"
            ) from error

    def rewards(
        self, input_ids: Int64[np.ndarray, "sequence token"], attention_mask: Int64[np.ndarray, "sequence token"]
    ) -> Float32[np.ndarray, " sequence"]:
        """See `Runnable`."""
        found = self._session.run(None, dict(zip(INPUTS, (input_ids, attention_mask), strict=True)))
        return np.asarray(found[0], dtype=np.float32)


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "ONNX models need onnxruntime", got=error, fix="pip install 'rewardsmith[export]'"
        ) from error
    return onnxruntime


def multiplies_eight_bits() -> bool:
    """Whether products of eight-bit numbers are summed in 32 bits here.

    On x86 without VNNI pairs of them are summed in 16 bits first, which is too few for the largest.
    """
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    probes = [getattr(torch.cpu, name) for name in _VNNI_NAMES if hasattr(torch.cpu, name)]
    return not is_x86 or any(probe() for probe in probes)
