"""Kernels at the ends of the ranges of their operands (spec: kernels.md, Domains of operations)."""

import numpy as np
import pytest

from tests.support.webgpu.kernel_bench import VARIANT_NAMES, Array, run, unused
from tests.support.webgpu.rounded_vectors import check_binary16, check_int8
from tests.support.webgpu.sampling import Sampling, legal

pytestmark = pytest.mark.gpu

LARGEST = float(np.finfo(np.float32).max)
HEAD_DIM = 8
CONTEXT = 300
"""Positions: more than two tiles of any kernel."""
POSITION = 4
"""Position of a sampled token."""


def one_hot_scores(scores: Array) -> tuple[Array, Array]:
    """Return a query [head_dim] and keys [n, head_dim] whose products are exactly these scores."""
    query, keys = np.zeros(HEAD_DIM, np.float32), np.zeros((scores.size, HEAD_DIM), np.float32)
    query[0] = 2.0
    keys[:, 0] = scores / 2
    return query, keys


def attention_of(scores: Array, values: Array, splits: int, variant: str) -> Array:
    """Run attention of one head over scores [n] and return `partials` [1, 1, splits, head_dim + 2]."""
    query, keys = one_hot_scores(scores)
    state = np.array([scores.size - 1, 1, 0, 0], np.uint32)
    bindings = [
        query,
        keys.view(np.uint32),
        values.view(np.uint32),
        state,
        unused(1, 1, splits, HEAD_DIM + 2),
    ]
    return run("attention", bindings, [1, 1, HEAD_DIM, splits, 0, 0], [1, splits, 1], variant)[4]


def check_output(partials: Array, expected: Array, variant: str) -> None:
    """Assert that both combines give the expected output [head_dim] of one head."""
    splits = partials.shape[2]
    parameters, wide = [1, HEAD_DIM, splits, 1], expected.astype(np.float64)
    outputs = [unused(1, 1, 16, dtype=np.uint32), unused(1, 1, dtype=np.int32), unused(1)]
    _, codes, sums, scales = run("combine_int8", [partials, *outputs], parameters, [1], variant)
    check_int8(wide, np.abs(wide) * 1e-6, codes[0], sums[0], float(scales[0]))
    outputs = [unused(1, 64), unused(1, 1)]
    _, rounded, rounded_sums = run("combine_binary16", [partials, *outputs], parameters, [1], variant)
    check_binary16(wide, np.abs(wide) * 1e-6, rounded[0], rounded_sums[0])


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("splits", [1, 3, 5])
@pytest.mark.parametrize("largest", [2.0**31, 2.0**33, 2.0**60, LARGEST])
@pytest.mark.parametrize("place", [0, 140, CONTEXT - 1])
def test_the_maximum_score_takes_all(place: int, largest: float, splits: int, variant: str) -> None:
    values = np.arange(1, 1 + HEAD_DIM * CONTEXT, dtype=np.float32).reshape(-1, HEAD_DIM)
    for scores in (
        np.zeros(CONTEXT, np.float32),
        np.full(CONTEXT, -largest, np.float32),
        np.linspace(-largest, largest / 2, CONTEXT).astype(np.float32),
    ):
        scores[place] = largest
        check_output(attention_of(scores, values, splits, variant), values[place], variant)


@pytest.mark.parametrize("splits", [1, 3])
@pytest.mark.parametrize("score", [-LARGEST, -(2.0**33), 2.0**33, LARGEST])
def test_equal_scores_weigh_the_same(score: float, splits: int) -> None:
    values = np.arange(HEAD_DIM * CONTEXT, dtype=np.float32).reshape(-1, HEAD_DIM)
    scores = np.full(CONTEXT, score, np.float32)
    check_output(attention_of(scores, values, splits, "portable"), values.mean(axis=0), "portable")


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("largest", [2.0**33, 2.0**60, 2.0**100])
@pytest.mark.parametrize("place", [0, 140, CONTEXT - 1])
def test_the_maximum_score_takes_all_where_attention_is_fused(
    place: int, largest: float, variant: str
) -> None:
    splits = 4
    values = np.arange(1, 1 + HEAD_DIM * CONTEXT, dtype=np.float32).reshape(-1, HEAD_DIM).astype(np.float16)
    keys = np.zeros((CONTEXT, HEAD_DIM), np.float16)
    keys[:, 0] = -1
    keys[place, 0] = 1
    position = CONTEXT - 1
    query = np.zeros(HEAD_DIM, np.float32)
    query[0] = largest
    qkv = np.concatenate([query, keys[position].astype(np.float32), values[position].astype(np.float32)])
    cached = [keys.copy(), values.copy()]
    for cache in cached:
        cache[position] = np.nan
    bindings = [
        qkv,
        np.zeros((CONTEXT, HEAD_DIM // 2, 2), np.float32),
        np.array([position, 1, 0, 0], np.uint32),
        *(cache.view(np.uint32) for cache in cached),
        unused(1, 1, splits, HEAD_DIM + 2),
    ]
    partials = run("fused_attention", bindings, [1, 1, HEAD_DIM, splits, 0, 0], [1, splits], variant)[5]
    partials[..., :HEAD_DIM] = np.nan_to_num(partials[..., :HEAD_DIM])  # of empty splits: any finite numbers
    check_output(partials, values[place].astype(np.float32), variant)


def sample(logits: Array, settings: Sampling) -> int:
    """Sample one token."""
    state = np.array([POSITION - 1, 1, *[0] * 62], np.uint32)
    bindings = [logits, settings.words, state, unused(4, dtype=np.uint32)]
    return int(run("sample", bindings, [logits.size], [1])[3][0])


@pytest.mark.parametrize("top_p", [0.5, 1.0])
@pytest.mark.parametrize("temperature", [2.0**-59, 2.0**64, 2.0**100, 2.0**127])
def test_logits_of_any_distance_are_sampled_at_any_temperature(temperature: float, top_p: float) -> None:
    logits = np.array([-LARGEST, LARGEST, -LARGEST, 0], np.float32)
    for seed in range(20):
        settings = Sampling(temperature, top_p=top_p, seed=seed)
        assert sample(logits, settings) in legal(logits, settings, POSITION)
    assert sample(np.full(3, -LARGEST, np.float32), Sampling(temperature, 1)) == 0


def test_ties_far_below_the_maximum_are_counted() -> None:
    logits = np.array([0, -86, -86, -86, -90], np.float32)
    assert sample(logits, Sampling(1.0, 3, 1 - 2.0**-24)) == 0
    assert sample(logits, Sampling(1.0, 3, 1e-30)) == 0


@pytest.mark.parametrize("size", [1e-20, 5e18])
def test_heads_are_normalized_whatever_their_size(size: float) -> None:
    head_dim, qk_norm = 256, 4
    heads = (size * np.random.default_rng(7).uniform(1, 2, (3, head_dim))).astype(np.float32)
    cache = unused(head_dim, dtype=np.uint32)
    bindings = [heads, unused(1), np.zeros(4, np.uint32), unused(head_dim), cache, cache]
    *_, queries, keys, _ = run("rope", bindings, [1, 1, head_dim, qk_norm, 1e-5, 0.0, 0], [3, 1])
    wide = heads.astype(np.float64)
    normalized = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(queries, normalized[0] / 16, rtol=1e-5)
    np.testing.assert_allclose(keys.view(np.float32), normalized[1], rtol=1e-5)


def test_heads_of_more_than_2_to_the_20_pairs_are_told_apart() -> None:
    heads, head_dim = 4096, 1026
    partials = np.zeros((1, heads, 1, head_dim + 2), np.float32)
    partials[..., :head_dim] = (np.arange(heads) % 2048)[None, :, None, None]
    partials[..., head_dim + 1] = 1
    blocks = heads * head_dim // 64
    outputs = [unused(1, 64 * blocks), unused(1, blocks)]
    parameters = [heads, head_dim, 1, blocks]
    _, rounded, _ = run("combine_binary16", [partials, *outputs], parameters, [1, 16])
    np.testing.assert_array_equal(rounded.reshape(heads, head_dim), partials[0, :, 0, :head_dim])
