"""route, argmax and choose: the largest, the lowest index among equals."""

import numpy as np
import pytest

from tests.support.webgpu.kernel_bench import VARIANT_NAMES, Array, halves, run, unused

pytestmark = pytest.mark.gpu

EPS = 1e-5
WEIGHT_F16, ROUTER_F16 = 2, 16


def route(  # noqa: PLR0913  # the properties of a router
    x: Array, weight: Array, router: Array, flags: int, *, variant: str = "portable", repeats: int = 1
) -> tuple[Array, Array]:
    """Run the router over x [tokens, stride] and return choices and scores."""
    tokens, stride = x.shape
    num_experts, cols = router.shape
    bindings = [
        x,
        halves(weight) if flags & WEIGHT_F16 else weight,
        halves(router) if flags & ROUTER_F16 else router,
        unused(tokens, dtype=np.uint32),
        unused(tokens),
    ]
    parameters = [cols, stride, num_experts, flags, EPS]
    *_, choice, score = run("route", bindings, parameters, [tokens], variant, repeats=repeats)
    return choice, score


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("flags", [0, WEIGHT_F16, ROUTER_F16, WEIGHT_F16 | ROUTER_F16])
@pytest.mark.parametrize(("cols", "num_experts"), [(1, 1), (3, 5), (256, 16), (1000, 128)])
def test_route_chooses_the_largest_and_scores_it(
    cols: int, num_experts: int, flags: int, variant: str
) -> None:
    rng = np.random.default_rng([cols, num_experts])
    x = np.full((6, cols + 1), np.nan, np.float32)
    x[:, :cols] = rng.standard_normal((6, cols))
    weight = rng.standard_normal(cols).astype(np.float16 if flags & WEIGHT_F16 else np.float32)
    router = rng.standard_normal((num_experts, cols)) / np.sqrt(cols) * 4
    router = router.astype(np.float16 if flags & ROUTER_F16 else np.float32)
    choice, score = route(x, weight, router, flags, variant=variant, repeats=3)
    wide = x[:, :cols].astype(np.float64)
    normed = wide * weight.astype(np.float64) / np.sqrt((wide**2).mean(axis=1, keepdims=True) + EPS)
    r = normed @ router.T.astype(np.float64)
    slack = 2 * (cols + 16) * 2.0**-24 * (np.abs(normed) @ np.abs(router.T.astype(np.float64)))
    for t in range(6):
        chosen = int(choice[t])
        assert r[t, chosen] + slack[t, chosen] >= r[t].max()
        sigmoid = 1 / (1 + np.exp(-r[t, chosen]))
        assert abs(score[t] - sigmoid) <= sigmoid * (4 * abs(r[t, chosen]) + 16) * 2.0**-24 + slack[t, chosen]


def test_equal_experts_give_the_lowest_index() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 300)).astype(np.float32)
    router = np.zeros((7, 300), np.float32)
    assert route(x, x[0], router, 0)[0].tolist() == [0, 0]
    router[:] = -x[0] * x[0]
    router[3] = router[5] = x[0]
    choice, score = route(x[:1], np.ones(300, np.float32), router, 0)
    assert choice.tolist() == [3]
    assert score[0] == 1
    router[:] = -100 * x[0]
    assert 0 <= route(x[:1], np.ones(300, np.float32), router, 0)[1][0] < 2.0**-100


def choose(logits: Array, variant: str = "portable", repeats: int = 1) -> tuple[Array, Array]:
    """Run both dispatches of the greedy choice and return state and tokens."""
    empty = unused(64, 2, dtype=np.uint32)
    _, candidates = run("argmax", [logits, empty], [logits.size], [64], variant, repeats=repeats)
    state = np.zeros(64, np.uint32)
    state[:4] = [10, 5, 77, 2]
    tokens = np.full(9, 123, np.uint32)
    _, state, tokens = run("choose", [candidates, state, tokens], [0], [1], variant, repeats=repeats)
    return state, tokens


@pytest.mark.parametrize("size", [1e-20, 5e18])
def test_routers_are_accurate_for_mean_squares_of_any_size(size: float) -> None:
    x = (size * np.random.default_rng(6).uniform(1, 2, (1, 2000))).astype(np.float32)
    router = np.array([[-1.0], [2.0], [1.0]], np.float32) * np.full(2000, 2.0**-11, np.float32)
    choice, score = route(x, np.ones(2000, np.float32), router, 0)
    wide = x.astype(np.float64)
    r = (wide[0] / np.sqrt((wide**2).mean() + EPS)) @ router[1].astype(np.float64)
    assert choice[0] == 1
    assert abs(score[0] - 1 / (1 + np.exp(-r))) <= 2.0**-18


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("vocab", [1, 2, 63, 256, 257, 16384, 16385, 50001])
def test_greedy_choice(vocab: int, variant: str) -> None:
    rng = np.random.default_rng(vocab)
    for case in range(4):
        logits = rng.standard_normal(vocab).astype(np.float32)
        if case == 1:  # several largest ones, far apart
            logits[rng.integers(0, vocab, 5)] = 9
        if case == 2:
            logits[:] = -3e38
        if case == 3:
            logits = -np.abs(logits) - 1
            logits[vocab // 2] = -0.0
            logits[vocab - 1] = 0.0
        expected = int(logits.argmax())
        state, tokens = choose(logits, variant)
        assert state[:4].tolist() == [15, 1, expected, 3]
        assert tokens.tolist() == [expected] + 8 * [123]


def test_greedy_choice_repeats() -> None:
    logits = np.random.default_rng(1).integers(0, 20, 40000).astype(np.float32)
    choose(logits, repeats=20)
