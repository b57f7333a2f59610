from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.models.export.int8 import columns, quantise

onnx: Any = pytest.importorskip("onnx")
onnxruntime: Any = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def linear(weight: np.ndarray, bias: np.ndarray | None = None, *, transposed: bool = False) -> Any:
    """x → x·W + b → that times one: a layer and a head."""
    read, written = weight.shape
    constants = {"w": weight.T if transposed else weight, "h": np.ones((written, 1), np.float32)}
    inputs = ["x", "w"] if bias is None else ["x", "w", "b"]
    constants |= {} if bias is None else {"b": bias}
    kind, attributes = ("MatMul", {}) if bias is None and not transposed else ("Gemm", {"transB": int(transposed)})
    nodes = [helper.make_node(kind, inputs, ["y"], **attributes), helper.make_node("MatMul", ["y", "h"], ["r"])]
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["row", read])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["row", None]) for name in ("y", "r")],
        [numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: Any, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": x.astype(np.float32)})[0]


def test_a_column_is_scaled_to_127():
    values, scale = columns(np.array([[1.0, 0.0], [-1.0, 0.0], [0.25, 0.0]], np.float32))

    # 127 · 0.25 = 31.75
    assert values.tolist() == [[127, 0], [-127, 0], [32, 0]]
    assert scale[0] == pytest.approx(1 / 127)


def test_a_row_by_hand():
    model = linear(np.array([[1.0], [-1.0], [0.5]], np.float32))

    assert quantise(model, heads=1) == 1

    # x = (−1, 0, 1.55): l = −1, s = 2.55/255 = .01, q = (0, 100, 255). w: t = 1/127, v = (127, −127, 64).
    # q·v = −12,700 + 16,320 = 3,620; Σv = 64. s t 3,620 + l t 64 = (36.2 − 64) / 127 = −.21890; exactly it is −.225.
    assert run(model, np.array([[-1.0, 0.0, 1.55]]))[0, 0] == pytest.approx(-27.8 / 127, abs=1e-6)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_layer_with_a_bias(transposed: bool):
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(48, 7)).astype(np.float32), rng.normal(size=7).astype(np.float32)
    x = rng.normal(size=(5, 48)).astype(np.float32)
    model = linear(weight, bias, transposed=transposed)

    quantise(model, heads=1)

    assert np.abs(run(model, x) - (x @ weight + bias)).max() < 0.02 * np.abs(x @ weight).max()
    assert {node.op_type for node in model.graph.node} >= {"MatMulInteger", "MatMul"}


@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-50, 50), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_rows_result_is_its_own_and_within_the_rounding(scale: float, shift: float, seed: int):
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(32, 3)).astype(np.float32)
    x = rng.normal(size=(2, 32)) + shift
    model = linear(weight)
    quantise(model, heads=1)

    alone = run(model, x[:1])
    beside = run(model, np.concatenate([x[:1], scale * x[1:]]))

    np.testing.assert_array_equal(beside[0], alone[0])
    values, scales = columns(weight)
    # Half a step of each activation, against the weights as they are in eight bits.
    step = np.ptp(x[0]) / 255
    bound = step / 2 * np.abs(values * scales).sum(axis=0) + 1e-4 * (1 + abs(shift))
    assert (np.abs(alone[0] - x[0] @ (values * scales)) <= bound).all()


def test_a_row_that_is_all_one_number():
    model = linear(np.array([[0.5], [1.0]], np.float32))
    quantise(model, heads=1)

    assert run(model, np.array([[3.0, 3.0]]))[0, 0] == pytest.approx(3 * (64 + 127) / 127, abs=1e-5)
    assert run(model, np.array([[0.0, 0.0]]))[0, 0] == 0


def test_the_head_stays_in_float32():
    model = linear(np.ones((4, 3), np.float32))

    assert quantise(model, heads=2) == 0
    assert [node.op_type for node in model.graph.node] == ["MatMul", "MatMul"]
