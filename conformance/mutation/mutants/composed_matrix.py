"""A matrix whose rounding and product are functions, from which mutants are composed."""

from collections.abc import Callable

from llq_format.reference.activations import Array
from llq_format.reference.matrix import Matrix, Rounded


class ComposedMatrix(Matrix):
    """A rounding of vectors [tokens, cols], followed by a product that gives [tokens, rows]."""

    def __init__(self, rounding: Callable[[Array], Rounded], product: Callable[[Rounded], Array]) -> None:
        """Keep both functions."""
        self._rounding = rounding
        self._product = product

    def rounded(self, x: Array) -> Rounded:
        """Round vectors."""
        return self._rounding(x)

    def product(self, x: Rounded) -> Array:
        """Multiply rounded vectors."""
        return self._product(x)
