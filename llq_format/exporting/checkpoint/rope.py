"""Frequencies of rotary position embedding: the tensor `rope.inv_freq`, with any scaling applied.

Pair i of a head is rotated by theta_i = base^(-2i / head_dim) radians per position. Frequencies are computed
in binary64 and rounded to binary32 once.
"""

import numpy as np
import numpy.typing as npt

from llq_format.exporting.checkpoint.checkpoint import Float32Array
from llq_format.exporting.checkpoint.keys import Keys

Float64Array = npt.NDArray[np.float64]

DEFAULT_BASE = 10000.0
HIGHEST_BASE = 1e30
"""Maximum base: far above known models (at most 1e7), and low enough that no frequency rounds to 0."""

HIGHEST_FACTOR = 1e6


def frequencies(base: float, head_dim: int) -> Float64Array:
    """Return the unscaled theta, [head_dim / 2]."""
    return np.asarray(np.float64(base) ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim))


def llama3(
    theta: Float64Array,
    *,
    factor: float,
    low_freq_factor: float,
    high_freq_factor: float,
    original_context_length: int,
) -> Float64Array:
    """Return theta for a longer context: high frequencies unchanged, low frequencies divided by `factor`.

    With equal factors there is a step instead of a band in between.
    """
    wavelength = 2 * np.pi / theta
    slow = wavelength > original_context_length / low_freq_factor
    fast = wavelength < original_context_length / high_freq_factor
    scaled = np.where(slow, theta / factor, theta)
    if low_freq_factor == high_freq_factor:
        return scaled
    smooth = (original_context_length / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor)
    return np.where(slow | fast, scaled, (1 - smooth) * theta / factor + smooth * theta)


def rounded(theta: Float64Array) -> Float32Array:
    """Return theta as the package stores it."""
    return theta.astype(np.float32)


def from_config(config: Keys, head_dim: int, default_base: float = DEFAULT_BASE) -> Float32Array:
    """Return `rope.inv_freq` for a Hugging Face configuration, float32 [head_dim / 2].

    Two styles exist: the keys `rope_theta` and `rope_scaling`, and the object `rope_parameters` with both.
    Raises CheckpointError for a scaling that depends on the position, and for contradictions.
    """
    _refuse_partial(config)
    old, new = config.section("rope_scaling"), config.section("rope_parameters")
    if old is not None and new is not None and old.values != new.values:
        raise config.error("rope_scaling", "and rope_parameters differ: keep the correct value")
    section = new or old
    theta = frequencies(_base(config, section, default_base), head_dim)
    if section is None:
        return rounded(theta)
    _refuse_partial(section)
    key = "type" if section.get("rope_type") is None else "rope_type"
    kind = section.string(key, "default")
    if kind == "default":
        return rounded(theta)
    if kind == "linear":
        return rounded(theta / section.number("factor", 1, HIGHEST_FACTOR))
    if kind == "llama3":
        low = section.number("low_freq_factor", 1e-6, HIGHEST_FACTOR)
        return rounded(
            llama3(
                theta,
                factor=section.number("factor", 1, HIGHEST_FACTOR),
                low_freq_factor=low,
                high_freq_factor=section.number("high_freq_factor", low, HIGHEST_FACTOR),
                original_context_length=section.integer("original_max_position_embeddings", 1, 2**31 - 1),
            ),
        )
    raise section.error(key, f"is {kind!r}; supported are 'default', 'linear' and 'llama3'")


def _base(config: Keys, section: Keys | None, default: float) -> float:
    """Return the base, from either place."""
    outer = config.number("rope_theta", 1, HIGHEST_BASE, default)
    if section is None or section.get("rope_theta") is None:
        return outer
    inner = section.number("rope_theta", 1, HIGHEST_BASE)
    if config.get("rope_theta") is not None and inner != outer:
        raise section.error(
            "rope_theta", f"is {inner:g}, but rope_theta is {outer:g}: keep the correct value"
        )
    return inner


def _refuse_partial(keys: Keys) -> None:
    if keys.get("partial_rotary_factor", 1) != 1:
        raise keys.error("partial_rotary_factor", "is not 1, but LLQ rotates all elements of a head")
