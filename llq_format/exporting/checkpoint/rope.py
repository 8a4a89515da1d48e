"""Rotary position embedding: the tensor `rope.inv_freq`, with any scaling applied, and the factor of q and k.

Pair i of a head is rotated by theta_i = base^(-2i / head_dim) radians per position. Frequencies are computed
in binary64 and rounded to binary32 once.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from llq_format.exporting.checkpoint.checkpoint import Float32Array
from llq_format.exporting.checkpoint.keys import Keys

Float64Array = npt.NDArray[np.float64]

DEFAULT_BASE = 10000.0
HIGHEST_BASE = 1e30
"""Maximum base: far above known models (at most 1e7), and low enough that no frequency rounds to 0."""

HIGHEST_FACTOR = 1e6
HIGHEST_CONTEXT = 2**31 - 1

KINDS = ("default", "linear", "llama3", "yarn", "longrope")
"""Types of scaling, by their names in Hugging Face configurations."""

_DEPENDS_ON_LENGTH = {
    "dynamic": "frequencies that change with the length of the text",
}
"""Types of scaling whose frequencies are not one table."""


@dataclass(frozen=True)
class Rope:
    """`inv_freq`, float32 [head_dim / 2], and the factor by which rotation multiplies q and k."""

    inv_freq: Float32Array
    factor: float = 1.0


def frequencies(base: float, head_dim: int) -> Float64Array:
    """Return the unscaled theta, [head_dim / 2]."""
    return np.asarray(np.float64(base) ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim))


def llama3(
    theta: Float64Array,
    *,
    factor: float,
    low_freq_factor: float,
    high_freq_factor: float,
    original_context_length: float,
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


def yarn(  # noqa: PLR0913  # one argument a key
    theta: Float64Array,
    *,
    base: float,
    factor: float,
    original_context_length: float,
    beta_fast: float = 32,
    beta_slow: float = 1,
    truncate: bool = True,
) -> Float64Array:
    """Return theta for a longer context by YaRN (arXiv 2309.00071).

    Pairs that turn more than `beta_fast` times within the original context keep theta, pairs that turn less
    than `beta_slow` times have theta / factor, and a ramp over the index of the pair is in between. With
    `truncate` the ends of the ramp are whole indices.
    """
    pairs = len(theta)

    def index(turns: float) -> float:
        """Return the index of the pair that turns that often within the original context."""
        return pairs * math.log(original_context_length / (turns * 2 * math.pi)) / math.log(base)

    low, high = index(beta_fast), index(beta_slow)
    if truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, 2 * pairs - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((np.arange(pairs) - low) / (high - low), 0, 1)
    return np.asarray(theta / factor * ramp + theta * (1 - ramp))


def yarn_factor(factor: float, scale: float = 1.0) -> float:
    """Return the factor by which YaRN multiplies q and k."""
    return 1 + 0.1 * scale * math.log(factor)


def rounded(theta: Float64Array) -> Float32Array:
    """Return theta as the package stores it."""
    return theta.astype(np.float32)


def from_config(
    config: Keys, head_dim: int, default_base: float = DEFAULT_BASE, kinds: tuple[str, ...] = KINDS
) -> Rope:
    """Return the rotation of a Hugging Face configuration; `kinds` are the types of scaling that it may have.

    Two styles exist: the keys `rope_theta` and `rope_scaling`, and the object `rope_parameters` with both.
    A configuration may have both styles with equal values. Raises CheckpointError for a scaling that depends
    on the length of the text, and for contradictions.
    """
    _refuse_partial(config)
    section = _section(config)
    base = _base(config, section, default_base)
    theta = frequencies(base, head_dim)
    if section is None:
        return Rope(rounded(theta))
    _refuse_partial(section)
    key = "type" if section.get("rope_type") is None else "rope_type"
    kind = section.string(key, "default")
    if kind == "default":
        return Rope(rounded(theta))
    kind = "longrope" if kind == "su" else kind  # the older name
    if kind in _DEPENDS_ON_LENGTH:
        raise section.error(key, f"is {kind!r}, but LLQ has no rule for {_DEPENDS_ON_LENGTH[kind]}")
    if kind not in kinds:
        raise section.error(key, f"is {kind!r}; supported: {', '.join(map(repr, kinds))}")
    if kind == "longrope":
        return _longrope(config, section, theta, _original_context(config, section))
    factor = section.number("factor", 1, HIGHEST_FACTOR)
    if kind == "linear":
        return Rope(rounded(theta / factor))
    context = _original_context(config, section)
    if kind == "yarn":
        return _yarn(section, theta, base, factor, context)
    low = section.number("low_freq_factor", 1e-6, HIGHEST_FACTOR)
    return Rope(
        rounded(
            llama3(
                theta,
                factor=factor,
                low_freq_factor=low,
                high_freq_factor=section.number("high_freq_factor", low, HIGHEST_FACTOR),
                original_context_length=context,
            )
        )
    )


def _section(config: Keys) -> Keys | None:
    """Return the section with the scaling, from either place."""
    old, new = config.section("rope_scaling"), config.section("rope_parameters")
    if old is None or new is None:
        return new or old
    if _scaling(old) != _scaling(new):
        raise config.error("rope_scaling", "and rope_parameters differ: keep the correct value")
    return new


def _scaling(section: Keys) -> dict[str, Any]:
    """Return the values of a section in the style of `rope_parameters`, without the base."""
    values = {
        key: value for key, value in section.values.items() if key != "rope_theta" and value is not None
    }
    kind = values.pop("type", "default")
    return {"rope_type": kind} | values


def _original_context(config: Keys, section: Keys) -> float:
    """Return the context length before scaling; by default the context length of the model."""
    key = "original_max_position_embeddings"
    if config.get(key) is not None:  # transformers prefers this place
        return config.number(key, 1, HIGHEST_CONTEXT)
    if section.get(key) is not None:
        return section.number(key, 1, HIGHEST_CONTEXT)
    return config.number("max_position_embeddings", 1, HIGHEST_CONTEXT)


def _yarn(section: Keys, theta: Float64Array, base: float, factor: float, context: float) -> Rope:
    """Return the rotation of YaRN, as transformers computes it."""
    if base <= 1:
        raise section.error("rope_theta", f"is {base:g}, but YaRN requires a base above 1")
    fast = section.number("beta_fast", 0, HIGHEST_FACTOR, 0) or 32
    slow = section.number("beta_slow", 0, HIGHEST_FACTOR, 0) or 1
    truncate = section.boolean("truncate", default=True)
    scaled = yarn(
        theta,
        base=base,
        factor=factor,
        original_context_length=context,
        beta_fast=fast,
        beta_slow=slow,
        truncate=truncate,
    )
    if section.get("attention_factor") is not None:
        return Rope(rounded(scaled), section.number("attention_factor", 1e-3, 1e3))
    one, all_dim = (section.number(key, 0, 1e3, 0) for key in ("mscale", "mscale_all_dim"))
    if one and all_dim:
        return Rope(rounded(scaled), yarn_factor(factor, one) / yarn_factor(factor, all_dim))
    return Rope(rounded(scaled), yarn_factor(factor))


def _longrope(config: Keys, section: Keys, theta: Float64Array, context: float) -> Rope:
    """Return the rotation of LongRoPE (arXiv 2402.13753), if one table of divisors serves all lengths.

    Texts longer than the original context have the divisors `long_factor`, shorter texts `short_factor`.
    """
    longest = config.number("max_position_embeddings", 1, HIGHEST_CONTEXT)
    short, long = (_divisors(section, key, len(theta)) for key in ("short_factor", "long_factor"))
    if longest > context and not np.array_equal(short, long):
        raise section.error(
            "long_factor",
            f"differs from short_factor, and the context of {longest:g} positions is longer than the "
            f"original {context:g}, but LLQ has no rule for two sets of frequencies: set "
            f"max_position_embeddings to {context:g}",
        )
    scale = section.number("factor", 1e-3, HIGHEST_FACTOR, longest / context)
    attention = 1.0 if scale <= 1 else math.sqrt(1 + math.log(scale) / math.log(context))
    return Rope(rounded(theta / short), section.number("attention_factor", 1e-3, 1e3, attention))


def _divisors(section: Keys, key: str, count: int) -> Float64Array:
    """Return the divisors of all frequencies, [head_dim / 2]; raises CheckpointError."""
    values = section.get(key)
    if not isinstance(values, list) or len(values) != count:
        raise section.error(key, f"is not an array of {count} numbers")
    keys = Keys({str(i): value for i, value in enumerate(values)}, section.file, f"{section.prefix}{key}.")
    return np.array([keys.number(str(i), 1e-6, HIGHEST_FACTOR) for i in range(count)])


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
