"""RoPE frequencies: every scaling against its formula, written once more in scalar arithmetic."""

import math
from typing import Any

import numpy as np
import pytest
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from llq_format.exporting.checkpoint import CheckpointError
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.rope import frequencies, from_config, llama3, rounded

LLAMA_3_1 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}


def inv_freq(head_dim: int = 128, **config: Any) -> list[float]:
    rope = from_config(Keys(config, "config.json"), head_dim)
    assert rope.factor == 1
    frequencies = rope.inv_freq
    assert frequencies.dtype == np.float32
    assert frequencies.shape == (head_dim // 2,)
    return [float(value) for value in frequencies]


def unscaled(base: float, head_dim: int) -> list[float]:
    return [math.pow(base, -2 * i / head_dim) for i in range(head_dim // 2)]


def single(values: list[float]) -> list[float]:
    return [float(np.float32(value)) for value in values]


def llama3_by_hand(theta: float, factor: float, low: float, high: float, original: int) -> float:
    wavelength = 2 * math.pi / theta
    if wavelength < original / high:
        return theta
    if wavelength > original / low:
        return theta / factor
    smooth = (original / wavelength - low) / (high - low)
    return (1 - smooth) * theta / factor + smooth * theta


@pytest.mark.parametrize("config", [{}, {"rope_scaling": {"type": "default"}}, {"rope_parameters": {}}])
def test_base_is_ten_thousand_by_default(config: dict[str, Any]) -> None:
    assert inv_freq(**config) == single(unscaled(10000.0, 128))


@pytest.mark.parametrize("config", [{"rope_theta": 500000}, {"rope_parameters": {"rope_theta": 5e5}}])
def test_both_places_of_the_base(config: dict[str, Any]) -> None:
    assert inv_freq(64, **config) == single(unscaled(500000.0, 64))


@pytest.mark.parametrize("scaling", [{"type": "linear", "factor": 4}, {"rope_type": "linear", "factor": 4.0}])
def test_linear_scaling_divides(scaling: dict[str, Any]) -> None:
    assert inv_freq(rope_scaling=scaling) == single([theta / 4 for theta in unscaled(10000.0, 128)])


def test_llama3_scaling() -> None:
    expected = single([llama3_by_hand(theta, 8, 1, 4, 8192) for theta in unscaled(5e5, 128)])
    assert inv_freq(rope_theta=5e5, rope_scaling=LLAMA_3_1) == expected
    assert inv_freq(rope_parameters=LLAMA_3_1 | {"rope_theta": 5e5}) == expected


def test_both_styles_with_equal_values_are_one() -> None:
    expected = inv_freq(rope_theta=5e5, rope_scaling=LLAMA_3_1)
    assert (
        inv_freq(rope_theta=5e5, rope_scaling=LLAMA_3_1, rope_parameters=LLAMA_3_1 | {"rope_theta": 5e5})
        == expected
    )
    old = {"type": "linear", "factor": 2.0}
    new = {"rope_type": "linear", "factor": 2, "rope_theta": 1e4}
    assert inv_freq(rope_scaling=old, rope_parameters=new) == inv_freq(rope_scaling=old)


def test_original_context_may_be_a_whole_number_with_a_point_or_stated_outside() -> None:
    expected = inv_freq(rope_theta=5e5, rope_scaling=LLAMA_3_1)
    key = "original_max_position_embeddings"
    assert inv_freq(rope_theta=5e5, rope_scaling=LLAMA_3_1 | {key: 8192.0}) == expected
    outside = {name: value for name, value in LLAMA_3_1.items() if name != key}
    assert inv_freq(rope_theta=5e5, rope_scaling=outside, **{key: 8192}) == expected
    assert inv_freq(rope_theta=5e5, rope_scaling=outside, max_position_embeddings=8192) == expected


YARN_CONFIGS: list[dict[str, Any]] = [
    YARN,
    YARN | {"original_max_position_embeddings": 4096},
    YARN | {"factor": 40.0, "original_max_position_embeddings": 4096, "mscale": 1.0, "mscale_all_dim": 0.707},
    YARN | {"attention_factor": 1.25, "beta_fast": 16, "beta_slow": 2},
    YARN | {"truncate": False},
    YARN | {"factor": 1.0},
]


@pytest.mark.parametrize("theta", [1e4, 5e5])
@pytest.mark.parametrize("config", YARN_CONFIGS)
@pytest.mark.parametrize("head_dim", [16, 128])
def test_yarn_is_that_of_transformers(config: dict[str, Any], theta: float, head_dim: int) -> None:
    """Its frequencies are computed in binary32 there, and in binary64 here."""
    rope = from_config(Keys({"rope_theta": theta, "rope_scaling": config}, "config.json"), head_dim)
    whole = LlamaConfig(
        head_dim=head_dim, max_position_embeddings=131072, rope_parameters=config | {"rope_theta": theta}
    )
    frequencies, factor = ROPE_INIT_FUNCTIONS["yarn"](whole, "cpu")
    assert rope.factor == pytest.approx(factor, rel=1e-15)
    np.testing.assert_allclose(rope.inv_freq, frequencies.numpy(), rtol=1e-6)


def test_llama3_scaling_has_three_bands() -> None:
    plain = unscaled(5e5, 128)
    frequencies = inv_freq(rope_theta=5e5, rope_scaling=LLAMA_3_1)
    same = [i for i in range(64) if frequencies[i] == float(np.float32(plain[i]))]
    divided = [i for i in range(64) if frequencies[i] == float(np.float32(plain[i] / 8))]
    between = [i for i in range(64) if plain[i] / 8 < frequencies[i] < plain[i] and i not in same + divided]
    assert same + between + divided == list(range(64))
    assert same
    assert between
    assert divided


def test_llama3_scaling_with_equal_factors_is_a_step() -> None:
    frequencies = inv_freq(rope_theta=5e5, rope_scaling=LLAMA_3_1 | {"factor": 16, "high_freq_factor": 1})
    expected = [theta if 2 * math.pi / theta < 8192 else theta / 16 for theta in unscaled(5e5, 128)]
    assert frequencies == single(expected)


def test_llama3_step_at_exactly_its_wavelength_is_a_number() -> None:
    theta = np.array([2 * math.pi / 8192])
    assert 2 * math.pi / theta[0] == 8192
    frequencies = llama3(
        theta, factor=16, low_freq_factor=1, high_freq_factor=1, original_context_length=8192
    )
    assert frequencies.tolist() == theta.tolist()


def test_the_first_frequency_is_one_and_all_are_positive() -> None:
    extreme = rounded(frequencies(1e30, 4096))
    assert extreme[0] == 1
    assert np.all((extreme > 0) & (extreme <= 1))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"rope_scaling": LLAMA_3_1 | {"high_freq_factor": 0.5}},
            "high_freq_factor is 0.5, not a number from 1",
        ),
        ({"rope_scaling": LLAMA_3_1 | {"low_freq_factor": 0}}, "low_freq_factor is 0"),
        ({"rope_scaling": LLAMA_3_1 | {"factor": 0.5}}, "factor is 0.5"),
        ({"rope_scaling": LLAMA_3_1 | {"factor": float("inf")}}, "factor is inf"),
        (
            {"rope_scaling": LLAMA_3_1 | {"original_max_position_embeddings": 0}},
            "original_max_position_embeddings",
        ),
        (
            {"rope_scaling": LLAMA_3_1 | {"rope_type": "ntk"}},
            "rope_type is 'ntk'; supported: 'default', 'linear', 'llama3', 'yarn'",
        ),
        (
            {"rope_scaling": {"type": "dynamic", "factor": 2}},
            "'dynamic', but LLQ has no rule for frequencies that",
        ),
        (
            {"rope_scaling": {"type": "longrope"}, "max_position_embeddings": 128},
            "short_factor is not an array of 64 numbers",
        ),
        ({"rope_scaling": YARN, "rope_theta": 1}, "rope_theta is 1, but YaRN requires a base above 1"),
        ({"rope_scaling": YARN | {"factor": None}}, "factor is missing"),
        (
            {"rope_scaling": LLAMA_3_1, "rope_parameters": LLAMA_3_1 | {"factor": 4.0}},
            "rope_scaling and rope_parameters differ",
        ),
        ({"rope_scaling": {"type": 3}}, "type is 3, not a string"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor is not 1"),
        (
            {"rope_theta": 1e4, "rope_parameters": {"rope_theta": 5e5}},
            "rope_theta is 500000, but rope_theta is 10000",
        ),
        (
            {
                "rope_scaling": {"type": "linear", "factor": 2},
                "rope_parameters": {"type": "linear", "factor": 4},
            },
            "rope_scaling and rope_parameters differ",
        ),
    ],
)
def test_what_is_wrong_is_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        inv_freq(**config)
