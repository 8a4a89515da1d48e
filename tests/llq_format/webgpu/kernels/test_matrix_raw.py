"""Raw matrices times vectors rounded to binary16."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from llq_format.webgpu.planning.tiles import RAW_ROWS
from tests.support.webgpu.matrix_products import UNIT, random_binary16, rounded_buffers
from tests.support.webgpu.product_device import product_device

pytestmark = pytest.mark.gpu

Array = NDArray[Any]
CANARY = np.float32(12345.678)

every_form = pytest.mark.parametrize("form", [np.float16, np.float32])
every_variant = pytest.mark.parametrize("variant", ["portable", "shader-f16"])


def product(weights: Array, vectors: Array, *, variant: str = "portable", first_row: int = 0) -> Array:
    """Return y [tokens + 1, y_stride] after one dispatch that began with canaries."""
    rows, cols = weights.shape
    tokens = vectors.shape[0]
    stride = -(-cols // 64) + 1
    y_stride = first_row + rows + 3
    y = np.full((tokens + 1, y_stride), CANARY)
    rounded, _ = rounded_buffers(vectors, stride, unused=1)
    parameters = (rows, cols, first_row, y_stride, 64 * stride, int(weights.dtype == np.float16))
    grid = (-(-rows // RAW_ROWS), tokens)
    actual = product_device(variant).run("matvec_raw", [weights, rounded, y], [(parameters, grid)])
    return actual[: y.size].reshape(y.shape)


@every_form
@every_variant
@pytest.mark.parametrize(
    ("rows", "cols"),
    [(32, 64), (33, 8), (1, 1), (70, 7), (5, 300), (130, 2049), (31, 4096), (64, 578), (9, 12)],
)
def test_exact_integers(form: Any, variant: str, rows: int, cols: int) -> None:
    rng = np.random.default_rng(rows * cols)
    weights = rng.integers(-15, 16, (rows, cols)).astype(form)
    vectors = rng.integers(-7, 8, (3, cols)).astype(np.float32)
    actual = product(weights, vectors, variant=variant, first_row=32)
    assert np.array_equal(actual[:3, 32 : 32 + rows], vectors @ weights.T)
    assert np.all(actual[:3, :32] == CANARY)
    assert np.all(actual[:3, 32 + rows :] == CANARY)
    assert np.all(actual[3] == CANARY)


@every_form
@every_variant
def test_real_values_within_the_bound_of_a_sum(form: Any, variant: str) -> None:
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(100, 2056)).astype(form)
    if form == np.float16:
        weights[np.abs(weights) < 2.0**-14] = 0
    vectors = random_binary16(rng, 2, 2056)
    expected = vectors.astype(np.float64) @ weights.astype(np.float64).T
    unit = (2056 + 8) * UNIT
    bound = unit / (1 - unit) * (np.abs(vectors).astype(np.float64) @ np.abs(weights).astype(np.float64).T)
    actual = product(weights, vectors, variant=variant)
    assert np.all(np.abs(actual[:2, :100].astype(np.float64) - expected) <= bound)


def test_repeated_runs_are_identical() -> None:
    rng = np.random.default_rng(2)
    weights = rng.normal(size=(999, 1032)).astype(np.float16)
    vectors = random_binary16(rng, 3, 1032)
    first = product(weights, vectors)
    for _ in range(5):
        assert product(weights, vectors).tobytes() == first.tobytes()
