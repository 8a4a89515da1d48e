"""add_bias and head_norm against exact arithmetic."""

import numpy as np
import pytest

from tests.support.webgpu.kernel_bench import VARIANT_NAMES, Array, halves, run

pytestmark = pytest.mark.gpu

U = 2.0**-24
EPS = 1e-5
LARGEST = float(np.finfo(np.float32).max)


def words(values: Array, *, f16: bool) -> Array:
    """Return raw values as a tensor of the package stores them."""
    return halves(values) if f16 else values.astype(np.float32)


@pytest.mark.parametrize("f16", [False, True])
@pytest.mark.parametrize(("rows", "first_row"), [(2, 0), (255, 1), (256, 256), (257, 3), (1154, 64)])
def test_a_bias_is_added_to_its_rows_alone(rows: int, first_row: int, *, f16: bool) -> None:
    rng = np.random.default_rng(rows)
    tokens, stride = 3, first_row + rows + 5
    y = (rng.standard_normal((tokens, stride)) * [[1e-3], [1], [1e5]]).astype(np.float32)
    bias = rng.standard_normal(rows).astype(np.float16 if f16 else np.float32) * 3
    bias[0] = 3e-6  # a subnormal of binary16
    parameters = [rows, first_row, stride, int(f16)]
    _, actual = run("add_bias", [words(bias, f16=f16), y], parameters, [-(-rows // 256), tokens])
    expected = y.astype(np.float64)
    expected[:, first_row : first_row + rows] += bias.astype(np.float64)
    assert (np.abs(actual - expected) <= U * np.abs(expected)).all()
    untouched = np.ones(stride, bool)
    untouched[first_row : first_row + rows] = False
    assert (actual[:, untouched] == y[:, untouched]).all()


def normed(y: Array, weights: tuple[Array, Array], kinds: tuple[bool, bool], variant: str) -> Array:
    """Run head_norm on heads [tokens, q + 2 kv, head_dim], of which two thirds belong to q."""
    tokens, heads, size = y.shape
    kv_heads = heads // 6
    parameters = [heads - 2 * kv_heads, kv_heads, size, kinds[0] | kinds[1] << 1, EPS]
    stored = [words(weight, f16=f16) for weight, f16 in zip(weights, kinds, strict=True)]
    grid = [heads - kv_heads, tokens]
    return run("head_norm", [*stored, y.reshape(tokens, -1)], parameters, grid, variant)[2].reshape(y.shape)


def check(actual: Array, y: Array, weights: tuple[Array, Array]) -> None:
    """Assert that query and key heads are within the bound of a norm, and that values are unchanged."""
    heads, n = y.shape[1:]
    kv_heads = heads // 6
    wide = y.astype(np.float64)
    root = np.sqrt((wide**2).mean(axis=-1, keepdims=True) + np.float32(EPS))
    expected = wide / root
    expected[:, : heads - 2 * kv_heads] *= weights[0].astype(np.float64)
    expected[:, heads - 2 * kv_heads : heads - kv_heads] *= weights[1].astype(np.float64)
    expected[:, heads - kv_heads :] = wide[:, heads - kv_heads :]
    bound = np.abs(expected) * (n / 2 + 8) * U / (1 - (n + 8) * U) + 2.0**-126
    assert (np.abs(actual - expected) <= bound).all()
    assert (actual[:, heads - kv_heads :] == y[:, heads - kv_heads :]).all()


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("kinds", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("size", [2, 62, 64, 128, 258, 4096])
def test_heads_are_normed_each_by_itself(size: int, kinds: tuple[bool, bool], variant: str) -> None:
    rng = np.random.default_rng(size)
    y = (rng.standard_normal((2, 6, size)) * rng.choice([1e-3, 1, 300], (2, 6, 1))).astype(np.float32)
    types = [np.float16 if f16 else np.float32 for f16 in kinds]
    weights = rng.normal(0, 2, size).astype(types[0]), rng.uniform(0.1, 3, size).astype(types[1])
    weights[0][0] = 3e-6
    check(normed(y, weights, kinds, variant), y, weights)


@pytest.mark.parametrize("variant", VARIANT_NAMES)
def test_heads_at_the_ends_of_the_range(variant: str) -> None:
    """Zeros, the largest number whose square has a finite mean, and a single large element of many."""
    y = np.zeros((1, 6, 128), np.float32)
    y[0, 1] = 2.0**63
    y[0, 2, 5] = 2.0**66
    y[0, 3] = 2.0**-100
    y[0, 4] = -(2.0**60)
    weights = np.full(128, 3.0, np.float32), np.full(128, 2.0**-20, np.float32)
    check(normed(y, weights, (False, False), variant), y, weights)
