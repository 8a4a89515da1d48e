"""Matrices that no single binding or dispatch holds, cut as the planner cuts them."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from llq_format.format.layout import BLOCK, BLOCK_BYTES, Dtype, ceil_div
from llq_format.format.packing import pack
from llq_format.format.sections import sections
from llq_format.metadata.metadata import Part, TensorEntry
from llq_format.webgpu.planning.program import ShardRange
from llq_format.webgpu.planning.ranges import MAX_BINDING, MAX_WORKGROUPS, int4_ranges, raw_ranges
from llq_format.webgpu.planning.tiles import RAW_ROWS, TILES
from tests.support.webgpu.matrix_products import UNIT, random_binary16, random_int8, rounded_buffers
from tests.support.webgpu.product_device import product_device

pytestmark = pytest.mark.gpu

Array = NDArray[Any]


def entry_of(dtype: Dtype, rows: int, cols: int, size: int) -> TensorEntry:
    """Return a tensor that begins a shard."""
    return TensorEntry("weight", dtype, (rows, cols), (Part(0, 0, size, 0, rows, ""),))


def bound(buffer: Any, section: ShardRange) -> dict[str, Any]:
    return {"buffer": buffer, "offset": section.offset, "size": section.size}


@pytest.mark.parametrize(
    ("entry_point", "rows", "cols"),
    [
        ("matvec_int8_r8", MAX_WORKGROUPS * 8 + 77, 64),  # one more dispatch for the rows above the limit
        ("matvec_int8", 33 * BLOCK - 5, 2048 * BLOCK),  # 32 rows of blocks are 128 MiB
    ],
)
def test_int4_matrices_above_the_limits(entry_point: str, rows: int, cols: int) -> None:
    rng = np.random.default_rng(rows)
    down, across = ceil_div(rows, BLOCK), cols // BLOCK
    codes = rng.integers(0, 16, (BLOCK, cols), np.uint8)  # every row of blocks has these; scales differ
    scale = rng.uniform(0.001, 0.01, (down, across)).astype(np.float16)
    zero_point = rng.integers(-128, 128, (down, across), np.int8)
    places = {section.name: section for section in sections("int4_affine", rows, cols)}
    shard = np.zeros(places["packed"].offset + down * across * BLOCK_BYTES, np.uint8)
    for name, data in (("scale", scale), ("zero_point", zero_point)):
        raw = data.view(np.uint8).reshape(-1)
        shard[places[name].offset :][: raw.size] = raw
    planes = pack(np.ascontiguousarray(codes.reshape(BLOCK, across, BLOCK).transpose(1, 0, 2)))
    shard[places["packed"].offset :].reshape(down, -1)[:] = planes.reshape(-1)

    vectors = random_int8(rng, 1, cols)
    device, tile = product_device("packed-dot"), TILES[entry_point]
    buffer = device.storage(shard)["buffer"]
    inputs = [device.storage(data) for data in vectors.buffers(across)]
    choice = device.storage(np.zeros(4, np.uint32))
    y = device.storage(np.full(rows, np.nan, np.float32))
    tensor = entry_of("int4_affine", rows, cols, shard.size)
    ranges = list(int4_ranges(tensor, tile.rows))
    actual = np.empty(0, np.float32)
    for part in ranges:
        assert part.zero_point is not None
        assert part.packed.size <= MAX_BINDING
        grid = (ceil_div(part.rows, tile.rows), 1)
        assert grid[0] <= MAX_WORKGROUPS
        weights = [bound(buffer, part) for part in (part.packed, part.scale, part.zero_point)]
        words = (part.rows, across, part.first_row, part.first_block, rows, across, 0, 0)
        actual = device.run(entry_point, [*weights, *inputs, choice, y], [(words, grid)])

    assert len(ranges) == 2
    q = vectors.q[0].reshape(across, BLOCK).astype(np.int64)
    products = np.einsum("rbc,bc->rb", codes.reshape(BLOCK, across, BLOCK).astype(np.int64), q)
    dots = products[None] - (zero_point.astype(np.int64) * q.sum(axis=1))[:, None, :]  # [down, 64, across]
    terms = (scale.astype(np.float64)[:, None, :] * dots).reshape(down * BLOCK, across)[:rows]
    factor = float(vectors.scale[0])
    unit = (across + 4) * UNIT
    error_bound = factor * np.abs(terms).sum(axis=1) * (2.0**-21 + unit) / (1 - unit)
    assert np.all(np.abs(actual[:rows] - factor * terms.sum(axis=1)) <= error_bound)


def test_a_raw_matrix_larger_than_a_binding() -> None:
    rng = np.random.default_rng(3)
    rows, cols = 32768 + 1000, 2048  # 32768 rows are 128 MiB
    some = rng.normal(size=(999, cols)).astype(np.float16)
    some[np.abs(some) < 2.0**-14] = 0
    weights = np.tile(some, (ceil_div(rows, 999), 1))[:rows]
    vectors = random_binary16(rng, 1, cols)
    device = product_device("portable")
    buffer = device.storage(weights)["buffer"]
    rounded = device.storage(rounded_buffers(vectors, cols // BLOCK)[0])
    y = device.storage(np.full(rows, np.nan, np.float32))
    ranges = list(raw_ranges(entry_of("f16", rows, cols, weights.nbytes), RAW_ROWS))
    actual = np.empty(0, np.float32)
    for part in ranges:
        words = (part.rows, cols, part.first_row, rows, cols, 1)
        grid = (ceil_div(part.rows, RAW_ROWS), 1)
        actual = device.run("matvec_raw", [bound(buffer, part.data), rounded, y], [(words, grid)])

    assert len(ranges) == 2
    x = vectors[0].astype(np.float64)
    unit = (cols + 8) * UNIT
    expected = np.tile(some.astype(np.float64) @ x, ceil_div(rows, 999))[:rows]
    error_bound = (
        np.tile(np.abs(some.astype(np.float64)) @ np.abs(x), ceil_div(rows, 999))[:rows] * unit / (1 - unit)
    )
    assert np.all(np.abs(actual[:rows] - expected) <= error_bound)
