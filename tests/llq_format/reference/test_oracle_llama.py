"""The decoder against transformers' Llama: every feature of the dense architecture, alone and together."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

import numpy as np
import pytest

from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.rope import from_config
from llq_format.metadata.model import FFN, Layer, Model
from llq_format.reference import Decoder
from llq_format.reference import ffn as reference_ffn
from llq_format.reference.matrix import FloatMatrix
from llq_format.reference.ops import ACTIVATIONS
from tests.support import oracle_models
from tests.support.oracle_models import (
    ROPE,
    SPLITS,
    SWIGLU,
    TOLERANCE,
    Alteration,
    Altered,
    Array,
    Case,
    Oracle,
    attention,
    difference,
    in_pieces,
    reordered,
    reversed_layers,
    transformers_in_pieces,
    transformers_logits,
    unweighted_final_norm,
    whole_model,
    widen,
)

pytestmark = pytest.mark.slow

PLAIN = {"rope_type": "default", "rope_theta": 10000.0}
# With these figures head_dim 24 has pairs that are kept, blended and divided by the factor.
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def dense(ffn: FFN = SWIGLU, layers: int = 2, **members: Any) -> Model:
    return oracle_models.model([Layer(ROPE, ffn)] * layers, **members)


CASES = {
    "multi-head": Case(dense(num_heads=4, num_kv_heads=4), PLAIN, seed=1),
    "grouped-query": Case(dense(num_heads=6, num_kv_heads=2), PLAIN, seed=2),
    "multi-query": Case(dense(num_heads=4, num_kv_heads=1), PLAIN, seed=3),
    "head-dim": Case(dense(hidden_size=96, num_heads=4, head_dim=40), PLAIN, seed=4),
    "tied": Case(dense(tied_embeddings=True), PLAIN, seed=5, embedding_scale=0.1),
    "untied-f16": Case(dense(), PLAIN, seed=6, head="float16"),
    "eps": Case(dense(rms_norm_eps=1e-5), PLAIN, seed=7, embedding_scale=1e-3),
    "llama3-rope": Case(dense(), LLAMA3, seed=8),
    "gated-gelu": Case(dense(FFN("gelu", gated=True, intermediate_size=112, moe=None)), PLAIN, seed=9),
    "ungated-gelu": Case(dense(FFN("gelu", gated=False, intermediate_size=200, moe=None)), PLAIN, seed=10),
    "ungated-silu": Case(dense(FFN("silu", gated=False, intermediate_size=200, moe=None)), PLAIN, seed=11),
    "five-layers": Case(dense(layers=5), PLAIN, seed=12),
    "together": Case(
        dense(
            FFN("gelu", gated=True, intermediate_size=136, moe=None),
            layers=4,
            hidden_size=168,
            num_heads=6,
            num_kv_heads=2,
            head_dim=32,
            rms_norm_eps=1e-4,
            tied_embeddings=True,
        ),
        LLAMA3,
        seed=13,
        embedding_scale=0.01,
    ),
}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Oracle]:
    return cache(lambda name: oracle_models.build(CASES[name], tmp_path_factory.mktemp(name) / "package"))


@pytest.fixture(params=CASES)
def oracle(request: pytest.FixtureRequest, build: Callable[[str], Oracle]) -> Oracle:
    return build(request.param)


@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_logits_in_binary64(oracle: Oracle, split: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    widen(monkeypatch)
    actual = in_pieces(oracle.decoder(), oracle.tokens, split)
    assert difference(actual, transformers_logits(oracle.reference, oracle.tokens)) <= TOLERANCE
    assert difference(actual, transformers_in_pieces(oracle.reference, oracle.tokens, split)) <= TOLERANCE


def test_logits_of_transformers_as_it_is(oracle: Oracle) -> None:
    actual = oracle.decoder().prefill(oracle.tokens)
    bound = oracle_models.float32_bound(oracle.case.model)
    assert difference(actual, transformers_logits(oracle.reference, oracle.tokens)) <= bound
    single = oracle_models.in_float32(oracle.reference)
    assert difference(actual, transformers_logits(single, oracle.tokens)) <= bound
    assert difference(actual, transformers_in_pieces(single, oracle.tokens, (5, 1, 3, 15))) <= bound


def remainder_for_quotient(decoder: Decoder) -> None:
    """Let query head j read key-value head j mod kv_heads."""
    m = decoder.model
    heads = np.arange(m.num_heads).reshape(-1, m.num_kv_heads).T.ravel()  # heads of one kv head are adjacent
    rows = (heads[:, None] * m.head_dim + np.arange(m.head_dim)).ravel()
    kv_rows = np.arange(len(rows), len(rows) + 2 * m.num_kv_heads * m.head_dim)
    for layer in decoder.layers:
        qkv, output = layer.attention.qkv, layer.attention.output
        layer.attention.qkv = reordered(qkv, np.concatenate([rows, kv_rows]))
        layer.attention.output = Altered(output, inputs=lambda x: x[:, np.argsort(rows)])


def values_for_keys(decoder: Decoder) -> None:
    """Read the value heads before the key heads."""
    m = decoder.model
    q, k, v = np.split(
        np.arange((m.num_heads + 2 * m.num_kv_heads) * m.head_dim),
        [m.num_heads * m.head_dim, (m.num_heads + m.num_kv_heads) * m.head_dim],
    )
    for layer in decoder.layers:
        layer.attention.qkv = reordered(layer.attention.qkv, np.concatenate([q, v, k]))


def root_of_hidden_over_heads(decoder: Decoder) -> None:
    """Divide scores by the root of hidden_size / num_heads."""
    m = decoder.model
    factors = np.ones((m.num_heads + 2 * m.num_kv_heads) * m.head_dim)
    factors[: m.num_heads * m.head_dim] = math.sqrt(m.head_dim * m.num_heads / m.hidden_size)
    for layer in decoder.layers:
        layer.attention.qkv = Altered(layer.attention.qkv, results=lambda y: y * factors)


def unscaled_frequencies(decoder: Decoder) -> None:
    """Take the frequencies without llama3 scaling."""
    half = decoder.model.head_dim // 2
    for layer in decoder.layers:
        layer.attention.inv_freq = 10000.0 ** -(np.arange(half) / half)


class Activation(Protocol):
    """An activation function."""

    def __call__(self, z: Array) -> Array:
        """Return the function's value for each element."""


def activation(function: Activation) -> Alteration:
    """Take another activation function."""

    def alter(decoder: Decoder) -> None:
        for layer in decoder.layers:
            assert isinstance(layer.ffn, reference_ffn.FFN)
            layer.ffn.activation = function

    return alter


def tanh_gelu(z: Array) -> Array:
    """Return the approximation of gelu that LLQ-DEC-13 excludes."""
    return np.asarray(z / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))))


def up_before_gate(decoder: Decoder) -> None:
    """Take the first half of gate_up for up."""
    for layer in decoder.layers:
        assert isinstance(layer.ffn, reference_ffn.FFN)
        half = decoder.model.layers[0].ffn.intermediate_size
        layer.ffn.first = reordered(layer.ffn.first, np.roll(np.arange(2 * half), half))


def embedding_for_head(decoder: Decoder) -> None:
    """Take the embedding for the head."""
    decoder.head = FloatMatrix(decoder.embedding, "float")


def last_head_row_first(decoder: Decoder) -> None:
    """Take another matrix than the embedding for the head."""
    decoder.head = reordered(decoder.head, np.roll(np.arange(decoder.model.vocab_size), 1))


ALTERATIONS: list[tuple[str, Alteration]] = [
    ("multi-head", whole_model(rope_pairing="interleaved")),
    ("multi-head", attention(rope=False)),
    ("multi-head", up_before_gate),
    ("multi-head", unweighted_final_norm),
    ("grouped-query", remainder_for_quotient),
    ("multi-query", values_for_keys),
    ("head-dim", root_of_hidden_over_heads),
    ("tied", last_head_row_first),
    ("tied", unweighted_final_norm),
    ("untied-f16", embedding_for_head),
    ("eps", whole_model(rms_norm_eps=0.0)),
    ("eps", whole_model(rms_norm_eps=1e-6)),
    ("llama3-rope", unscaled_frequencies),
    ("gated-gelu", activation(ACTIVATIONS["silu"])),
    ("gated-gelu", activation(tanh_gelu)),
    ("ungated-gelu", activation(ACTIVATIONS["silu"])),
    ("ungated-gelu", activation(tanh_gelu)),
    ("ungated-silu", activation(ACTIVATIONS["gelu"])),
    ("five-layers", reversed_layers),
    ("together", whole_model(rope_pairing="interleaved")),
    ("together", remainder_for_quotient),
    ("together", root_of_hidden_over_heads),
    ("together", whole_model(rms_norm_eps=0.0)),
    ("together", unscaled_frequencies),
    ("together", activation(tanh_gelu)),
    ("together", up_before_gate),
    ("together", unweighted_final_norm),
    ("together", reversed_layers),
]


@pytest.mark.parametrize(("name", "alter"), ALTERATIONS)
def test_what_agrees_is_in_effect(name: str, alter: Alteration, build: Callable[[str], Oracle]) -> None:
    assert oracle_models.effect(build(name), alter) > oracle_models.NOTICED


def test_interleaved_pairs_are_halves_with_rows_in_another_order(build: Callable[[str], Oracle]) -> None:
    oracle = build("grouped-query")
    m = oracle.case.model
    rotated = (m.num_heads + m.num_kv_heads) * m.head_dim
    pairs = np.arange(rotated).reshape(-1, 2, m.head_dim // 2).swapaxes(1, 2).ravel()
    order = np.concatenate([pairs, np.arange(rotated, rotated + m.num_kv_heads * m.head_dim)])
    interleaved = oracle.decoder()
    whole_model(rope_pairing="interleaved")(interleaved)
    for layer in interleaved.layers:
        layer.attention.qkv = reordered(layer.attention.qkv, order)
    actual = interleaved.prefill(oracle.tokens)
    assert difference(actual, oracle.decoder().prefill(oracle.tokens)) <= TOLERANCE


def test_llama3_frequencies(build: Callable[[str], Oracle]) -> None:
    oracle = build("llama3-rope")
    stored = oracle.package.get_tensor("rope.inv_freq").astype(np.float64)
    rope = from_config(Keys({"rope_parameters": LLAMA3}, "config.json"), 24)
    exported = rope.inv_freq.astype(np.float64)
    # transformers computes them in binary32: a power and some ten operations.
    assert np.all(np.abs(stored - exported) <= 16 * oracle_models.UNIT_ROUNDOFF * exported)
    unscaled = 10000.0 ** -(np.arange(12) / 12)
    ratios = stored / unscaled
    same_frequency, divided = np.isclose(ratios, 1, rtol=1e-6), np.isclose(ratios, 1 / 8, rtol=1e-6)
    assert same_frequency.any()
    assert divided.any()
    assert np.any(~same_frequency & ~divided)
