"""The kernels that only the decoding of one token has: fused_attention, gated_int8 and hidden_int8."""

import numpy as np
import pytest

from tests.llq_format.webgpu.kernels.test_activate import exact
from tests.llq_format.webgpu.kernels.test_attention import (
    HALVES,
    ROTATE,
    Heads,
    U,
    attended,
    check_combined,
    rotated,
)
from tests.support.webgpu.kernel_bench import VARIANT_NAMES, run, unused
from tests.support.webgpu.matrix_products import Int8Vectors, Matrix, int8_product, random_int8, random_matrix
from tests.support.webgpu.rounded_vectors import Float64, check_int8

pytestmark = pytest.mark.gpu

GELU = 8
GEOMETRIES = [Heads(4, 2, 16), Heads(5, 5, 48), Heads(3, 1, 64), Heads(9, 3, 128), Heads(2, 1, 256)]
SPLITS = 4
MARGIN = 3


def attention(
    geometry: Heads, position: int, *, flags: int = 0, chunk_size: int = 0, variant: str = "packed-dot"
) -> None:
    """Run fused_attention on random data, and check the cache and every head's output."""
    rng = np.random.default_rng([position, geometry.head_dim, flags])
    heads, kv_heads, head_dim = geometry.heads, geometry.kv_heads, geometry.head_dim
    context = position + 1 + MARGIN
    qkv = rng.standard_normal((1, geometry.all, head_dim)).astype(np.float32)
    angles = rng.uniform(-4, 4, (context, head_dim // 2))
    table = np.stack([np.cos(angles), np.sin(angles)], axis=2).astype(np.float32)
    keys, values = (rng.standard_normal((context, kv_heads, head_dim)).astype(np.float16) for _ in "kv")
    for cache in (keys, values):
        cache[position:] = np.nan
    state = np.array([position, 1, 0, 0], np.uint32)
    partials = np.zeros((1, heads, SPLITS, head_dim + 2), np.float32)
    *_, keys, values, partials = run(
        "fused_attention",
        [qkv, table, state, keys, values, partials],
        [heads, kv_heads, head_dim, SPLITS, chunk_size, flags],
        [heads, SPLITS],
        variant,
        repeats=2,
    )
    turned, terms = rotated(qkv.astype(np.float64), table[position : position + 1].astype(np.float64), flags)
    if not flags & ROTATE:
        turned, terms = qkv.astype(np.float64), np.abs(qkv.astype(np.float64))
    of_k = slice(heads, heads + kv_heads)
    low, high = turned[0, of_k] - 10 * U * terms[0, of_k], turned[0, of_k] + 10 * U * terms[0, of_k]
    assert (keys[position] >= low.astype(np.float16)).all()
    assert (keys[position] <= high.astype(np.float16)).all()
    np.testing.assert_array_equal(values[position], qkv[0, heads + kv_heads :].astype(np.float16))
    assert np.isnan(keys[position + 1 :]).all()
    first = position - position % chunk_size if chunk_size else 0
    expected, error = np.zeros((1, heads, head_dim)), np.zeros((1, heads, head_dim))
    for head in range(heads):
        kv, q = head * kv_heads // heads, turned[0, head] / np.sqrt(head_dim)
        result = attended(q, keys[: position + 1, kv], values[: position + 1, kv], first)
        expected[0, head], error[0, head] = result.output, 2 * result.error
    check_combined(geometry, partials, expected.reshape(1, -1), error.reshape(1, -1), variant)


@pytest.mark.parametrize("flags", [0, ROTATE, ROTATE | HALVES])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_attention_of_one_token_stores_and_attends(geometry: Heads, flags: int) -> None:
    attention(geometry, 20, flags=flags)


@pytest.mark.parametrize("position", [0, 1, 127, 128, 129, 255, 256, 511, 512, 700, 3000])
def test_attention_over_any_context(position: int) -> None:
    attention(Heads(4, 2, 64), position, flags=ROTATE | HALVES)


@pytest.mark.parametrize("position", [99, 100, 101, 250, 999])
def test_attention_restarts_with_each_chunk(position: int) -> None:
    attention(Heads(3, 1, 32), position, chunk_size=100)


@pytest.mark.parametrize("variant", VARIANT_NAMES)
def test_attention_in_every_variant(variant: str) -> None:
    attention(Heads(9, 3, 128), 200, flags=ROTATE, variant=variant)


def gate_and_up(rng: np.random.Generator, size: int, cols: int, *, symmetric: bool) -> Matrix:
    """Return a gate_up matrix [2 size, cols] whose products with codes are moderate."""
    scales = np.array([2.0**-10, 2.0**-9], np.float16)
    return random_matrix(rng, 2 * size, cols, symmetric=symmetric, scales=scales)


def gated_values(matrix: Matrix, size: int, vectors: Int8Vectors, flags: int) -> tuple[Float64, Float64]:
    """Return act(gate) · up of one vector in binary64, and the error that products and activation allow."""
    raw, raw_error = int8_product(matrix, vectors)
    values, error = exact(raw.astype(np.float32), 1 | (2 if flags & GELU else 0))
    gate, up = np.abs(raw[0, :size]), np.abs(raw[0, size:])
    # |act'| is at most 1.13, and |act(z)| at most |z|.
    moved = 1.13 * raw_error[0, :size] * up + gate * raw_error[0, size:]
    return values[0], error[0] + 2 * moved + 4 * U * gate * up


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("flags", [0, GELU])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(("size", "cols"), [(64, 64), (192, 200), (128, 1088), (64, 4160)])
def test_gates_and_what_they_leave(size: int, cols: int, symmetric: bool, flags: int, variant: str) -> None:  # noqa: FBT001
    rng = np.random.default_rng([size, cols, flags])
    matrix = gate_and_up(rng, size, cols, symmetric=symmetric)
    vectors = random_int8(rng, 1, cols)
    scale, zero_point = matrix.per_block(2)
    stride = matrix.across + 1
    words = [size, matrix.across, 0, 2, size, stride, symmetric * 1 | flags, 0]
    groups = size // 8
    *_, hidden, peaks = run(
        "gated_int8",
        [
            matrix.packed(),
            scale,
            scale if symmetric else zero_point,
            *vectors.buffers(stride),
            unused(size),
            unused(groups),
        ],
        words,
        [groups],
        variant,
        repeats=2,
    )
    values, error = gated_values(matrix, size, vectors, flags)
    assert (np.abs(hidden - values) <= error).all()
    np.testing.assert_array_equal(peaks, np.abs(hidden).reshape(groups, 8).max(axis=1))


@pytest.mark.parametrize("shares", [1, 2, 7])
@pytest.mark.parametrize("cols", [64, 320, 1536, 11008])
def test_hidden_is_rounded_by_any_number_of_workgroups(cols: int, shares: int) -> None:
    rng = np.random.default_rng(cols)
    hidden = (rng.standard_normal(cols) * 3).astype(np.float32)
    peaks = np.abs(hidden).reshape(-1, 8).max(axis=1)
    outputs = [unused(cols // 64, 16, dtype=np.uint32), unused(cols // 64, dtype=np.int32), unused(1)]
    _, _, codes, sums, scales = run(
        "hidden_int8", [hidden, peaks, *outputs], [cols, len(peaks)], [1, shares], repeats=2
    )
    check_int8(hidden.astype(np.float64), np.zeros(cols), codes, sums, float(scales[0]))


def test_hidden_of_zeros() -> None:
    outputs = [unused(1, 16, dtype=np.uint32), unused(1, dtype=np.int32), unused(1)]
    zeros = np.zeros(64, np.float32)
    _, _, codes, sums, scales = run("hidden_int8", [zeros, zeros[:8], *outputs], [64, 8], [1, 1])
    assert not codes.any()
    assert not sums.any()
    assert scales[0] == 0
