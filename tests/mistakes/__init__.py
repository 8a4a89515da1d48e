"""Runtimes that are wrong in one thing each: no vector may be content with them all.

Importing the modules adds their mistakes to `MISTAKES`.
"""

from tests.mistakes import attention, feed_forward, frame, generation, matmul, rounding, sequences
from tests.mistakes.mistake import MISTAKES, Mistake

MODULES = (rounding, matmul, frame, attention, feed_forward, sequences, generation)

__all__ = ["MISTAKES", "MODULES", "Mistake"]
