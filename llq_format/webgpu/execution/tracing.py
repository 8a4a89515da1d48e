"""Traces: a sequence computed dispatch by dispatch, with the results that its buffers hold in between."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from llq_format.metadata.metadata import Metadata
from llq_format.webgpu.execution.encoding import encode
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.planning.operations import unpermuted
from llq_format.webgpu.planning.taps import Tap, cache_taps, taps

Trace = Mapping[str, NDArray[np.float32]]
"""Results by the names that conformance/TRACE.md lists, a row for each position."""

_TYPES: dict[str, type[np.generic]] = {
    "f32": np.float32,
    "f16": np.float16,
    "u32": np.uint32,
    "int8": np.int8,
}


def trace(
    executor: Executor, metadata: Metadata, tokens: Sequence[int], splits: Sequence[int]
) -> dict[str, NDArray[np.float32]]:
    """Compute a new sequence, `splits` tokens at a time, and return the results of its operations."""
    points = taps(executor.program, metadata)
    rows: dict[str, list[NDArray[np.float32]]] = {}
    executor.start()
    first = 0
    for count in splits:
        for chunk in executor.chunks(tokens[first : first + count]):
            executor.write_chunk(chunk)
            for name in ("decode",) if len(chunk) == 1 else ("prefill", "logits"):
                begin = 0
                for after, found in points[name]:
                    _run(executor, name, begin, after + 1, len(chunk))
                    begin = after + 1
                    for tap in found:
                        rows.setdefault(tap.name, []).append(_read(executor, tap, len(chunk)))
            executor.advance(chunk)
        first += count
    tensors = {name: np.concatenate(parts) for name, parts in rows.items()}
    # a kernel that fuses operations leaves out results that another pass has
    tensors = {name: tensor for name, tensor in tensors.items() if len(tensor) == len(tokens)}
    caches = cache_taps(executor.program, metadata)
    return tensors | {tap.name: _read(executor, tap, len(tokens)) for tap in caches}


def _run(executor: Executor, name: str, begin: int, end: int, tokens: int) -> None:
    """Execute a part of a pass."""
    encoder = executor.device.gpu.create_command_encoder(label=f"{name} {begin}")
    compute = encoder.begin_compute_pass(label=f"{name} {begin}")
    encode(compute, executor.prepared(name)[begin:end], tokens)
    compute.end()
    executor.device.gpu.queue.submit([encoder.finish()])


def _read(executor: Executor, tap: Tap, rows: int) -> NDArray[np.float32]:
    """Return the rows of a result, float32 [rows, …]."""
    dtype = np.dtype(_TYPES[tap.type])
    words = -(-rows * tap.stride * dtype.itemsize // 4)
    data = executor.read(tap.buffer, words, np.uint32).view(dtype)[: rows * tap.stride]
    cols = int(np.prod(tap.shape))
    values = unpermuted(data, rows, cols) if tap.type == "int8" else data.reshape(rows, tap.stride)[:, :cols]
    return values.astype(np.float32).reshape(rows, *tap.shape)
