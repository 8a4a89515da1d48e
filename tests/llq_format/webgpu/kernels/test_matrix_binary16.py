"""INT4 matrices times binary16 vectors: integers exactly, real scales within the error bound of NUM-3."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from llq_format.webgpu.planning.tiles import TILES
from tests.support.webgpu.matrix_products import (
    Matrix,
    binary16_product,
    random_binary16,
    random_matrix,
    rounded_buffers,
)
from tests.support.webgpu.product_device import product_device

pytestmark = pytest.mark.gpu

Array = NDArray[Any]
ENTRIES = [name for name in TILES if "binary16" in name]
CANARY = np.float32(12345.678)

every_entry = pytest.mark.parametrize("entry", ENTRIES)


def product(  # noqa: PLR0913  # parameters of a dispatch
    entry: str,
    matrix: Matrix,
    vectors: Array,
    *,
    variant: str = "portable",
    first_block: int = 0,
    first_row: int = 0,
    add: Array | None = None,
    choice: Array | None = None,
    expert: int = 0,
) -> Array:
    """Return y [tokens + 2, y_stride] after one dispatch; it began as `add`, or as canaries."""
    tokens = vectors.shape[0]
    stride = matrix.across + 1
    y_stride = first_row + matrix.rows + 3
    y = np.full((tokens + 2, y_stride), CANARY) if add is None else add
    flags = matrix.symmetric * 1 + (add is not None) * 2 + (choice is not None) * 4
    scale, zero_point = matrix.per_block(first_block)
    if matrix.symmetric:
        zero_point = scale
    state = np.array([0, tokens, 0, 0], np.uint32)
    sixth = (
        state if entry.startswith("matmul") else (np.zeros(tokens, np.uint32) if choice is None else choice)
    )
    bindings = [matrix.packed(), scale, zero_point, *rounded_buffers(vectors, stride, unused=2), sixth, y]
    parameters = (matrix.rows, matrix.across, first_row, first_block, y_stride, stride, flags, expert)
    tile = TILES[entry]
    grid = (-(-matrix.rows // tile.rows), -(-tokens // tile.tokens))
    result = product_device(variant).run(entry, bindings, [(parameters, grid)])
    return result[: y.size].reshape(y.shape)


def exact_case(
    seed: int, rows: int, cols: int, tokens: int, *, symmetric: bool = False
) -> tuple[Matrix, Array, Array]:
    """Return a product of integers, with its result; no partial sum exceeds 2^24 steps."""
    rng = np.random.default_rng(seed)
    scales = np.array([0.5, 1, 2], np.float16)
    matrix = random_matrix(rng, rows, cols, symmetric=symmetric, scales=scales)
    vectors = rng.integers(-7, 8, (tokens, cols)).astype(np.float32)
    return matrix, vectors, binary16_product(matrix, vectors)[0].astype(np.float32)


@every_entry
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(
    "shape",
    [(64, 64, 1), (130, 200, 3), (1, 1, 1), (63, 65, 2), (192, 1088, 5), (40, 2080, 2)],
)
def test_exact_integers(entry: str, shape: tuple[int, int, int], symmetric: bool) -> None:  # noqa: FBT001
    rows, cols, tokens = shape
    matrix, vectors, expected = exact_case(rows + cols, rows, cols, tokens, symmetric=symmetric)
    assert np.array_equal(product(entry, matrix, vectors)[:tokens, :rows], expected)


@every_entry
def test_each_column_has_its_own_code(entry: str) -> None:
    matrix, _, _ = exact_case(5, 70, 130, 1)
    for edge in range(0, 130, 65):
        vectors = np.zeros((65, 130), np.float32)
        vectors[np.arange(65), np.arange(edge, edge + 65)] = 65504  # column edge + t, the largest binary16
        assert np.array_equal(product(entry, matrix, vectors)[:65, :70], binary16_product(matrix, vectors)[0])


@pytest.mark.parametrize("variant", ["portable", "shader-f16"])
@every_entry
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("shape", [(100, 300, 4), (64, 2880, 70), (257, 64, 129)])
def test_real_values_within_the_error_bound(
    entry: str,
    variant: str,
    shape: tuple[int, int, int],
    symmetric: bool,  # noqa: FBT001
) -> None:
    rows, cols, tokens = shape
    rng = np.random.default_rng(rows * cols)
    matrix = random_matrix(rng, rows, cols, symmetric=symmetric)
    vectors = random_binary16(rng, tokens, cols)
    expected, bound = binary16_product(matrix, vectors)
    actual = product(entry, matrix, vectors, variant=variant)
    assert np.all(np.abs(actual[:tokens, :rows].astype(np.float64) - expected) <= bound)


@every_entry
def test_only_the_rows_of_the_dispatch_are_written(entry: str) -> None:
    matrix, vectors, expected = exact_case(7, 130, 200, 3)
    actual = product(entry, matrix, vectors, first_row=64, first_block=11)
    assert np.array_equal(actual[:3, 64:194], expected)
    assert np.all(actual[:3, :64] == CANARY)
    assert np.all(actual[:3, 194:] == CANARY)
    assert np.all(actual[3:] == CANARY)


@every_entry
def test_a_product_is_added_to_the_present_values(entry: str) -> None:
    matrix, vectors, expected = exact_case(8, 130, 200, 3, symmetric=True)
    before = np.random.default_rng(8).integers(-64, 64, (5, 133)).astype(np.float32)
    actual = product(entry, matrix, vectors, add=before)
    assert np.array_equal(actual[:3, :130], before[:3, :130] + expected)
    assert np.array_equal(actual[:3, 130:], before[:3, 130:])
    assert np.array_equal(actual[3:], before[3:])


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.startswith("matvec")])
def test_an_expert_serves_only_the_tokens_that_chose_it(entry: str) -> None:
    matrix, vectors, expected = exact_case(9, 130, 200, 4)
    choice = np.array([3, 0, 3, 2], np.uint32)
    actual = product(entry, matrix, vectors, choice=choice, expert=3)
    assert np.array_equal(actual[[0, 2], :130], expected[[0, 2]])
    assert np.all(actual[[1, 3]] == CANARY)


@every_entry
def test_repeated_runs_are_identical(entry: str) -> None:
    rng = np.random.default_rng(10)
    matrix = random_matrix(rng, 500, 1100, symmetric=False)
    vectors = random_binary16(rng, 66, 1100)
    first = product(entry, matrix, vectors)
    for _ in range(5):
        assert product(entry, matrix, vectors).tobytes() == first.tobytes()
