"""All checks of all vectors: what `conftest` collected, asked of the target that the options name."""

from pathlib import Path
from typing import Any

import pytest

from .core.check import Check, Outcome
from .core.vectors import Vector
from .reporting.expectations import KNOWN
from .reporting.pytest_reporter import attach
from .reporting.rerun import command
from .selection import TARGET


def test_vector(
    check: Check, vector: Vector, subject: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    result = request.config.stash[KNOWN].judge(check(subject, vector, tmp_path))
    attach(request.node, result)
    if result.outcome is Outcome.NOT_CLAIMED:
        pytest.skip(result.headline)
    if result.outcome is Outcome.KNOWN_FAILURE:
        pytest.xfail(result.headline)
    if result.outcome.bad:
        rerun_command = command(vector.id, request.config.stash[TARGET], request.config.option.vectors)
        pytest.fail(f"{result.explanation}\n  rerun      {rerun_command}", pytrace=False)
