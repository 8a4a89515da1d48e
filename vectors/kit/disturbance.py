"""Executions of a model: the exact one, and legal ones whose every operation is off by as much as it may be.

Each method stands for one kind of operation. It is given the operation's exact result, and what its legal error depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from vectors.kit.activation import GUARD, nearest16
from vectors.kit.matmul import U

TRIGONOMETRIC = 2.0**-20  # what DEC-6 allows; taken for the logarithm and the error function too


class Exact:
    """The execution in exact arithmetic: nothing is disturbed. It notes the INT8 codes and the experts chosen."""

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
        """Choose the greatest value, the lowest index among equals."""
        chosen = max(range(len(values)), key=lambda index: (values[index], -index))
        others = [values[chosen] - value for index, value in enumerate(values) if index != chosen]
        self.router_margin = min([self.router_margin, *others])
        self.decisions.append(chosen)
        return chosen

    def matmul(self, y: list[float], _certificate: Callable[[], list[float]]) -> list[float]:
        """Matrix products, within their certificate."""
        return y

    def norm(self, y: list[float]) -> list[float]:
        """Norms."""
        return y

    def rotation(self, cos_sin: tuple[float, float]) -> tuple[float, float]:
        """Cosine and sine."""
        return cos_sin

    def sum(self, total: float, _terms: Sequence[float]) -> float:
        """Sums of products: scores, rotated pairs, weighted values."""
        return total

    def factor(self, value: float) -> float:
        """The factor of temperature."""
        return value

    def softmax(self, weights: list[float], _below: Sequence[float]) -> list[float]:
        """Softmax, given by how much each score is below the greatest."""
        return weights

    def silu(self, value: float, _z: float) -> float:
        """silu, and sigmoid."""
        return value

    def gelu(self, value: float, _z: float) -> float:
        """gelu."""
        return value

    def product(self, value: float) -> float:
        """Products of two numbers."""
        return value

    def residual(self, total: float, _x: float, _y: float) -> float:
        """Residual sums."""
        return total

    def cached(self, values: list[float]) -> list[float]:
        """Keys and values in the KV cache."""
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
        return super().code(self.off(exact, float(GUARD)))

    def matmul(self, y: list[float], certificate: Callable[[], list[float]]) -> list[float]:
        return list(map(self.off, y, certificate()))

    def norm(self, y: list[float]) -> list[float]:
        n = len(y)
        relative = (n / 2 + 8) * U / (1 - (n + 8) * U)
        return [self.off(value, relative * abs(value)) for value in y]

    def rotation(self, cos_sin: tuple[float, float]) -> tuple[float, float]:
        return self.off(cos_sin[0], TRIGONOMETRIC), self.off(cos_sin[1], TRIGONOMETRIC)

    def sum(self, total: float, terms: Sequence[float]) -> float:
        return self.off(total, (len(terms) + 8) * U * sum(map(abs, terms)))

    def factor(self, value: float) -> float:
        return self.off(value, TRIGONOMETRIC * value)

    def softmax(self, weights: list[float], below: Sequence[float]) -> list[float]:
        n = len(weights)
        return [
            self.off(w, (4 * gap + n + 16) * U * w) for w, gap in zip(weights, below, strict=True)
        ]  # WGSL's exp(x) is off by 3 + 2|x| ULP

    def silu(self, value: float, z: float) -> float:
        return self.off(value, (4 * abs(z) + 16) * U * abs(value))

    def gelu(self, value: float, z: float) -> float:
        return self.off(value, TRIGONOMETRIC * abs(z) / 2 + 8 * U * abs(value))

    def product(self, value: float) -> float:
        return self.off(value, U * abs(value))

    def residual(self, total: float, x: float, y: float) -> float:
        return self.off(total, U * (abs(x) + abs(y)))

    def cached(self, values: list[float]) -> list[float]:
        return [nearest16(value) for value in values] if self.cache16 else values
