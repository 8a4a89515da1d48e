"""rope, attention and combine against arithmetic in binary64."""

from dataclasses import dataclass

import numpy as np
import pytest

from tests.support.webgpu.kernel_bench import VARIANT_NAMES, Array, halves, run, unused
from tests.support.webgpu.rounded_vectors import Float64, check_binary16, check_int8

pytestmark = pytest.mark.gpu

U = 2.0**-24
EPS = 1e-5
ROTATE, HALVES, QK_NORM, KV_F16 = 1, 2, 4, 8


@dataclass(frozen=True)
class Heads:
    """The geometry of a layer's attention."""

    heads: int
    kv_heads: int
    head_dim: int

    @property
    def all(self) -> int:
        """Heads of queries, keys and values."""
        return self.heads + 2 * self.kv_heads


GEOMETRIES = [Heads(4, 2, 2), Heads(3, 1, 6), Heads(5, 5, 64), Heads(9, 3, 128), Heads(2, 1, 256)]


def cache_words(values: Array, kv_f16: int) -> Array:
    """Return float32 values as a KV cache holds them."""
    return halves(values) if kv_f16 else values.astype(np.float32).view(np.uint32)


def cache_values(words: Array, kv_f16: int) -> Array:
    """Return the values in a KV cache of words."""
    return words.view(np.float16).astype(np.float32) if kv_f16 else words.view(np.float32)


def rotated(x: Float64, table: Float64, flags: int) -> tuple[Float64, Float64]:
    """Return heads [tokens, heads, head_dim] rotated by (cos, sin), and the sums of |terms|."""
    half = x.shape[2] // 2
    first, second = (x[..., :half], x[..., half:]) if flags & HALVES else (x[..., ::2], x[..., 1::2])
    cos, sin = table[:, None, :, 0], table[:, None, :, 1]
    a, b = first * cos - second * sin, second * cos + first * sin
    terms_a = np.abs(first * cos) + np.abs(second * sin)
    terms_b = np.abs(second * cos) + np.abs(first * sin)
    if flags & HALVES:
        return np.concatenate([a, b], axis=2), np.concatenate([terms_a, terms_b], axis=2)
    return np.stack([a, b], axis=3).reshape(x.shape), np.stack([terms_a, terms_b], axis=3).reshape(x.shape)


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("floor_scale", [0, 4])
@pytest.mark.parametrize("flags", range(16))
@pytest.mark.parametrize("geometry", [*GEOMETRIES, Heads(1, 1, 1030)])
def test_rope(geometry: Heads, flags: int, floor_scale: int, variant: str) -> None:
    tokens, position, context = 3, 6, 12
    rng = np.random.default_rng([geometry.head_dim, flags])
    qkv = rng.standard_normal((tokens, geometry.all, geometry.head_dim)).astype(np.float32)
    angles = rng.uniform(-4, 4, (context, geometry.head_dim // 2))
    table = np.stack([np.cos(angles), np.sin(angles)], axis=2).astype(np.float32)
    cache = unused(
        context * geometry.kv_heads * geometry.head_dim // (2 if flags & KV_F16 else 1), dtype=np.uint32
    )
    state = np.array([position, tokens, 0, 0], np.uint32)
    shape = [geometry.heads, geometry.kv_heads, geometry.head_dim, flags, EPS, 0.1, floor_scale]
    q_buffer = unused(tokens, geometry.heads, geometry.head_dim)
    *_, q, keys, values = run(
        "rope",
        [qkv, table, state, q_buffer, cache, cache],
        shape,
        [geometry.all, tokens],
        variant,
    )

    wide = qkv.astype(np.float64)
    turned, terms = wide, np.abs(wide)
    if flags & ROTATE:
        turned, terms = rotated(wide, table[position : position + tokens].astype(np.float64), flags)
    error = 10 * U * terms
    if flags & QK_NORM:
        factor = 1 / np.sqrt((wide**2).mean(axis=2, keepdims=True) + EPS)
        n = geometry.head_dim
        error = error * factor + np.abs(turned * factor) * (n + 16) * U
        turned = turned * factor
    of_q, of_k = slice(0, geometry.heads), slice(geometry.heads, geometry.heads + geometry.kv_heads)
    where = np.arange(position, position + tokens)
    scale = np.ones(tokens)
    if floor_scale:
        scale = 1 + 0.1 * np.log(1 + (where + 1) // floor_scale)
    scale = scale[:, None, None] / np.sqrt(geometry.head_dim)
    expected = turned[:, of_q] * scale
    allowed = error[:, of_q] * scale + np.abs(expected) * (2.0**-20 + 8 * U)
    assert (np.abs(q - expected) <= allowed).all()

    cached = (context, geometry.kv_heads, geometry.head_dim)
    cached_keys = cache_values(keys, flags & KV_F16).reshape(cached)
    low, high = turned[:, of_k] - error[:, of_k], turned[:, of_k] + error[:, of_k]
    if flags & KV_F16:
        low, high = low.astype(np.float16), high.astype(np.float16)
    assert (cached_keys[where] >= low).all()
    assert (cached_keys[where] <= high).all()
    value_vectors = qkv[:, geometry.heads + geometry.kv_heads :]
    stored = cache_values(values, flags & KV_F16).reshape(cached)
    np.testing.assert_array_equal(
        stored[where], value_vectors.astype(np.float16) if flags & KV_F16 else value_vectors
    )
    unwritten = np.delete(np.arange(context), where)
    assert np.isnan(stored[unwritten]).all()
    assert np.isnan(cached_keys[unwritten]).all()


@dataclass(frozen=True)
class Attended:
    """A query's scores and weighted values in binary64, and how far a kernel may be from the output."""

    output: Float64
    error: Float64


def attended(q: Array, keys: Array, values: Array, first: int) -> Attended:
    """Return the output of one head [head_dim] for positions `first` and on of keys and values."""
    wide, k, v = q.astype(np.float64), keys[first:].astype(np.float64), values[first:].astype(np.float64)
    n, head_dim = k.shape
    scores = k @ wide
    score_error = ((head_dim + 8) * U * (np.abs(k) @ np.abs(wide))).max()
    spread = scores.max() - scores
    weights = np.exp(-spread)
    weights /= weights.sum()
    relative = (4 * spread + n + 16) * U + 2 * score_error
    terms = weights[:, None] * np.abs(v)
    return Attended(weights @ v, (terms * relative[:, None]).sum(axis=0) + (n + 8) * U * terms.sum(axis=0))


def attention(  # noqa: PLR0913  # the properties of an attention
    geometry: Heads,
    position: int,
    tokens: int,
    *,
    splits: int,
    chunk_size: int = 0,
    kv_f16: int = 1,
    variant: str = "portable",
    repeats: int = 1,
) -> None:
    """Run attention and both combines on random queries, keys and values, and check every head's output."""
    rng = np.random.default_rng([position, geometry.head_dim, splits])
    context = position + tokens + 3
    q = (rng.standard_normal((tokens, geometry.heads, geometry.head_dim)) / 2).astype(np.float32)
    shape = (context, geometry.kv_heads, geometry.head_dim)
    keys, values = (
        rng.standard_normal(shape).astype(np.float32),
        rng.standard_normal(shape).astype(np.float32),
    )
    keys[position + tokens :] = np.nan
    values[position + tokens :] = np.nan
    if kv_f16:
        keys, values = (
            keys.astype(np.float16).astype(np.float32),
            values.astype(np.float16).astype(np.float32),
        )
    state = np.array([position, tokens, 0, 0], np.uint32)
    partials = run(
        "attention",
        [
            q,
            cache_words(keys, kv_f16),
            cache_words(values, kv_f16),
            state,
            unused(tokens, geometry.heads, splits, geometry.head_dim + 2),
        ],
        [geometry.heads, geometry.kv_heads, geometry.head_dim, splits, chunk_size, kv_f16],
        [geometry.heads, splits, tokens],
        variant,
        repeats=repeats,
    )[4]
    assert np.isfinite(partials).all()
    expected, error = np.zeros(q.shape), np.zeros(q.shape)
    for t in range(tokens):
        place = position + t
        first = place - place % chunk_size if chunk_size else 0
        for head in range(geometry.heads):
            kv = head * geometry.kv_heads // geometry.heads
            result = attended(q[t, head], keys[: place + 1, kv], values[: place + 1, kv], first)
            expected[t, head], error[t, head] = result.output, result.error
    check_combined(geometry, partials, expected.reshape(tokens, -1), error.reshape(tokens, -1), variant)


def check_combined(geometry: Heads, partials: Array, expected: Float64, error: Float64, variant: str) -> None:
    """Run both combines and check their rounded outputs."""
    tokens, splits = partials.shape[0], partials.shape[2]
    blocks = -(-geometry.heads * geometry.head_dim // 64)
    parameters = [geometry.heads, geometry.head_dim, splits, blocks + 1]
    outputs = [unused(tokens, blocks + 1, 16, dtype=np.uint32), unused(tokens, blocks + 1, dtype=np.int32)]
    _, codes, sums, scales = run(
        "combine_int8", [partials, *outputs, unused(tokens)], parameters, [tokens], variant, repeats=2
    )
    _, rounded, rounded_sums = run(
        "combine_binary16",
        [partials, unused(tokens, blocks * 64 + 64), unused(tokens, blocks + 1)],
        parameters,
        [tokens],
        variant,
        repeats=2,
    )
    for t in range(tokens):
        check_int8(expected[t], error[t], codes[t, :blocks], sums[t, :blocks], float(scales[t]))
        check_binary16(expected[t], error[t], rounded[t, : 64 * blocks], rounded_sums[t, :blocks])


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("splits", [1, 2, 5, 16])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_attention_of_one_position(geometry: Heads, splits: int, variant: str) -> None:
    for position in (0, 1, 37, 255, 256, 700):
        attention(geometry, position, 1, splits=splits, variant=variant)


@pytest.mark.parametrize("kv_f16", [0, 1])
def test_attention_over_a_long_context(kv_f16: int) -> None:
    attention(Heads(4, 2, 32), 4999, 1, splits=16, kv_f16=kv_f16)
    attention(Heads(4, 2, 32), 4998, 2, splits=3, kv_f16=kv_f16)


@pytest.mark.parametrize("kv_f16", [0, 1])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_attention_of_a_chunk_of_tokens(geometry: Heads, kv_f16: int) -> None:
    attention(geometry, 0, 9, splits=1, kv_f16=kv_f16)
    attention(geometry, 250, 13, splits=2, kv_f16=kv_f16)


@pytest.mark.parametrize("chunk_size", [1, 2, 64, 100, 1000])
def test_chunked_attention(chunk_size: int) -> None:
    for position in (0, 63, 98, 199, 999):
        attention(Heads(4, 2, 16), position, 3, splits=4, chunk_size=chunk_size)


@pytest.mark.parametrize("kv_f16", [0, 1])
def test_heads_wider_than_a_slice(kv_f16: int) -> None:
    attention(Heads(2, 1, 514), 300, 2, splits=2, kv_f16=kv_f16)
    attention(Heads(1, 1, 1536), 20, 1, splits=3, kv_f16=kv_f16)


def test_more_heads_than_factors_fit() -> None:
    attention(Heads(2100, 1, 2), 40, 1, splits=2)


@pytest.mark.parametrize("variant", VARIANT_NAMES)
def test_attention_repeats(variant: str) -> None:
    attention(Heads(6, 2, 48), 777, 2, splits=3, variant=variant, repeats=20)


def test_scores_far_apart_neither_overflow_nor_vanish() -> None:
    heads = Heads(1, 1, 4)
    keys = np.zeros((600, 1, 4), np.float32)
    keys[:, 0, 0] = np.linspace(-3000, 3000, 600)
    values = np.arange(2400, dtype=np.float32).reshape(600, 1, 4)
    for sign in (-1, 1):
        q = np.array([[[sign * 10.0, 0, 0, 0]]], np.float32)
        state = np.array([599, 1, 0, 0], np.uint32)
        partials = run(
            "attention",
            [q, cache_words(keys, 0), cache_words(values, 0), state, unused(1, 1, 7, 6)],
            [1, 1, 4, 7, 0, 0],
            [1, 7, 1],
        )[4]
        expected = values[-1 if sign > 0 else 0].astype(np.float64)
        check_combined(heads, partials, expected, np.abs(expected) * 1e-6, "portable")
