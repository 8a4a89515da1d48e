"""Mutants that leave out the elements after the last full group: right where lengths are multiples of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llq_format.reference import attention, forward, matrix
from llq_format.reference.activations import Array

from ...runtimes import reference
from .mutant import Mutant, add
from .seam import Seam


def full_groups(x: Array, size: int) -> Array:
    """Return the elements of full groups along the last axis; all, if there is no full group."""
    return x[..., : x.shape[-1] // size * size or None]


@dataclass(frozen=True)
class _Maximum:
    """INT8 scales from the largest magnitude of full groups alone."""

    size: int

    def __call__(self, seam: Seam) -> None:
        def quantize(x: Array) -> tuple[Array, Array]:
            largest = np.abs(full_groups(x, self.size)).max(axis=-1, keepdims=True)
            q = np.rint(np.divide(127 * x, largest, out=np.zeros_like(x), where=largest > 0))
            return np.clip(q, -127, 127), largest / 127

        for module in (matrix, reference):
            seam.replace(module, "quantize_int8", quantize)


@dataclass(frozen=True)
class _Norm:
    """Norms by the mean square of full groups, taken over all elements."""

    size: int

    def __call__(self, seam: Seam) -> None:
        def norm(x: Array, weight: Array | None, eps: float) -> Array:
            full = full_groups(x, self.size)
            mean = (full * full).sum(axis=-1, keepdims=True) / x.shape[-1]
            y = x / np.sqrt(mean + eps)
            return np.asarray(y if weight is None else weight * y)

        for module in (forward, attention):
            seam.replace(module, "rms_norm", norm)


def _register(name: str, title: str, rule: str, check: str, mutate: Callable[[Seam], None]) -> None:
    add(Mutant(name, title, rule, (check,), mutate))


for _size in (2, 4):
    _register(
        f"int8-maximum-of-groups-of-{_size}",
        f"INT8 scale from the largest of the elements in full groups of {_size}",
        "LLQ-ACT-2",
        "activations",
        _Maximum(_size),
    )
    _register(
        f"norm-of-groups-of-{_size}",
        f"norms over the elements in full groups of {_size}",
        "LLQ-DEC-3",
        "logits",
        _Norm(_size),
    )
