"""Linear layers of an ONNX graph in eight bits: the weights with a scale a column, activations with a scale a token.

For a row x of activations and a weight matrix W with columns w_j, with l = min x, s = (max x − l) / 255 and
t_j = max |w_j| / 127:

    q = round((x − l) / s) in 0…255,    v_j = round(w_j / t_j) in −127…127,
    x · w_j  ≈  s t_j (q · v_j) + l t_j Σ v_j,

where q · v_j is exact in 32-bit integers. Everything else stays in float32: embeddings, norms, attention, the head.

This differs from onnxruntime's own `quantize_dynamic`, which takes one scale for all tokens of a batch. There a text's
reward depends on the company that it is scored in, and one token with large activations, as every decoder has, takes
the precision of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int8

_LEVELS = 255.0
_WEIGHT_LEVELS = 127.0
_SMALLEST = 1e-12
"""Scale of a row or column that is all one number."""

_MOST_BYTES_INSIDE = 1_500_000_000


def quantise_file(source: Path, target: Path, *, heads: int) -> int:
    """Write the graph at `source` with its linear layers in eight bits to `target`.

    Args:
        heads: How many of the last linear layers are the reward head, which stays as it is.

    Returns:
        How many layers are in eight bits.
    """
    import onnx

    model = onnx.load(str(source))
    count = quantise(model, heads=heads)
    size = sum(len(each.raw_data) for each in model.graph.initializer)
    onnx.save_model(
        model,
        str(target),
        save_as_external_data=size > _MOST_BYTES_INSIDE,
        location=f"{target.name}.data",
    )
    return count


def quantise(model: Any, *, heads: int) -> int:
    """Do it in `model`, an `onnx.ModelProto` that the caller made; the number of layers that were changed."""
    from onnx import numpy_helper

    graph = model.graph
    weights = {each.name: each for each in graph.initializer}
    linears = [node for node in graph.node if _is_linear(node, weights)]
    chosen = {id(node) for node in linears[: len(linears) - heads]}
    rows = _Rows()
    nodes: list[Any] = []
    for node in graph.node:
        if id(node) not in chosen:
            nodes.append(node)
            continue
        weight = numpy_helper.to_array(weights[node.input[1]])
        nodes += rows.quantised(node.input[0])
        nodes += rows.product(node, weight.T if _attribute(node, "transB") else weight)
    still_read = {name for node in nodes for name in node.input}
    kept = [each for each in graph.initializer if each.name in still_read]
    _replace(graph.node, nodes)
    _replace(graph.initializer, [*kept, *rows.constants.values()])
    # Types of values that are no longer there; onnxruntime infers its own.
    _replace(graph.value_info, [])
    return len(chosen)


def columns(weight: Float32[np.ndarray, "read written"]) -> tuple[Int8[np.ndarray, "read written"], np.ndarray]:
    """The weights in eight bits, and the scale of each column."""
    scale = np.maximum(np.abs(weight).max(axis=0) / _WEIGHT_LEVELS, _SMALLEST).astype(np.float32)
    return np.round(weight / scale).astype(np.int8), scale


class _Rows:
    """The operations that take the place of a linear layer; an input that several layers read is quantised once."""

    def __init__(self) -> None:
        self.constants: dict[str, Any] = {}
        self._known: set[str] = set()

    def quantised(self, name: str) -> list[Any]:
        """q of the value `name`, with s and l of each row."""
        if name in self._known:
            return []
        self._known.add(name)
        axis, levels = self._constant("int8.axis", np.array([-1])), self._constant("int8.levels", np.float32(_LEVELS))
        smallest = self._constant("int8.smallest", np.float32(_SMALLEST))
        half = self._constant("int8.half", np.float32(0.5))
        at = f"{name}.int8"
        return [
            _node("ReduceMin", [name, axis], f"{at}.low", keepdims=1),
            _node("ReduceMax", [name, axis], f"{at}.high", keepdims=1),
            _node("Sub", [f"{at}.high", f"{at}.low"], f"{at}.range"),
            _node("Div", [f"{at}.range", levels], f"{at}.step"),
            _node("Max", [f"{at}.step", smallest], f"{at}.scale"),
            _node("Sub", [name, f"{at}.low"], f"{at}.above"),
            # A division a row, and not one a number.
            _node("Reciprocal", [f"{at}.scale"], f"{at}.inverse"),
            _node("Mul", [f"{at}.above", f"{at}.inverse"], f"{at}.steps"),
            # Cast cuts off, so that a half more rounds.
            _node("Add", [f"{at}.steps", half], f"{at}.rounded"),
            _node("Cast", [f"{at}.rounded"], f"{at}.q", to=_type("UINT8")),
        ]

    def product(self, node: Any, weight: Float32[np.ndarray, "read written"]) -> list[Any]:
        """The layer's result, under its own name."""
        read, written = node.input[0], node.output[0]
        values, scale = columns(weight)
        sums = (values.sum(axis=0, dtype=np.int64) * scale.astype(np.float64)).astype(np.float32)
        at, q = f"{written}.int8", f"{read}.int8"
        has_bias = len(node.input) > 2
        product = [
            _node("MatMulInteger", [f"{q}.q", self._constant(f"{at}.weight", values)], f"{at}.sum"),
            _node("Cast", [f"{at}.sum"], f"{at}.float", to=_type("FLOAT")),
            _node("Mul", [f"{at}.float", f"{q}.scale"], f"{at}.rows"),
            _node("Mul", [f"{at}.rows", self._constant(f"{at}.scale", scale)], f"{at}.scaled"),
            _node("Mul", [f"{q}.low", self._constant(f"{at}.sums", sums)], f"{at}.low"),
            _node("Add", [f"{at}.scaled", f"{at}.low"], f"{at}.product" if has_bias else written),
        ]
        return [*product, _node("Add", [f"{at}.product", node.input[2]], written)] if has_bias else product

    def _constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name


def _is_linear(node: Any, weights: dict[str, Any]) -> bool:
    """A product with a matrix of weights, on its right, and nothing else but a bias."""
    if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in weights:
        return False
    is_plain = all(_attribute(node, name, default=1.0) == 1.0 for name in ("alpha", "beta"))
    return len(weights[node.input[1]].dims) == 2 and is_plain and not _attribute(node, "transA")


def _attribute(node: Any, name: str, *, default: Any = 0) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, list(inputs), [output], name=output, **attributes)


def _type(name: str) -> int:
    from onnx import TensorProto

    return int(TensorProto.DataType.Value(name))


def _replace(field: Any, values: Sequence[Any]) -> None:
    kept = list(values)
    del field[:]
    field.extend(kept)
