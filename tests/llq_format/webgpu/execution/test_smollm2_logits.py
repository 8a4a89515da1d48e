"""The real SmolLM2 on lavapipe against the exact reference: no further from it than legal executions are.

INT8 rounding makes legal executions of so deep a model differ visibly (docs/tolerance.md), so no single logit
can be bounded tightly. Two statistics can: the residual stream after the binary16 layers, and the mean KL
divergence of all positions. Each bound comes from an ensemble of legal executions, the reference with every
operation disturbed within its accuracy: the ensemble's mean and six of its standard deviations.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import llq_format
from conformance.mutation.conforming.over_reference import disturbed
from conformance.mutation.mutants import MUTANTS
from conformance.mutation.mutants.seam import Mutate, mutated
from llq_format.metadata.model import Model
from llq_format.reference import Decoder, forward
from llq_format.reference.activations import Array
from llq_format.reference.ops import softmax
from llq_format.reference.text import TextTokenizer
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.opening import open_executor

pytestmark = pytest.mark.gpu

TEXT = "A lighthouse keeper writes one line each evening. The sea was calm."
EXECUTIONS = 6
SHOWN = ("int8-truncated", "tanh-gelu-for-silu", "rope-other-pairing", "mask-hides-own")
"""Mutants that the statistic must see; subtler ones are within the tolerance, and tiny models show them."""

SEEN_EARLY = ("eps-outside-root", "eps-1e-6", "tanh-gelu-for-silu", "rope-other-pairing")
"""Mutants that the residual stream after two layers must show."""


@pytest.fixture(scope="module")
def package(smollm2_package: Path) -> Iterator[llq_format.Package]:
    """Open the real model."""
    with llq_format.open(smollm2_package) as opened:
        yield opened


@pytest.fixture(scope="module")
def tokens(package: llq_format.Package) -> list[int]:
    """Return the ids of the text."""
    return TextTokenizer(package).encode(TEXT)


@pytest.fixture(scope="module")
def executor(package: llq_format.Package) -> Executor:
    """Return an executor on lavapipe, KV cache in binary32 as the reference's is wider."""
    return open_executor(package, adapter="lavapipe", context=64, chunk=32, kv_cache="f32")


def bound(values: list[float]) -> float:
    """Return the mean of an ensemble and six of its standard deviations."""
    return float(np.mean(values) + 6 * np.std(values, ddof=1))


class Legal:
    """Exact and legal logits of a text, and how far others are."""

    def __init__(self, package: llq_format.Package, tokens: list[int]) -> None:
        self.package = package
        self.tokens = tokens
        self.exact = self.logits()
        ensemble = [self.divergence(self.logits(disturbed(seed))) for seed in range(EXECUTIONS)]
        self.bound = bound(ensemble)

    def logits(self, *mutations: Mutate) -> Array:
        """Return the logits of the reference with these changes."""
        with mutated(mutations, {}):
            return Decoder(self.package).prefill(self.tokens)

    def divergence(self, logits: Array) -> float:
        """Return the mean Kullback-Leibler divergence from the exact distribution, in nats."""
        p, q = softmax(self.exact), softmax(logits)
        return float(np.mean(np.sum(p * (np.log(p) - np.log(q)), axis=-1)))


@pytest.fixture(scope="module")
def legal(package: llq_format.Package, tokens: list[int]) -> Legal:
    """Make the ensemble once."""
    return Legal(package, tokens)


def test_logits_of_prefill_are_no_further_from_exact_than_legal_ones(
    executor: Executor, legal: Legal
) -> None:
    executor.start()
    assert 0 < legal.divergence(executor.forward(legal.tokens).astype(np.float64)) <= legal.bound


def test_logits_of_decode_are_no_further_from_exact_than_legal_ones(executor: Executor, legal: Legal) -> None:
    executor.start()
    logits = np.concatenate([executor.forward([token]) for token in legal.tokens]).astype(np.float64)
    assert 0 < legal.divergence(logits) <= legal.bound


@pytest.mark.parametrize("name", SHOWN)
def test_the_divergence_sees_mutants(legal: Legal, name: str) -> None:
    assert legal.divergence(legal.logits(MUTANTS[name].mutate)) > legal.bound


def residual(package: llq_format.Package, tokens: list[int], layers: int, *mutations: Mutate) -> Array:
    """Return the reference's residual stream after the first layers, float64 [tokens, hidden_size]."""
    with mutated(mutations, {}):
        decoder = Decoder(package)
        decoder.layers = decoder.layers[:layers]
        model = package.metadata.model
        assert isinstance(model, Model)
        x = decoder.embedding[tokens].astype(np.float64)
        positions = np.arange(len(tokens), dtype=np.float64)
        for layer, cache in zip(decoder.layers, decoder.start().caches, strict=True):
            x = x + layer.attention(_norm(x, layer.attention_norm, model), positions, cache)
            x = x + layer.ffn(_norm(x, layer.ffn_norm, model))
        return x


def _norm(x: Array, weight: Array, model: Model) -> Array:
    """Norm as the decoder does, with what `disturbed` puts in its place."""
    normed: Array = vars(forward)["rms_norm"](x, weight, model.rms_norm_eps)
    return normed


def test_the_residual_stream_after_the_binary16_layers_is_tight(
    package: llq_format.Package, tokens: list[int], executor: Executor
) -> None:
    model = package.metadata.model
    assert model is not None
    layers = model.fp16_layers
    exact = residual(package, tokens, layers)

    def error(x: Array) -> float:
        """Return the largest root mean square error of a position, relative to its residual stream."""
        return float((np.linalg.norm(x - exact, axis=-1) / np.linalg.norm(exact, axis=-1)).max())

    ensemble = [error(residual(package, tokens, layers, disturbed(seed))) for seed in range(EXECUTIONS)]
    run = executor.program.passes["prefill"]
    until = next(i for i, dispatch in enumerate(run) if dispatch.label.startswith(f"layers.{layers}."))
    begun = replace(executor.program, passes={**executor.program.passes, "begun": run[:until]})
    first = Executor(package, begun, executor.device, executor.context)
    first.write("tokens", np.array(tokens, np.uint32))
    first.write("state", np.array([0, len(tokens)], np.uint32))
    first.run("begun", len(tokens))
    x = first.read("x", exact.size).reshape(exact.shape).astype(np.float64)
    assert 0 < error(x) <= bound(ensemble)
    for name in SEEN_EARLY:
        assert error(residual(package, tokens, layers, MUTANTS[name].mutate)) > bound(ensemble), name
