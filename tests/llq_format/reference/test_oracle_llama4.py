"""The decoder against transformers' Llama 4: every feature of that architecture, alone and together."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from llq_format.metadata.model import FFN, Attention, Layer, MoE, Temperature
from llq_format.reference import Decoder, moe
from llq_format.reference import attention as reference_attention
from llq_format.reference.observation import Observe, unobserved
from tests.support import oracle_models
from tests.support.oracle_models import (
    ROPE,
    SPLITS,
    SWIGLU,
    TOLERANCE,
    Alteration,
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

ROUTER_MARGIN = 0.02
"""Minimum gap of the routers' two largest logits, far above binary32 rounding; seeds are chosen for it."""
PLAIN = {"rope_type": "default", "rope_theta": 500000.0}
# As in Scout, a step: frequencies of wavelengths above 32 positions are divided, with nothing between.
STEP = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 16.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 1.0,
    "original_max_position_embeddings": 32,
}

NOPE = Attention(rope=False, qk_norm=False, chunk_size=None, temperature=None)
CHUNKED = replace(ROPE, chunk_size=5)
NORMED = replace(ROPE, qk_norm=True)
TEMPERED = replace(NOPE, temperature=Temperature(attn_scale=0.4, floor_scale=4))
EXPERTS = FFN("silu", gated=True, intermediate_size=56, moe=MoE(num_experts=4, shared_intermediate_size=56))
WIDE_SHARED = replace(EXPERTS, moe=MoE(num_experts=4, shared_intermediate_size=88))


def case(
    attentions: Iterable[Attention],
    ffns: Iterable[FFN] = (SWIGLU, SWIGLU),
    rope: dict[str, Any] = PLAIN,
    seed: int = 0,
    **members: Any,
) -> Case:
    stack = [Layer(attention, ffn) for attention, ffn in zip(attentions, ffns, strict=True)]
    return Case(oracle_models.model(stack, rope_pairing="interleaved", **members), rope, seed)


CASES = {
    "interleaved-rope": case([ROPE, ROPE], seed=1),
    "step-rope": case([ROPE, ROPE], rope=STEP, seed=2),
    "nope-layers": case([ROPE, NOPE, NOPE, ROPE], [SWIGLU] * 4, seed=3),
    "nope-only": case([NOPE, NOPE], seed=4),
    "chunks": case([CHUNKED, ROPE], seed=5),
    "chunks-without-rope": case([replace(NOPE, chunk_size=7), replace(ROPE, chunk_size=7)], seed=6),
    "qk-norm": case([NORMED, NORMED], seed=7),
    "qk-norm-and-nope": case([NORMED, NOPE], seed=8, rms_norm_eps=1e-2),
    "temperature": case([TEMPERED, ROPE], seed=9),
    "experts-everywhere": case([ROPE, ROPE], [EXPERTS, EXPERTS], seed=10),
    "experts-every-second": case([ROPE] * 4, [SWIGLU, EXPERTS] * 2, seed=11),
    "wide-shared-expert": case([ROPE, ROPE], [WIDE_SHARED, SWIGLU], seed=12),
    "one-expert-of-sixteen": case(
        [ROPE, ROPE], [replace(EXPERTS, moe=MoE(16, 56)), replace(EXPERTS, moe=MoE(16, 56))], seed=113
    ),
    "together-normed": case(
        [replace(CHUNKED, qk_norm=True)] * 3 + [TEMPERED], [EXPERTS] * 4, STEP, seed=214, num_heads=6
    ),
    "together-interleaved": case(
        [CHUNKED, TEMPERED, CHUNKED, TEMPERED],
        [SWIGLU, WIDE_SHARED] * 2,
        seed=15,
        num_heads=6,
        num_kv_heads=2,
        head_dim=20,
        tied_embeddings=True,
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


@pytest.mark.parametrize("name", [name for name in CASES if "expert" in name or "together" in name])
def test_routers_decide_by_a_margin(
    name: str, build: Callable[[str], Oracle], monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = build(name)
    widen(monkeypatch)
    assert oracle_models.router_margin(oracle.reference, oracle.tokens) >= ROUTER_MARGIN


def to_layers(choose: Callable[[Attention], bool], **changes: Any) -> Alteration:
    """Change members of the attention of some layers."""

    def alter(decoder: Decoder) -> None:
        for layer in decoder.layers:
            if choose(layer.attention.config):
                layer.attention.config = replace(layer.attention.config, **changes)

    return alter


def without_rope(config: Attention) -> bool:
    """Return whether the layer lacks RoPE."""
    return not config.rope


def with_rope(config: Attention) -> bool:
    """Return whether the layer has RoPE."""
    return config.rope


def unscaled_frequencies(decoder: Decoder) -> None:
    """Take the frequencies without scaling."""
    half = decoder.model.head_dim // 2
    for layer in decoder.layers:
        layer.attention.inv_freq = 500000.0 ** -(np.arange(half) / half)


class ScoreOnOutput(moe.MoE):
    """Multiplies the expert's output, not its input."""

    def __call__(self, x: Array, observe: Observe = unobserved) -> Array:
        """Return shared(x) + score · expert(x)."""
        chosen, scores = self.route(x, observe)
        routed = [scores[t] * self.experts[e](x[t][None])[0] for t, e in enumerate(chosen)]
        return np.asarray(self.shared(x) + np.stack(routed))


class Unscored(moe.MoE):
    """Leaves the score out."""

    def route(self, x: Array, observe: Observe = unobserved) -> tuple[NDArray[np.intp], Array]:
        """Return the chosen experts and their scores."""
        chosen, scores = super().route(x, observe)
        return chosen, np.ones_like(scores)


class Softmax(moe.MoE):
    """Takes the score from a softmax over the experts."""

    def route(self, x: Array, _observe: Observe = unobserved) -> tuple[NDArray[np.intp], Array]:
        """Return the chosen experts and their scores."""
        values = x @ self.router.T
        weights = np.exp(values - values.max(axis=-1, keepdims=True))
        return values.argmax(axis=-1), (weights / weights.sum(axis=-1, keepdims=True)).max(axis=-1)


class WithoutShared(moe.MoE):
    """Leaves the shared expert out."""

    def __call__(self, x: Array, observe: Observe = unobserved) -> Array:
        """Return expert(score · x)."""
        return super().__call__(x, observe) - self.shared(x)


class SharedScaled(moe.MoE):
    """Scales the shared expert's input too."""

    def __call__(self, x: Array, observe: Observe = unobserved) -> Array:
        """Return shared(score · x) + expert(score · x)."""
        _, scores = self.route(x, observe)
        return super().__call__(x, observe) - self.shared(x) + self.shared(scores[:, None] * x)


class SecondBest(moe.MoE):
    """Takes the expert of the second largest value."""

    def route(self, x: Array, _observe: Observe = unobserved) -> tuple[NDArray[np.intp], Array]:
        """Return the chosen experts and their scores."""
        values = x @ self.router.T
        chosen = np.argsort(values, axis=-1)[:, -2]
        return chosen, 1 / (1 + np.exp(-values[np.arange(len(x)), chosen]))


def mixture(kind: type[moe.MoE]) -> Alteration:
    """Compute mixtures with another kind of FFN."""

    def alter(decoder: Decoder) -> None:
        for number, layer in enumerate(decoder.layers):
            if isinstance(layer.ffn, moe.MoE):
                replacement = kind(layer.ffn.router, layer.ffn.experts, layer.ffn.shared)
                decoder.layers[number] = replace(layer, ffn=replacement)

    return alter


def up_before_gate(decoder: Decoder) -> None:
    """Take the first half of the experts' gate_up for up."""
    for layer in decoder.layers:
        if isinstance(layer.ffn, moe.MoE):
            for expert in layer.ffn.experts:
                expert.first = reordered(expert.first, np.roll(np.arange(2 * 56), 56))


ROPE_FEATURES: list[Alteration] = [whole_model(rope_pairing="halves"), attention(rope=False)]
MIXTURE_FEATURES: list[Alteration] = [
    mixture(kind) for kind in (ScoreOnOutput, Unscored, Softmax, WithoutShared, SharedScaled, SecondBest)
]
TEMPERATURE_FEATURES: list[Alteration] = [
    to_layers(without_rope, temperature=None),
    to_layers(without_rope, temperature=Temperature(attn_scale=0.4, floor_scale=5)),
    to_layers(with_rope, temperature=TEMPERED.temperature),
]
CHUNK_FEATURES: list[Alteration] = [attention(chunk_size=None), to_layers(with_rope, chunk_size=6)]
ALTERATIONS: dict[str, list[Alteration]] = {
    "interleaved-rope": [*ROPE_FEATURES, unweighted_final_norm],
    "step-rope": [unscaled_frequencies],
    "nope-layers": [reversed_layers, to_layers(with_rope, rope=False)],
    "chunks": [*CHUNK_FEATURES, attention(chunk_size=5)],
    "chunks-without-rope": [attention(chunk_size=None), to_layers(without_rope, chunk_size=None)],
    "qk-norm": [attention(qk_norm=False)],
    "qk-norm-and-nope": [
        whole_model(rms_norm_eps=0.0),
        to_layers(with_rope, qk_norm=False),
        attention(qk_norm=True),
    ],
    "temperature": TEMPERATURE_FEATURES,
    "experts-everywhere": [*MIXTURE_FEATURES, up_before_gate],
    "experts-every-second": [*MIXTURE_FEATURES, up_before_gate, reversed_layers],
    "wide-shared-expert": MIXTURE_FEATURES,
    "one-expert-of-sixteen": MIXTURE_FEATURES,
    "together-normed": [
        *ROPE_FEATURES,
        unscaled_frequencies,
        to_layers(with_rope, qk_norm=False),
        attention(qk_norm=True),
        *CHUNK_FEATURES,
        *TEMPERATURE_FEATURES,
        *MIXTURE_FEATURES,
        up_before_gate,
        reversed_layers,
    ],
    "together-interleaved": [
        *ROPE_FEATURES,
        attention(qk_norm=True),
        *CHUNK_FEATURES,
        *TEMPERATURE_FEATURES,
        *MIXTURE_FEATURES,
        up_before_gate,
        unweighted_final_norm,
    ],
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_what_agrees_is_in_effect(name: str, build: Callable[[str], Oracle]) -> None:
    for alter in ALTERATIONS[name]:
        assert oracle_models.effect(build(name), alter) > oracle_models.NOTICED, alter


def sliding(queries: Array, keys: Array, chunk_size: int | None) -> NDArray[np.bool_]:
    """Return a window of the last chunk_size positions."""
    distance = queries[:, None] - keys[None, :]
    return (distance >= 0) & (distance < (chunk_size or np.inf))


def of_position(positions: Array, temperature: Temperature) -> Array:
    """Return factors that count the position itself, not one more."""
    steps = np.floor(positions / temperature.floor_scale)
    return np.asarray(1 + temperature.attn_scale * np.log(1 + steps))


@pytest.mark.parametrize(
    ("name", "function", "misread"),
    [
        ("chunks", "attends", sliding),
        ("together-normed", "attends", sliding),
        ("temperature", "temperature_factors", of_position),
        ("together-interleaved", "temperature_factors", of_position),
    ],
)
def test_misread_positions_are_noticed(
    name: str,
    function: str,
    misread: Callable[..., Array],
    build: Callable[[str], Oracle],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    oracle = build(name)
    expected = oracle.decoder().prefill(oracle.tokens)
    monkeypatch.setattr(reference_attention, function, misread)
    assert difference(oracle.decoder().prefill(oracle.tokens), expected) > oracle_models.NOTICED
