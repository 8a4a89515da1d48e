"""Executions of a model: the exact one, and legal ones whose operations have the maximum legal error.

Each method represents a kind of operation. Its arguments are the exact result, and the values on which
the legal error depends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from vectors.kit.activation import GUARD, nearest16
from vectors.kit.matmul import U

TRIGONOMETRIC = 2.0**-20  # what DEC-6 allows; taken for the logarithm and the error function too


class Exact:
    """The execution in exact arithmetic, which disturbs nothing, and notes INT8 codes and experts chosen."""

    def __init__(self) -> None:
        self.decisions: list[int] = []
        self.int8_margin = 0.5
        self.router_margin = float("inf")

    def code(self, exact: float) -> int:
        """Round 127 x / max|x|."""
        self.int8_margin = min(self.int8_margin, abs(exact - int(exact // 1) - 0.5))
        self.decisions.append(round(exact))
        return self.decisions[-1]

    def expert(self, values: Sequence[float]) -> int:
        """Choose the largest value, the lowest index among equals."""
        chosen = max(range(len(values)), key=lambda index: (values[index], -index))
        less = [values[chosen] - value for value in values if value < values[chosen]]
        self.router_margin = min([self.router_margin, *less])
        self.decisions.append(chosen)
        return chosen

    def matmul(self, y: list[float], _error_bound: Callable[[], list[float]]) -> list[float]:
        """Return a matrix product."""
        return y

    def norm(self, y: list[float]) -> list[float]:
        """Return the result of a norm."""
        return y

    def rotation(self, cos_sin: tuple[float, float]) -> tuple[float, float]:
        """Return cosine and sine."""
        return cos_sin

    def sum(self, total: float, _terms: Sequence[float]) -> float:
        """Return a sum of products: a score, a rotated element, weighted values."""
        return total

    def factor(self, value: float) -> float:
        """Return the factor of temperature."""
        return value

    def softmax(self, weights: list[float], _below: Sequence[float]) -> list[float]:
        """Return softmax weights, given by how much each score is below the largest."""
        return weights

    def silu(self, value: float, _z: float) -> float:
        """Return silu or sigmoid of z."""
        return value

    def gelu(self, value: float, _z: float) -> float:
        """Return gelu of z."""
        return value

    def product(self, value: float) -> float:
        """Return a product of two numbers."""
        return value

    def residual(self, total: float, _x: float, _y: float) -> float:
        """Return a residual sum."""
        return total

    def cached(self, values: list[float]) -> list[float]:
        """Return a key or value as the KV cache holds it."""
        return values


class Disturbed(Exact):
    """An execution whose every result is disturbed at random, uniformly within its legal error."""

    def __init__(self, seed: int, *, cache16: bool = False) -> None:
        super().__init__()
        self.random = Random(seed).random  # noqa: S311 - any generator will do that every Python has
        self.cache16 = cache16

    def off(self, value: float, bound: float) -> float:
        """Return a number within a bound of another."""
        return value + (2 * self.random() - 1) * bound

    def code(self, exact: float) -> int:
        """Round; either way in the guard band."""
        return super().code(self.off(exact, float(GUARD)))

    def matmul(self, y: list[float], error_bound: Callable[[], list[float]]) -> list[float]:
        """Disturb within the error bound."""
        return list(map(self.off, y, error_bound()))

    def norm(self, y: list[float]) -> list[float]:
        """Disturb within the bound of a norm."""
        n = len(y)
        relative = (n / 2 + 8) * U / (1 - (n + 8) * U)
        return [self.off(value, relative * abs(value)) for value in y]

    def rotation(self, cos_sin: tuple[float, float]) -> tuple[float, float]:
        """Disturb within what DEC-6 allows."""
        return self.off(cos_sin[0], TRIGONOMETRIC), self.off(cos_sin[1], TRIGONOMETRIC)

    def sum(self, total: float, terms: Sequence[float]) -> float:
        """Disturb within the bound of a sum of a number of products."""
        return self.off(total, (len(terms) + 8) * U * sum(map(abs, terms)))

    def factor(self, value: float) -> float:
        """Disturb by the relative error of a logarithm."""
        return self.off(value, TRIGONOMETRIC * value)

    def softmax(self, weights: list[float], below: Sequence[float]) -> list[float]:
        """Disturb by the relative error of WGSL's exp, which is off by 3 + 2|x| ULP, and of a sum."""
        n = len(weights)
        return [self.off(w, (4 * gap + n + 16) * U * w) for w, gap in zip(weights, below, strict=True)]

    def silu(self, value: float, z: float) -> float:
        """Disturb by the relative error of exp, a sum and a quotient."""
        return self.off(value, (4 * abs(z) + 16) * U * abs(value))

    def gelu(self, value: float, z: float) -> float:
        """Disturb by the error of erf."""
        return self.off(value, TRIGONOMETRIC * abs(z) / 2 + 8 * U * abs(value))

    def product(self, value: float) -> float:
        """Disturb by one rounding."""
        return self.off(value, U * abs(value))

    def residual(self, total: float, x: float, y: float) -> float:
        """Disturb by one rounding."""
        return self.off(total, U * (abs(x) + abs(y)))

    def cached(self, values: list[float]) -> list[float]:
        """Round where the cache is binary16."""
        return [nearest16(value) for value in values] if self.cache16 else values
