"""From a result to the outcome of its test in pytest."""

import pytest

from ..core.check import Outcome, Result
from .pytest_reporter import attach


def conclude(item: pytest.Item, result: Result, rerun_command: str) -> None:
    """Attach a result to a test, and end the test as the result calls for."""
    attach(item, result)
    if result.outcome is Outcome.NOT_CLAIMED:
        pytest.skip(result.headline)
    if result.outcome is Outcome.KNOWN_FAILURE:
        pytest.xfail(result.headline)
    if result.outcome.bad:
        pytest.fail(f"{result.explanation}\n  rerun      {rerun_command}", pytrace=False)
