"""activate_int8 and activate_binary16 against arithmetic in binary64."""

import math

import numpy as np
import pytest

from tests.support.webgpu.kernel_bench import VARIANT_NAMES, Array, run, unused
from tests.support.webgpu.rounded_vectors import Float64, check_binary16, check_int8

pytestmark = pytest.mark.gpu

U = 2.0**-24
GATED, GELU = 1, 2
LARGEST = float(np.finfo(np.float32).max)
_ERFC = np.vectorize(math.erfc)


def exact(hidden: Array, flags: int) -> tuple[Float64, Float64]:
    """Return the values of hidden [tokens, rows], and the errors that chapter Numerics allows for them."""
    cols = hidden.shape[1] // 2 if flags & GATED else hidden.shape[1]
    z = hidden[:, :cols].astype(np.float64)
    if flags & GELU:
        v = z / 2 * _ERFC(-z / math.sqrt(2))
        error = 2.0**-20 * np.abs(z) / 2 + 8 * U * np.abs(v)
    else:
        v = np.where(z >= 0, z / (1 + np.exp(-np.abs(z))), z * np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))
        error = np.abs(v) * (4 * np.abs(z) + 16) * U
    if flags & GATED:
        up = hidden[:, cols:].astype(np.float64)
        v, error = v * up, error * np.abs(up) + np.abs(v * up) * U
    return v, error + 2.0**-100


def activate(
    entry: str, hidden: Array, flags: int, variant: str = "portable", repeats: int = 1
) -> tuple[Array, ...]:
    """Run an activation over hidden [tokens, rows] and return its output."""
    tokens, rows = hidden.shape
    cols = rows // 2 if flags & GATED else rows
    blocks = -(-cols // 64)
    padded = np.pad(hidden, [(0, 0), (0, 5)], constant_values=np.nan)
    outputs = (
        [unused(tokens, blocks, 16, dtype=np.uint32), unused(tokens, blocks, dtype=np.int32), unused(tokens)]
        if entry == "activate_int8"
        else [unused(tokens, blocks * 64), unused(tokens, blocks)]
    )
    parameters = [cols, rows + 5, blocks, flags]
    return tuple(run(entry, [padded, *outputs], parameters, [tokens], variant, repeats=repeats)[1:])


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("flags", range(4))
@pytest.mark.parametrize("cols", [1, 63, 65, 1000, 1028, 5632])
def test_activation_is_within_its_bounds(cols: int, flags: int, variant: str) -> None:
    rng = np.random.default_rng(cols + flags)
    rows = 2 * cols if flags & GATED else cols
    hidden = (rng.standard_normal((3, rows)) * rng.choice([0.1, 2, 20], (3, 1))).astype(np.float32)
    values, error = exact(hidden, flags)
    codes, sums, scales = activate("activate_int8", hidden, flags, variant)
    rounded, rounded_sums = activate("activate_binary16", hidden, flags, variant)
    for t in range(3):
        check_int8(values[t], error[t], codes[t], sums[t], float(scales[t]))
        check_binary16(values[t], error[t], rounded[t], rounded_sums[t])


@pytest.mark.parametrize("flags", [0, GELU])
def test_extreme_inputs_give_finite_results(flags: int) -> None:
    hidden = np.array([[-3e38, -1e20, -1000, -90, -88, -87, -20, -0.0, 0, 20, 60000]], np.float32)
    values, error = exact(hidden, flags)
    rounded, sums = activate("activate_binary16", hidden, flags)
    check_binary16(values[0], error[0], rounded[0], sums[0])


def test_what_vanishes_does_not_return_with_a_large_factor() -> None:
    gates = np.array([-LARGEST, -1e20, -1000, -87, -86, -80, -60, 0, 60, 88], np.float32)
    factors = np.array([1e38, 1e38, 1e38, 1e37, 1e33, 1e33, 1e25, 1e38, 1, 1], np.float32)
    hidden = np.concatenate([gates, factors])[None]
    values, error = exact(hidden, GATED)
    codes, sums, scales = activate("activate_int8", hidden, GATED)
    check_int8(values[0], error[0], codes[0], sums[0], float(scales[0]))
    rounded, rounded_sums = activate("activate_binary16", hidden, GATED)
    check_binary16(values[0], error[0], rounded[0], rounded_sums[0])


@pytest.mark.parametrize("flags", [0, GELU])
def test_functions_are_accurate_to_the_last_code(flags: int) -> None:
    # With the largest value chosen, codes show values to 1/127 only; the scale shows one to 2^-21.
    points = np.concatenate([np.linspace(-12, 12, 2401), [1e-6, -1e-6, 1e-3]]).astype(np.float32)
    values, error = exact(points[:, None], flags)
    _, _, scales = activate("activate_int8", points[:, None], flags)
    largest = scales.astype(np.float64) * 127
    assert (np.abs(largest - np.abs(values[:, 0])) <= error[:, 0] + np.abs(values[:, 0]) * 2.0**-21).all()


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("entry", ["activate_int8", "activate_binary16"])
def test_activation_repeats(entry: str, variant: str) -> None:
    hidden = np.random.default_rng(5).standard_normal((4, 2060)).astype(np.float32)
    activate(entry, hidden, GATED, variant, repeats=20)
