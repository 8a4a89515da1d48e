"""The decoder's exact mode: against transformers with rounded inputs, and against no rounding at all."""

import math
from collections.abc import Callable
from functools import cache

import pytest

from llq_format.reference import Decoder
from llq_format.reference.attention import KVPrecision
from tests.llq_format.reference import test_oracle_llama, test_oracle_llama4
from tests.support import oracle_models
from tests.support.oracle_models import (
    SPLITS,
    TOLERANCE,
    Oracle,
    difference,
    in_pieces,
    transformers_logits,
    widen,
)

pytestmark = pytest.mark.slow

CASES = {
    **test_oracle_llama.CASES,
    **{f"llama4-{name}": case for name, case in test_oracle_llama4.CASES.items()},
}
KV_CACHES: list[KVPrecision] = ["float64", "float32", "float16"]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Oracle]:
    return cache(lambda name: oracle_models.build(CASES[name], tmp_path_factory.mktemp(name) / "package"))


@pytest.fixture(params=CASES)
def oracle(request: pytest.FixtureRequest, build: Callable[[str], Oracle]) -> Oracle:
    return build(request.param)


def test_roundings_of_transformers(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every INT4 matmul and the head round their input, nothing else does, in the layers that state it."""
    wide = widen(monkeypatch)
    for fp16_layers in sorted({0, 1, len(oracle.case.model.layers)}):
        actual = oracle.exact_decoder(fp16_layers).prefill(oracle.tokens)
        with oracle_models.rounded_inputs(oracle.reference, wide, fp16_layers):
            expected = transformers_logits(oracle.reference, oracle.tokens)
        assert difference(actual, expected) <= TOLERANCE, fp16_layers


@pytest.mark.parametrize("kv_cache", KV_CACHES)
def test_any_split_gives_the_same_logits(oracle: Oracle, kv_cache: KVPrecision) -> None:
    """Within the tolerance, and by experience bit by bit.

    Sums of other shapes are taken in another order and differ by 2^-53 or so, which the rounding of the next
    input erases, the last time before the head. Only a value within that distance of a rounding boundary
    could distinguish two splits: with some 10^5 rounded values a chance of one in 10^9.
    """
    decoder = oracle.exact_decoder(1, kv_cache)
    expected = decoder.prefill(oracle.tokens)
    for split in SPLITS:
        assert difference(in_pieces(decoder, oracle.tokens, split), expected) <= TOLERANCE, split


def test_rounding_moves_logits_a_little(oracle: Oracle) -> None:
    """By what independent errors of the rounded inputs add up to, within a factor of four.

    An INT8 code is off by 1/√12 of a step, and a vector's largest magnitude is about 2.7 times its root mean
    square, so an input is off by 2.7 / (127·√12); one in binary16 by some 2^-12. Four inputs a layer add up
    like a random walk, those of binary16 with the head's.
    """
    layers = len(oracle.case.model.layers)
    unrounded = oracle.decoder().prefill(oracle.tokens)
    typical = {
        0: 2.7 / (127 * math.sqrt(12)) * math.sqrt(4 * layers),
        layers: 2.0**-12 * math.sqrt(4 * layers + 1),
    }
    for fp16_layers, expected in typical.items():
        moved = difference(oracle.exact_decoder(fp16_layers).prefill(oracle.tokens), unrounded)
        assert expected / 4 < moved < expected * 4, fp16_layers


@pytest.mark.parametrize(("kv_cache", "unit"), [("float32", 2.0**-24), ("float16", 2.0**-11)])
def test_kv_cache_is_rounded(kv_cache: KVPrecision, unit: float, oracle: Oracle) -> None:
    """To a precision that logits show: one rounding of keys and values, in front of everything else."""
    rounded = Decoder(oracle.package, "float", kv_cache).prefill(oracle.tokens)
    moved = difference(rounded, oracle.decoder().prefill(oracle.tokens))
    assert unit / 16 < moved < 4 * unit
