"""The smallest adapter: `pytest conformance --runtime='cmd:python examples/python/minimal_adapter.py'`."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HELLO = {"op": "hello", "protocol": 1, "name": "llq-minimal", "version": "1.0.0", "language": "Python"}
CAPABILITIES = ["decode"]


def decode(package: Path, name: str) -> NDArray[np.float32]:
    """Return the weights of one tensor."""
    metadata = json.loads((package / "metadata.json").read_text("utf-8"))
    tensor = next(tensor for tensor in metadata["tensors"] if tensor["name"] == name)
    cols = tensor["shape"][1] if len(tensor["shape"]) == 2 else 1
    rows = []
    for part in tensor["parts"]:
        shard = package / metadata["shards"][part["shard"]]["file"]
        data = np.fromfile(shard, np.uint8, part["byte_length"], offset=part["offset"])
        rows.append(matrix(data, tensor["dtype"], part["num_rows"], cols))
    return np.concatenate(rows).astype("<f4").reshape(tensor["shape"])


def matrix(data: NDArray[np.uint8], dtype: str, rows: int, cols: int) -> NDArray[np.floating]:
    """Return the rows that a part holds."""
    if dtype in ("f16", "f32"):
        return data.view("<f2" if dtype == "f16" else "<f4")[: rows * cols].reshape(rows, cols)
    down, across = -(-rows // 64), -(-cols // 64)
    n = down * across
    scale = data[256:].view("<f2")[:n].astype(np.float32)
    zero_point = data[256 + -(-2 * n // 256) * 256 :][:n].view(np.int8).astype(np.float32)
    if dtype == "int4_symmetric":
        zero_point = np.full(n, 8, np.float32)
    planes = (data[-2048 * n :].reshape(n, 2, 1024, 1) >> np.array([0, 2, 4, 6], np.uint8)) & 3
    codes = (planes[:, 0] + 4 * planes[:, 1]).reshape(down, across, 64, 64)
    scale, zero_point = (grid.reshape(down, across, 1, 1) for grid in (scale, zero_point))
    blocks: NDArray[Any] = scale * (codes - zero_point)
    return blocks.swapaxes(1, 2).reshape(64 * down, 64 * across)[:rows, :cols]


for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "bye":
        break
    response = {"id": request.get("id"), "ok": True}
    try:
        if request["op"] == "hello":
            response = {**HELLO, "capabilities": CAPABILITIES}
        else:
            np.save(request["output"], decode(Path(request["package"]), request["tensor"]))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        response = {"id": request["id"], "ok": False, "error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(response) + "\n")
    sys.stdout.flush()
