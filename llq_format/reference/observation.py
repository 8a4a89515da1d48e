"""Observation of the results of single operations, by name."""

from collections.abc import Callable

from llq_format.reference.activations import Array
from llq_format.reference.matrix import Matrix, Rounded

Observe = Callable[[str, Array], Array]
"""From the name and the result of an operation to the value with which the computation continues."""


def unobserved(_name: str, value: Array) -> Array:
    """Return the value."""
    return value


def within(observe: Observe, prefix: str) -> Observe:
    """Return an observer of names below a prefix: `qkv` below `layers.0.attention`, for example."""
    if observe is unobserved:
        return unobserved
    return lambda name, value: observe(f"{prefix}.{name}", value)


def project(matrix: Matrix, name: str, x: Array, observe: Observe) -> Array:
    """Return y = W x for each vector, [tokens, rows]; input, scale and result of the product are observed."""
    if observe is unobserved:
        return matrix(x)
    values, scales = matrix.rounded(x)
    values = observe(f"{name}.input", values)
    if scales is not None:
        scales = observe(f"{name}.scale", scales[:, 0])[:, None]
    return observe(name, matrix.product(Rounded(values, scales)))
