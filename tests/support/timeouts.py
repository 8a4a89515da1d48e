"""Time limits of the tests, which one factor multiplies: the environment variable LLQ_TEST_TIMEOUT_SCALE.

A limit ends a test that hangs; it never decides whether a test passes. Every limit fits an idle machine, and
the factor makes room for a busy one: 10, unless the variable gives another.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

VARIABLE = "LLQ_TEST_TIMEOUT_SCALE"
SCALE = float(os.environ.get(VARIABLE, "10"))

SHORT = 0.5
"""Time limit of a question that is never answered, in seconds: what must answer never has this limit."""

INTERVAL = 0.01
"""Seconds between two looks at a condition."""


class Limited(Protocol):
    """A runtime with a time limit for each answer, in seconds."""

    timeout: float


def seconds(limit: float = 30) -> float:
    """Return a time limit in seconds, from the seconds that are plenty on an idle machine."""
    return limit * SCALE


def milliseconds(limit: float = 30) -> float:
    """Return a time limit in milliseconds, from the seconds that are plenty on an idle machine."""
    return 1000 * seconds(limit)


def wait_until(condition: Callable[[], object], limit: float = 30) -> None:
    """Wait until a condition holds; raises TimeoutError if it does not within the limit."""
    deadline = time.monotonic() + seconds(limit)
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the condition did not hold within {seconds(limit):g} s")
        time.sleep(INTERVAL)


@contextmanager
def short_limit(runtime: Limited) -> Iterator[None]:
    """Give a runtime the short time limit within the block, whose requests are never answered."""
    usual, runtime.timeout = runtime.timeout, SHORT
    try:
        yield
    finally:
        runtime.timeout = usual
