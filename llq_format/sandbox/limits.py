"""Limits of the code of strangers (spec: Decoder, Tokenization; LLQ-TOK-4, LLQ-TOK-5)."""

RANGE_ITEMS = 100_000
"""Maximum number of items of a range in a template."""

TEXT_CHARACTERS = 2**24
"""Maximum length of a text that a template makes, and of its result, in characters."""

CPU_SECONDS = 5.0
"""Processor time of one call, in seconds, for a text of at most a megabyte."""

WALL_SECONDS = 60.0
"""Time of one call, in seconds: a machine may be busy, and code that only waits uses no processor time."""

MEMORY_BYTES = 2 * 2**30
"""Maximum address space of the process, in bytes."""


def scale(characters: int) -> float:
    """Return the factor of the times for a text: 1 for up to 2^20 characters, then proportional."""
    return max(1.0, characters / 2**20)
