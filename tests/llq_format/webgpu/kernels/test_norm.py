"""norm_int8 and norm_binary16 against exact arithmetic."""

import numpy as np
import pytest

from tests.support.webgpu.kernel_bench import VARIANT_NAMES, Array, halves, run, unused
from tests.support.webgpu.rounded_vectors import Float64, check_binary16, check_int8

pytestmark = pytest.mark.gpu

U = 2.0**-24
NORMALIZE, WEIGHT_F16, SCORED, LAST = 1, 2, 4, 8
EPS = 1e-5


def norm(  # noqa: PLR0913  # the properties of a norm
    entry: str,
    x: Array,
    weight: Array,
    flags: int,
    *,
    cols: int,
    score: Array | None = None,
    variant: str = "portable",
    repeats: int = 1,
) -> list[Array]:
    """Run a norm over x [tokens, stride] and return its output, NaN where it wrote nothing."""
    tokens, stride = x.shape
    blocks = -(-cols // 64) + 1  # one more than the vector has
    rows = 1 if flags & LAST else tokens
    outputs = (
        [unused(tokens, blocks, 16, dtype=np.uint32), unused(tokens, blocks, dtype=np.int32), unused(tokens)]
        if entry == "norm_int8"
        else [unused(tokens, blocks * 64), unused(tokens, blocks)]
    )
    state = np.array([7, tokens, 0, 0], np.uint32)
    words = halves(weight) if flags & WEIGHT_F16 else weight.astype(np.float32)
    scores = unused(tokens) if score is None else score
    return run(
        entry,
        [x, words, scores, state, *outputs],
        [cols, stride, blocks, flags, EPS],
        [rows],
        variant,
        repeats=repeats,
    )[4:]


def exact(x: Array, weight: Array, flags: int, score: Array | None) -> tuple[Float64, Float64]:
    """Return the values [tokens, cols] and how far a norm may be from them (chapter Numerics)."""
    wide = x.astype(np.float64)
    n = x.shape[1]
    if flags & NORMALIZE:
        wide = (
            wide
            * weight.astype(np.float64)
            / np.sqrt((wide**2).mean(axis=1, keepdims=True) + np.float32(EPS))
        )
        error = np.abs(wide) * (n / 2 + 8) * U / (1 - (n + 8) * U)
    else:
        error = np.zeros_like(wide)
    if flags & SCORED:
        assert score is not None
        wide = wide * score[:, None]
        error = error * score[:, None] + np.abs(wide) * U
    return wide, error


def case(rng: np.random.Generator, tokens: int, cols: int, flags: int) -> tuple[Array, Array, Array]:
    """Return x with NaN between the rows, a weight with subnormals of binary16, and scores."""
    x = np.full((tokens, cols + 3), np.nan, np.float32)
    x[:, :cols] = rng.standard_normal((tokens, cols)) * rng.choice([1e-3, 1, 30], (tokens, 1))
    weight = rng.standard_normal(cols).astype(np.float16 if flags & WEIGHT_F16 else np.float32)
    weight[0] = np.float16(3e-6)
    return x, weight, rng.random(tokens).astype(np.float32)


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("flags", [1, 0, 1 | 2, 1 | 4, 1 | 2 | 4, 4])
@pytest.mark.parametrize("cols", [1, 2, 63, 64, 65, 576, 1030, 4096])
def test_norm_is_within_its_error_bound_and_rounds_legally(cols: int, flags: int, variant: str) -> None:
    x, weight, score = case(np.random.default_rng(cols + flags), 3, cols, flags)
    values, error = exact(x[:, :cols], weight, flags, score)
    blocks = -(-cols // 64)
    codes, sums, scales = norm("norm_int8", x, weight, flags, cols=cols, score=score, variant=variant)
    rounded, rounded_sums = norm("norm_binary16", x, weight, flags, cols=cols, score=score, variant=variant)
    for t in range(3):
        check_int8(values[t], error[t], codes[t, :blocks], sums[t, :blocks], float(scales[t]))
        check_binary16(values[t], error[t], rounded[t, : 64 * blocks], rounded_sums[t, :blocks])
    assert (codes[:, blocks:] == 0xFFFFFFFF).all()
    assert np.isnan(rounded[:, 64 * blocks :]).all()


def test_input_rounding_alone_takes_ties_to_even_or_within_the_guard_band() -> None:
    x = np.zeros((4, 130), np.float32)
    x[0] = np.arange(130) - 64.5
    x[0, 129] = 127
    x[2] = 2.0**-101
    x[3] = np.linspace(-3e38, 3e38, 130)
    codes, sums, scales = norm("norm_int8", x, x[0], 0, cols=130)
    for t in range(4):
        wide = x[t].astype(np.float64)
        check_int8(wide, np.zeros(130), codes[t, :3], sums[t, :3], float(scales[t]))


@pytest.mark.parametrize("size", [1e-30, 2.0**-63, 1e-9, 1e15, 5e18])
@pytest.mark.parametrize("flags", [1, 1 | 2])
def test_mean_squares_up_to_the_largest_are_accurate(flags: int, size: float) -> None:
    x, weight, _ = case(np.random.default_rng(4), 1, 3000, flags)
    x[0, :3000] = size * np.random.default_rng(5).uniform(
        1, 2, 3000
    )  # the sum of squares overflows, the mean does not
    values, error = exact(x[:, :3000], weight, flags, None)
    rounded, sums = norm("norm_binary16", x, weight, flags, cols=3000)
    codes, code_sums, scales = norm("norm_int8", x, weight, flags, cols=3000)
    check_binary16(values[0], error[0], rounded[0, : 47 * 64], sums[0, :47])
    check_int8(values[0], error[0], codes[0, :47], code_sums[0, :47], float(scales[0]))


@pytest.mark.parametrize("variant", VARIANT_NAMES)
def test_binary16_rounding_is_exact_for_every_kind_of_value(variant: str) -> None:
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    middle = ((halves[:-1].astype(np.float64) + halves[1:]) / 2).astype(np.float32)  # ties
    above, below = np.nextafter(middle, np.float32(np.inf)), np.nextafter(middle, np.float32(0))
    odd = np.array([65504, 65519, 65520, 1e38, 3.4e38, 1e-30, 1e-40, 0], np.float32)
    values = np.concatenate([halves, middle, above, below, odd])
    values = np.concatenate([values, -values])
    x = np.zeros((1, values.size), np.float32)
    x[0] = values
    (rounded, _) = norm("norm_binary16", x, x[0], 0, cols=values.size, variant=variant)
    expected = np.clip(values, -65504, 65504).astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(rounded[0, : values.size].view(np.uint32), expected.view(np.uint32))


def test_block_sums_of_integers_are_exact() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-2048, 2049, (2, 700)).astype(np.float32)
    (rounded, sums) = norm("norm_binary16", x, x[0], 0, cols=700)
    np.testing.assert_array_equal(rounded[:, :700], x)
    np.testing.assert_array_equal(sums[:, :11], np.pad(x, [(0, 0), (0, 4)]).reshape(2, 11, 64).sum(axis=2))


@pytest.mark.parametrize("entry", ["norm_int8", "norm_binary16"])
def test_last_token_goes_to_row_0(entry: str) -> None:
    x, weight, _ = case(np.random.default_rng(1), 5, 100, 1)
    all_rows = norm(entry, x, weight, NORMALIZE, cols=100)
    last = norm(entry, x, weight, NORMALIZE | LAST, cols=100)
    for rows, row in zip(all_rows, last, strict=True):
        np.testing.assert_array_equal(row[0], rows[4])
        assert row[1:].tobytes() == unused(*row[1:].shape).tobytes()


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("entry", ["norm_int8", "norm_binary16"])
def test_norm_repeats(entry: str, variant: str) -> None:
    x, weight, score = case(np.random.default_rng(2), 4, 2050, 7)
    norm(entry, x, weight, 7, cols=2050, score=score, variant=variant, repeats=20)
