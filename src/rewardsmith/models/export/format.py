"""The forms in which a reward model can be exported."""

from __future__ import annotations

from typing import Literal, get_args

Format = Literal["torchscript", "onnx", "int8"]

FORMATS: tuple[Format, ...] = get_args(Format)

FILE_NAMES: dict[Format, str] = {"torchscript": "model.pt", "onnx": "model.onnx", "int8": "model.onnx"}
"""Name of the file in the artefact."""
