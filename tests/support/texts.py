"""Texts on which tokenizers are compared."""

import random
from functools import cache
from importlib import resources
from typing import Any

POOLS: list[Any] = [
    range(32, 127),
    range(0xA0, 0x250),
    range(0x300, 0x370),
    range(0x370, 0x530),
    range(0x3040, 0x3100),
    range(0x4E00, 0x9FA6),
    range(0xAC00, 0xD7A4),
    range(0x1F300, 0x1F700),
    [32, 9, 10, 13, 32, 32],
    range(48, 58),
    range(0x660, 0x66A),
]
"""Alphabets of random texts."""


@cache
def texts() -> list[str]:
    """Return pieces of prose and programs, and random texts of several scripts."""
    prose = resources.files("llq_format.exporting.calibration").joinpath("builtin.txt").read_text("utf-8")
    generator = random.Random(1)  # noqa: S311  # no secret

    def word() -> str:
        pool = generator.choice(POOLS)
        return "".join(chr(generator.choice(pool)) for _ in range(generator.randrange(1, 5)))

    pieces = [prose[start : start + 300] for start in range(0, len(prose), 300)]
    return pieces + ["".join(word() for _ in range(generator.randrange(1, 8))) for _ in range(1500)]
