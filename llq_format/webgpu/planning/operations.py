"""Programs of a single operation: decode a tensor, round vectors, multiply by a matrix, or draw a token."""

import numpy as np
from numpy.typing import NDArray

from llq_format.format.layout import BLOCK, ceil_div, is_int4
from llq_format.metadata.metadata import Metadata
from llq_format.webgpu.planning.bindings import accesses
from llq_format.webgpu.planning.dispatches import EACH_TOKEN, ROUNDED, SYMMETRIC, Dispatches, Form
from llq_format.webgpu.planning.planner import program_variants
from llq_format.webgpu.planning.program import Buffer, Dispatch, Program
from llq_format.webgpu.planning.ranges import MAX_WORKGROUPS, int4_ranges, raw_ranges
from llq_format.webgpu.planning.tiles import WIDEN_ELEMENTS

OPERATION = "operation"
"""The pass of a program of a single operation."""


def decode_program(metadata: Metadata, name: str) -> Program:
    """Return the program that decodes a tensor into `y`, float32 [rows, cols] (LLQ-DEQ-1, LLQ-RAW-3)."""
    make = Dispatches(metadata, 1)
    tensor = make.tensors[name]
    blocks = ceil_div(tensor.cols, BLOCK)
    dispatches = []
    if is_int4(tensor.dtype):
        for row_range in int4_ranges(tensor):
            bindings = (*make.int4_weights(row_range), "y")
            symmetric = (tensor.dtype == "int4_symmetric") * SYMMETRIC
            words = (
                row_range.rows,
                tensor.cols,
                row_range.first_row,
                blocks,
                row_range.first_block,
                symmetric,
            )
            grid = (ceil_div(tensor.cols, BLOCK), ceil_div(row_range.rows, BLOCK), 1)
            dispatches.append(make.dispatch(row_range.name, "dequantize", bindings, words, grid))
    else:
        for raw in raw_ranges(tensor):
            count = raw.rows * tensor.cols
            place = (count, raw.first_row * tensor.cols, int(tensor.dtype == "f16"))
            groups = min(MAX_WORKGROUPS, ceil_div(count, WIDEN_ELEMENTS))
            data = make.weight(raw.name, raw.data)
            dispatches.append(make.dispatch(raw.name, "widen", (data, "y"), place, (groups, 1, 1)))
    return _program(make, dispatches, {"y": 4 * tensor.rows * tensor.cols}, 1)


def rounding_program(form: Form, vectors: int, cols: int) -> Program:
    """Return the program that rounds `x`, float32 [vectors, cols] (LLQ-ACT-1 to LLQ-ACT-6)."""
    make = Dispatches(None, ceil_div(cols, BLOCK))
    return _program(make, [_rounding(make, form, cols)], _input_bytes(vectors, cols), vectors)


def product_program(metadata: Metadata, name: str, form: Form, vectors: int) -> Program:
    """Return the program that rounds `x`, [vectors, cols], and multiplies a matrix: `y`, [vectors, rows]."""
    tensor = next(entry for entry in metadata.tensors if entry.name == name)
    make = Dispatches(metadata, ceil_div(tensor.cols, BLOCK))
    dispatches = [_rounding(make, form, tensor.cols)]
    if is_int4(tensor.dtype):
        dispatches += make.int4(name, form, "y", tensor.rows, vectors)
    else:
        dispatches += make.raw(name, "y", tensor.rows, EACH_TOKEN)
    sizes = {**_input_bytes(vectors, tensor.cols), "y": 4 * vectors * tensor.rows}
    return _program(make, dispatches, sizes, vectors)


def sampling_program(vocab_size: int) -> Program:
    """Return the program that draws a token from `logits`, float32 [vocab_size] (LLQ-GEN-3)."""
    make = Dispatches(None, 1)
    bindings = ("logits", "sampling", "state", "tokens")
    dispatch = make.dispatch("choice.sample", "sample", bindings, (vocab_size,), (1, 1, 1))
    return _program(make, [dispatch], {"logits": 4 * vocab_size, "sampling": 256, "tokens": 4}, 1)


def unpermuted(codes: NDArray[np.int8], vectors: int, cols: int) -> NDArray[np.int8]:
    """Return the INT8 codes of the buffer `codes` in the order of columns, int8 [vectors, cols]."""
    grid = codes.reshape(vectors, -1, 4, 4, 4)  # a block's 64 codes by (w, k, j), column 16 w + 4 j + k
    return grid.transpose(0, 1, 2, 4, 3).reshape(vectors, -1)[:, :cols]


def _rounding(make: Dispatches, form: Form, cols: int) -> Dispatch:
    return make.dispatch(
        "x",
        f"norm_{form}",
        ("x", "x", "x", "state", *ROUNDED[form]),
        (cols, cols, make.blocks_stride, 0, 0.0),
        (EACH_TOKEN, 1, 1),
    )


def _input_bytes(vectors: int, cols: int) -> dict[str, int]:
    blocks = vectors * ceil_div(cols, BLOCK)
    words = {
        "x": vectors * cols,
        "codes": 16 * blocks,
        "sums": blocks,
        "scales": vectors,
        "rounded": BLOCK * blocks,
        "rounded_sums": blocks,
        "choice": vectors,
    }
    return {name: 4 * count for name, count in words.items()}


def _program(make: Dispatches, dispatches: list[Dispatch], sizes: dict[str, int], chunk: int) -> Program:
    return Program(
        chunk=chunk,
        context_length=1,
        kv_cache="f32",
        variants=program_variants(),
        weights=make.weights,
        buffers={
            "state": Buffer("state", 256),
            **{name: Buffer("activation", size) for name, size in sizes.items()},
        },
        pipelines={entry.entry_point: accesses(entry.entry_point) for entry in dispatches},
        parameters=make.parameters.table(),
        passes={OPERATION: tuple(dispatches)},
    )
