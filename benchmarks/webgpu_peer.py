"""ONNX Runtime's WebGPU MatMulNBits, 4 bits, one vector: python -m benchmarks.webgpu_peer.

Needs the packages onnx and onnxruntime-webgpu. A session's run costs much that is not a matrix product, so a
graph of one product is compared with one of 17, which adds them up: the difference, divided by 16, is the
time of a product and of an addition. Run it together with benchmarks.webgpu_products, on the same device.
"""

import importlib
import time
from typing import Any

import numpy as np

_BLOCK = 32
_MANY = 17
_RUNS = 60
_SHAPES = (11008, 4096), (4096, 4096), (4096, 11008)


def _model(rows: int, cols: int, products: int) -> bytes:
    """Return a graph that adds up products of one binary16 vector with matrices of their own."""
    onnx = importlib.import_module("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 256, (rows, cols // _BLOCK, _BLOCK // 2), np.uint8)
    scales = (rng.random(rows * cols // _BLOCK) * 0.01).astype(np.float16)
    nodes, tensors = [], []
    for i in range(products):
        rolled = np.roll(weights, 131 * i)
        tensors.append(helper.make_tensor(f"w{i}", types.UINT8, rolled.shape, rolled.tobytes(), raw=True))
        tensors.append(helper.make_tensor(f"s{i}", types.FLOAT16, scales.shape, scales.tobytes(), raw=True))
        attributes = {"K": cols, "N": rows, "bits": 4, "block_size": _BLOCK, "accuracy_level": 4}
        inputs = ["x", f"w{i}", f"s{i}"]
        nodes.append(helper.make_node("MatMulNBits", inputs, [f"m{i}"], domain="com.microsoft", **attributes))
        if i:
            nodes.append(helper.make_node("Add", [f"a{i - 1}" if i > 1 else "m0", f"m{i}"], [f"a{i}"]))
    nodes.append(helper.make_node("Identity", [f"a{products - 1}" if products > 1 else "m0"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("x", types.FLOAT16, [1, 1, cols])],
        [helper.make_tensor_value_info("y", types.FLOAT16, [1, 1, rows])],
        tensors,
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    return content


def _session(model: bytes) -> Any:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    return runtime.InferenceSession(model, options, providers=["WebGpuExecutionProvider"])


def _best_microseconds(model: bytes, cols: int) -> float:
    session = _session(model)
    x = {"x": np.random.default_rng(1).normal(size=(1, 1, cols)).astype(np.float16)}
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        session.run(None, x)
        times.append(time.perf_counter() - start)
    return min(times) * 1e6


def main() -> None:
    """Measure and print."""
    for rows, cols in _SHAPES:
        single = _best_microseconds(_model(rows, cols, 1), cols)
        series = _best_microseconds(_model(rows, cols, _MANY), cols)
        node = (series - single) / (_MANY - 1)
        print(
            f"{rows:6} x {cols:5} MatMulNBits {node:8.1f} us each of {_MANY - 1}; one alone {single:.0f} us"
        )


if __name__ == "__main__":
    main()
