"""The decoder and the kit of the vectors against transformers' Qwen2 and Qwen3: biases and weighted norms."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from llq_format.format.layout import BLOCK, ceil_div, is_int4
from llq_format.metadata.model import Attention, Layer, Model
from llq_format.package.reader import Package
from llq_format.reference import Decoder
from llq_format.reference.affine import Affine
from tests.support import oracle_models
from tests.support.oracle_models import (
    ROPE,
    SPLITS,
    SWIGLU,
    TOLERANCE,
    Alteration,
    Case,
    Oracle,
    difference,
    in_pieces,
    transformers_in_pieces,
    transformers_logits,
    widen,
)
from vectors.kit.decoder import Decoder as KitDecoder
from vectors.kit.decoder import Vector, Weights
from vectors.kit.disturbance import Exact
from vectors.kit.matmul import Matrix
from vectors.kit.tensor import Int4, Raw, Tensor

pytestmark = pytest.mark.slow

PLAIN = {"rope_type": "default", "rope_theta": 10000.0}
BIAS = replace(ROPE, qkv_bias=True)
NORM = replace(ROPE, weighted_qk_norm=True)
BOTH = replace(ROPE, qkv_bias=True, weighted_qk_norm=True)


def qwen(attention: Attention, **members: object) -> Model:
    return oracle_models.model([Layer(attention, SWIGLU)] * 2, **members)


CASES = {
    "bias": Case(qwen(BIAS, num_heads=6, num_kv_heads=2), PLAIN, seed=31),
    "bias-tied": Case(qwen(BIAS, tied_embeddings=True), PLAIN, seed=32, embedding_scale=0.1),
    "bias-wide-heads": Case(qwen(BIAS, head_dim=40, num_kv_heads=1), PLAIN, seed=33),
    "norm": Case(qwen(NORM, num_heads=6, num_kv_heads=2), PLAIN, seed=34),
    "norm-wide-heads": Case(qwen(NORM, head_dim=40), PLAIN, seed=35, head="float16"),
    "norm-eps": Case(qwen(NORM, rms_norm_eps=1e-2), PLAIN, seed=36, embedding_scale=1e-2),
    "both": Case(qwen(BOTH, num_heads=4, num_kv_heads=4), PLAIN, seed=37),
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
    single = oracle_models.in_float32(oracle.reference)
    assert difference(actual, transformers_logits(single, oracle.tokens)) <= bound


class Unrounded(KitDecoder):
    """The decoder of the kit without the roundings of inputs, which transformers does not have."""

    def times16(self, of: Matrix, x: Vector) -> Vector:
        """Multiply."""
        return of.times16(x)

    times8 = times16


def tensor_of_the_kit(package: Package, name: str) -> Tensor:
    """Return a tensor of a package as the kit states it."""
    entry = package.entry(name)
    if not is_int4(entry.dtype):
        words = {"f16": ("<f2", "<u2"), "f32": ("<f4", "<u4")}[entry.dtype]
        bits = package.get_tensor(name).astype(words[0]).view(words[1]).ravel()
        return Raw(name, entry.dtype, entry.shape, lambda index: int(bits[index]))
    packed = package.get_packed(name)
    across = ceil_div(entry.cols, BLOCK)
    codes, scales, zero_points = packed.codes, packed.scales.view("<u2"), packed.zero_points
    return Int4(
        name,
        (entry.rows, entry.cols),
        code=lambda r, c: int(codes[r // BLOCK * across + c // BLOCK, r % BLOCK, c % BLOCK]),
        scale=lambda i, j: int(scales[i * across + j]),
        zero_point=None if zero_points is None else lambda i, j: int(zero_points[i * across + j]),
    )


def test_the_kit_computes_what_transformers_computes(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    widen(monkeypatch)
    tensors = [tensor_of_the_kit(oracle.package, name) for name in oracle.package]
    decoder = Unrounded(oracle.case.model.to_json(), Weights(tensors), Exact())
    logits = np.array([decoder.step(token) for token in oracle.tokens])
    assert difference(logits, transformers_logits(oracle.reference, oracle.tokens)) <= TOLERANCE


def tensors(change: Callable[[Affine], Affine]) -> Alteration:
    """Give every layer other tensors of the extension."""

    def alter(decoder: Decoder) -> None:
        for layer in decoder.layers:
            layer.attention.affine = change(layer.attention.affine)

    return alter


def bias_of(first: int, end: int) -> Callable[[Affine], Affine]:
    """Leave the bias of some twelfths of the rows: of four heads of q, four of k and four of v."""

    def change(affine: Affine) -> Affine:
        assert affine.qkv_bias is not None
        twelfths = affine.qkv_bias.reshape(12, -1).copy()
        twelfths[:first] = twelfths[end:] = 0
        return replace(affine, qkv_bias=twelfths.ravel())

    return change


ALTERATIONS: list[tuple[str, Alteration]] = [
    ("bias", tensors(lambda affine: replace(affine, qkv_bias=None))),
    ("both", tensors(bias_of(0, 8))),  # none of v
    ("both", tensors(bias_of(4, 12))),  # none of q
    ("norm", tensors(lambda affine: replace(affine, q_norm=affine.k_norm))),
    ("norm", tensors(lambda affine: replace(affine, k_norm=affine.q_norm))),
    ("norm", tensors(lambda _affine: Affine())),
    ("norm-eps", oracle_models.whole_model(rms_norm_eps=1e-6)),
    ("both", tensors(lambda affine: replace(affine, q_norm=None, k_norm=None))),
]


@pytest.mark.parametrize(("name", "alter"), ALTERATIONS)
def test_what_agrees_is_in_effect(name: str, alter: Alteration, build: Callable[[str], Oracle]) -> None:
    assert oracle_models.effect(build(name), alter) > oracle_models.NOTICED
