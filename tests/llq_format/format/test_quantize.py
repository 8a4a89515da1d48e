"""Weights to blocks: legal ones, within half a step of every weight; anything else is refused."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from llq_format import PackedTensor, QuantizeError, quantize
from llq_format.format.quantize import METHODS, Quantized, Scheme
from tests.support import by_the_letter

SCHEMES: tuple[Scheme, ...] = ("affine", "symmetric")
Weights = NDArray[np.floating[Any]]


def zero_points_of(tensor: PackedTensor) -> list[int]:
    return [8] * len(tensor.scales) if tensor.zero_points is None else tensor.zero_points.tolist()


def assert_legal(tensor: PackedTensor) -> None:
    """Assert LLQ-DEQ-1, LLQ-DEQ-2 and LLQ-PACK-1."""
    rows, cols = tensor.shape
    across = -(-cols // 64)
    for b, bits in enumerate(tensor.scales.view(np.uint16).tolist()):
        zero_point = zero_points_of(tensor)[b]
        assert 0x0400 <= bits <= 0x7BFF
        assert by_the_letter.binary16(bits) * max(abs(zero_point), abs(15 - zero_point)) <= 65504
        i, j = divmod(b, across)
        assert not tensor.codes[b, rows - 64 * i :].any() or rows >= 64 * (i + 1)
        assert not tensor.codes[b, :, cols - 64 * j :].any() or cols >= 64 * (j + 1)


def assert_within_half_a_step(weights: Weights, tensor: PackedTensor) -> None:
    """Assert |w − ŵ| ≤ scale / 2 for each weight, in exact arithmetic on fractions.

    w is the weight as binary32: float16 is widened exactly, float64 is rounded first.
    """
    across = -(-weights.shape[1] // 64)
    halves = [by_the_letter.binary16(int(bits)) / 2 for bits in tensor.scales.view(np.uint16)]
    decoded = tensor.dequantize()
    for (row, col), w in np.ndenumerate(weights.astype(np.float32)):
        distance = abs(Fraction(float(w)) - Fraction(float(decoded[row, col])))
        assert distance <= halves[row // 64 * across + col // 64], (row, col, w, decoded[row, col])


@st.composite
def matrices(draw: st.DrawFn, greatest: float) -> Weights:
    """Return a matrix of weights of any magnitude up to `greatest`, often lopsided or constant."""
    shape = draw(st.tuples(st.sampled_from([1, 3, 64, 65]), st.sampled_from([1, 5, 63, 64, 66])))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    kind = draw(st.sampled_from(["normal", "one-sided", "few values", "constant", "outlier", "ties"]))
    weights = rng.standard_normal(shape)
    if kind == "one-sided":
        weights = np.abs(weights) + rng.uniform(0, 10)
    elif kind == "few values":
        weights = rng.choice([-1.0, 0.0, 2.0], shape)
    elif kind == "constant":
        weights = np.full(shape, rng.uniform(-1, 1))
    elif kind == "outlier":
        weights[-1, -1] = 1e6
    elif kind == "ties":
        weights = rng.integers(-15, 16, shape) / 2
    weights *= draw(st.sampled_from([1.0, -1.0]))
    exponent = draw(st.integers(-46, 0))  # from subnormal binary32 to the largest legal weights
    largest = np.abs(weights).max() or 1.0
    weights *= greatest * 10.0**exponent / largest
    return weights.astype(draw(st.sampled_from([np.float16, np.float32, np.float64])))


@settings(max_examples=150)
@given(matrices(61000))  # half a step more, of at most 2 · 61000 / 15, stays within 65504
def test_affine_weights_are_within_half_a_step(weights: Weights) -> None:
    tensor = quantize(weights, "affine")
    assert tensor.dtype == "int4_affine"
    assert_legal(tensor)
    assert_within_half_a_step(weights, tensor)


@settings(max_examples=150)
@given(matrices(57000))  # 7 steps reach it, and 8 steps stay within 65504
def test_symmetric_weights_are_within_half_a_step(weights: Weights) -> None:
    tensor = quantize(weights, "symmetric")
    assert tensor.dtype == "int4_symmetric"
    assert_legal(tensor)
    assert_within_half_a_step(weights, tensor)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_weights_on_the_grid_come_back_exactly(scheme: Scheme) -> None:
    weights = (np.arange(64 * 64).reshape(64, 64) % 16 - 8) * np.float32(0.25)
    np.testing.assert_array_equal(quantize(weights, scheme).dequantize(), weights)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_zeros_come_back_as_zeros(scheme: Scheme) -> None:
    assert not quantize(np.zeros((65, 3), np.float32), scheme).dequantize().any()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_blocks_are_in_the_order_of_the_spec(scheme: Scheme) -> None:
    weights = np.zeros((128, 192), np.float32)
    weights[64:, 128:] = -1  # block (1, 2), so b = 1 · 3 + 2
    tensor = quantize(weights, scheme)
    assert np.flatnonzero(tensor.scales > tensor.scales.min()).tolist() == [5]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_memory_and_byte_order_of_weights_does_not_matter(scheme: Scheme) -> None:
    weights = np.random.default_rng(1).standard_normal((70, 130)).astype(np.float32)
    expected = quantize(weights, scheme)
    strided = np.repeat(np.repeat(weights, 2, 0), 3, 1)[::2, ::3]
    read_only = weights.copy()
    read_only.setflags(write=False)
    orders = [np.asfortranarray(weights), strided, weights.astype(">f4"), weights.astype(float), read_only]
    for order in orders:
        actual = quantize(order, scheme)
        np.testing.assert_array_equal(actual.packed, expected.packed)
        np.testing.assert_array_equal(actual.scales, expected.scales)
        np.testing.assert_array_equal(zero_points_of(actual), zero_points_of(expected))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_weights_given_are_not_changed(scheme: Scheme) -> None:
    weights = np.random.default_rng(2).standard_normal((3, 5)).astype(np.float32)
    before = weights.copy()
    quantize(weights, scheme)
    np.testing.assert_array_equal(weights, before)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_not_finite_is_refused_by_its_place(
    scheme: Scheme, dtype: str, value: float
) -> None:
    weights = np.ones((70, 3), dtype)
    weights[69, 2] = value
    with pytest.raises(QuantizeError, match="row 69, column 2"):
        quantize(weights, scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("value", [1e39, -1e300])
def test_a_float64_above_binary32_is_refused_by_its_place(scheme: Scheme, value: float) -> None:
    weights = np.ones((3, 3))
    weights[1, 2] = value
    with pytest.raises(QuantizeError, match="row 1, column 2"):
        quantize(weights, scheme)


@pytest.mark.parametrize(
    ("scheme", "value"),
    [("affine", 65600), ("affine", -65600), ("affine", 3e38), ("symmetric", 57400), ("symmetric", -65600)],
)
def test_a_weight_above_every_legal_scale_is_refused_by_its_block(scheme: Scheme, value: float) -> None:
    weights = np.ones((70, 70), np.float32)
    weights[69, 69] = value
    with pytest.raises(QuantizeError, match="block row 1, block column 1"):
        quantize(weights, scheme)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.bool_, np.complex64, np.longdouble, object])
def test_weights_that_are_not_floats_are_refused(dtype: type) -> None:
    with pytest.raises(TypeError, match="float16, float32 or float64"):
        quantize(np.ones((3, 3), dtype))


@pytest.mark.parametrize("shape", [(), (3,), (3, 3, 3), (0, 3), (3, 0)])
def test_weights_that_are_not_a_matrix_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="rows, cols"):
        quantize(np.ones(shape, np.float32))


def test_a_method_of_the_caller_decides_the_codes_and_the_edge_stays_clear() -> None:
    def fifteens(blocks: NDArray[np.float32]) -> Quantized:
        n = len(blocks)
        return np.ones(n, np.float16), np.full(n, -3, np.int8), np.full((n, 64, 64), 15, np.uint8)

    tensor = quantize(np.ones((3, 65), np.float32), method=fifteens)
    assert_legal(tensor)
    assert (tensor.dequantize() == 18).all()


@pytest.mark.parametrize("scale", [np.nan, np.inf, 6e4])
def test_a_method_that_makes_an_illegal_scale_is_refused(scale: float) -> None:
    def illegal(blocks: NDArray[np.float32]) -> Quantized:
        n = len(blocks)
        return np.full(n, scale, np.float16), None, np.zeros((n, 64, 64), np.uint8)

    with pytest.raises(QuantizeError, match="too large"):
        quantize(np.ones((3, 3), np.float32), method=illegal)


def test_rounding_to_nearest_is_the_method_of_both_schemes() -> None:
    weights = np.random.default_rng(3).standard_normal((64, 64)).astype(np.float32)
    for scheme, method in METHODS["rtn"].items():
        np.testing.assert_array_equal(
            quantize(weights, scheme).packed, quantize(weights, method=method).packed
        )


def test_a_run_of_rows_is_that_run_of_the_matrix() -> None:
    weights = np.random.default_rng(4).standard_normal((200, 70)).astype(np.float32)
    for scheme in SCHEMES:
        tensor = quantize(weights, scheme)
        for first, count in ((0, 200), (64, 128), (128, 72), (192, 8)):
            run = tensor.rows(first, count)
            assert run.shape == (count, 70)
            np.testing.assert_array_equal(run.dequantize(), tensor.dequantize()[first : first + count])
