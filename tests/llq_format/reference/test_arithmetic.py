"""The reference decoder's roundings and products against slow arithmetic with fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import llq_format
from llq_format.metadata.model import Temperature
from llq_format.reference.activations import quantize_int8, round_binary16
from llq_format.reference.attention import attends, temperature_factors
from llq_format.reference.matrix import Int8Matrix
from llq_format.reference.ops import gelu, rms_norm, sigmoid, silu, softmax
from llq_format.reference.rope import rotate

_VALUES = st.floats(-1e30, 1e30, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) >= 2.0**-1000)
"""Of normal scales too: 2^-1022 / 127 has fewer bits than a normal number."""


def _half_even(value: Fraction) -> int:
    """Round to the nearest integer, ties to even: Python's own rule for fractions."""
    return round(value)


@given(arrays.arrays(np.float64, (2, 5), elements=_VALUES))
def test_int8_codes_are_those_of_exact_arithmetic_or_in_the_guard_band(x: np.ndarray) -> None:
    q, s = quantize_int8(x)
    for row, codes, scale in zip(x, q, s[:, 0], strict=True):
        largest = max(abs(Fraction(v)) for v in row)
        if largest == 0:
            assert not codes.any()
            assert scale == 0
            continue
        assert abs(Fraction(scale) / (largest / 127) - 1) < Fraction(1, 2**50)
        for value, code in zip(row, codes, strict=True):
            exact = 127 * Fraction(value) / largest
            assert code == _half_even(exact) or abs(exact - Fraction(code)) <= Fraction(1, 2) + Fraction(
                1, 2**40
            )


def test_int8_rounds_ties_to_even_and_never_yields_minus_128() -> None:
    q, s = quantize_int8(np.array([[127, -63.5, 0.5, 1.5], [-2, 1, 0, 0], [0, 0, 0, 0]]))
    assert q.tolist() == [[127, -64, 0, 2], [-127, 64, 0, 0], [0, 0, 0, 0]]
    assert s[:, 0].tolist() == [1, 2 / 127, 0]


def test_binary16_rounds_ties_to_even_and_clamps() -> None:
    x = np.array([1 + 2**-11, 1 + 3 * 2**-11, 65519.99, 65520, -1e30, 2**-25, 3 * 2**-25])
    expected = [1, 1 + 2**-9, 65504, 65504, -65504, 0, 2**-23]
    assert round_binary16(x).tolist() == expected


@pytest.mark.parametrize("scheme", ["affine", "symmetric"])
def test_an_int8_product_is_the_exact_sum(scheme: str) -> None:
    rng = np.random.default_rng(4)
    packed = llq_format.quantize(rng.normal(size=(70, 130)), scheme)  # type: ignore[arg-type]  # parametrized
    x = rng.normal(size=(3, 130))
    q, s = quantize_int8(x)
    weights = packed.dequantize()
    actual = Int8Matrix(packed)(x)
    for token in range(3):
        for row in (0, 63, 64, 69):
            products = (Fraction(float(w)) * int(c) for w, c in zip(weights[row], q[token], strict=True))
            exact = sum(products, Fraction(0)) * Fraction(float(s[token, 0]))
            assert math.isclose(actual[token, row], exact, rel_tol=1e-12, abs_tol=1e-13)


def test_a_norm_keeps_eps_inside_the_root() -> None:
    x = np.array([[3e-3, -4e-3]])
    assert np.allclose(
        rms_norm(x, np.array([2.0, 1.0]), 1e-5), [[6e-3, -4e-3]] / np.sqrt(12.5e-6 + 1e-5), rtol=1e-15
    )


def test_activation_functions_match_their_formulas_at_the_extremes() -> None:
    z = np.array([-1000.0, -3.0, 0.0, 2.0, 1000.0])
    assert np.allclose(silu(z), [0, -3 / (1 + math.exp(3)), 0, 2 / (1 + math.exp(-2)), 1000], rtol=1e-14)
    assert np.allclose(gelu(z), [v / 2 * math.erfc(-v / math.sqrt(2)) for v in z], rtol=1e-12, atol=1e-15)
    assert np.allclose(sigmoid(z), [0, 1 / (1 + math.exp(3)), 0.5, 1 / (1 + math.exp(-2)), 1], atol=1e-300)
    assert softmax(np.array([1e300, -np.inf, 1e300])).tolist() == [0.5, 0, 0.5]


def test_pairs_rotate_by_their_own_angle() -> None:
    x = np.arange(4.0).reshape(1, 1, 4)
    quarter = np.array([[math.pi / 2, 0.0]])  # turns the first pair by a right angle, leaves the second
    assert np.allclose(rotate(x, quarter, "interleaved"), [[[-1, 0, 2, 3]]])
    assert np.allclose(rotate(x, quarter, "halves"), [[[-2, 1, 0, 3]]])


def test_chunks_reset_and_do_not_slide() -> None:
    positions = np.arange(6.0)
    mask = attends(positions, positions, 3)
    assert mask[4].tolist() == [False, False, False, True, True, False]
    assert attends(positions, positions, None)[4].tolist() == [True] * 5 + [False]


def test_temperature_first_acts_one_position_before_floor_scale() -> None:
    factors = temperature_factors(np.array([0.0, 6.0, 7.0, 15.0]), Temperature(0.1, 8))
    assert factors.tolist() == [1, 1, 1 + 0.1 * math.log(2), 1 + 0.1 * math.log(3)]
