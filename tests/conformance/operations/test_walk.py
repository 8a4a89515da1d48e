"""The operations on a runtime's own values: legal results are inside their bounds, whatever is missing."""

import random
import re

import numpy as np
import pytest

from conformance.core.data import data
from conformance.core.rules import registry
from conformance.core.vectors import Vector, load
from conformance.mutation.conforming import runtime
from conformance.operations import attention, elementwise, rounding
from conformance.operations.ball import Ball, Reals, total
from conformance.operations.walk import RULES, Walk
from conformance.runtimes.reference import Reference

VECTORS = {vector.id: vector for vector in load() if vector.kind == "logits"}
SHORT = ("llama-4", "chunks-int8", "ungated-gelu-binary16", "zero-vectors-int8")
RANDOM = np.random.default_rng(11)


def wrong(vector: Vector, name: str, split: list[int], share: float = 1.0) -> list[str]:
    """Return the operations of a conforming variant outside their bounds, for a share of its tensors."""
    subject = runtime(name)
    tokens = vector.members["tokens"]
    trace = subject.trace(vector.package, tokens, split)
    choose = random.Random(len(tokens) + int(100 * share)).random  # noqa: S311 - a sample
    kept = {tensor: values for tensor, values in trace.items() if choose() < share}
    walk = Walk(vector.package, tokens, kept, subject.info.kv_cache)
    assert set(trace) <= walk.names
    return [operation.name for operation in walk.operations if operation.wrong]


@pytest.mark.parametrize("name", ["disturbed", "float32-results", "binary16-cache", "subnormals-flushed"])
@pytest.mark.parametrize("vector", SHORT)
def test_legal_executions_are_within_the_bounds(name: str, vector: str) -> None:
    for split in VECTORS[vector].members["splits"][:2]:
        assert wrong(VECTORS[vector], name, split) == []


@pytest.mark.parametrize("share", [0.7, 0.3, 0.05])
@pytest.mark.parametrize("vector", SHORT)
def test_results_that_are_missing_widen_the_bounds(vector: str, share: float) -> None:
    split = VECTORS[vector].members["splits"][0]
    for name in ("disturbed", "binary16-cache"):
        assert wrong(VECTORS[vector], name, split, share) == []


def test_every_rule_of_an_operation_exists() -> None:
    assert {rule for rules in RULES.values() for rule in rules} <= set(registry())


def test_the_guide_lists_the_names() -> None:
    """The names of all vectors match the table of TRACE.md, and each name of the table occurs."""
    guide = (data("conformance") / "TRACE.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in guide.splitlines() if line.startswith("| `")]
    listed = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    reference = Reference()
    names: set[str] = set()
    for vector in ("llama-4", "ungated-gelu-int8", "chunks-int8", "affine-with-experts-binary16"):
        tokens = VECTORS[vector].members["tokens"]
        trace = reference.trace(VECTORS[vector].package, tokens, [len(tokens)])
        names |= {re.sub(r"layers\.\d+", "layers.N", name) for name in trace}
    patterns = [re.escape(name).replace("…", r".+") + r"(\.input|\.scale)?" for name in listed]
    assert [name for name in names if not any(re.fullmatch(p, name) for p in patterns)] == []
    unused = [
        name
        for name, pattern in zip(listed, patterns, strict=True)
        if not any(re.fullmatch(pattern, seen) for seen in names)
    ]
    assert unused == ["layers.N.attention.scaled.q"]  # of runtimes that divide the queries


def inside(ball: Ball, values: Reals) -> bool:
    """Whether values are within the radii, without the errors of their own operation."""
    return bool((np.abs(values - ball.value) <= ball.radius).all())


def disturbed(ball: Ball) -> Reals:
    """Return values anywhere in a ball."""
    return np.asarray(ball.value + ball.radius * RANDOM.uniform(-1, 1, ball.value.shape))


def sample(*shape: int, radius: float = 1e-3) -> Ball:
    value = RANDOM.normal(size=shape)
    return Ball(value, radius * RANDOM.uniform(0, 1, shape))


def test_balls_contain_the_results_of_every_input() -> None:
    """What an operation yields for any inputs in their balls is in the ball of its result."""
    mask = attention.visible(np.arange(5.0), 3)
    angles = RANDOM.normal(size=(5, 4))
    for _ in range(50):
        x, heads, weights = sample(5, 16), sample(5, 2, 8), sample(16, radius=0).value
        at = Ball.exact(disturbed(x))
        turned = Ball.exact(disturbed(heads))
        cases = [
            (elementwise.norm(x, weights, 1e-5), elementwise.norm(at, weights, 1e-5)),
            (elementwise.sigmoid(x), elementwise.sigmoid(at)),
            (elementwise.hidden(x, "silu", gated=True), elementwise.hidden(at, "silu", gated=True)),
            (elementwise.hidden(x, "gelu", gated=False), elementwise.hidden(at, "gelu", gated=False)),
            (elementwise.rotated(heads, angles, "halves"), elementwise.rotated(turned, angles, "halves")),
            (attention.scores(heads, heads), attention.scores(turned, turned)),
            (total(x, x), total(at, at)),
            (rounding.binary16(x), rounding.binary16(at)),
            (rounding.cached(x, "f16"), rounding.cached(at, "f16")),
            *zip(rounding.int8(x), rounding.int8(at), strict=True),
        ]
        scores = sample(5, 2, 5)
        chosen = Ball.exact(disturbed(scores))
        cases.append((attention.softmax(scores, mask), attention.softmax(chosen, mask)))
        for number, (ball, exact) in enumerate(cases):
            assert inside(ball, exact.value), number


def test_infinite_radii_contain_every_number() -> None:
    ball = elementwise.norm(Ball(np.ones(4), np.full(4, 9.0)), None, 1e-5)
    assert not ball.outside(np.array([1e30, -1.0, 0.0, 5.0])).any()
    assert ball.outside(np.array([np.nan, np.inf, 0.0, 5.0])).tolist() == [True, True, False, False]
