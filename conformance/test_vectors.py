"""All checks of all vectors: what `conftest` collected, asked of the runtime that `--runtime` names."""

from pathlib import Path

import pytest

from .adapter import Runtime
from .check import Check, Outcome
from .reporting import attach
from .vectors import Vector


def test_vector(
    check: Check, vector: Vector, runtime: Runtime, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    result = check(runtime, vector, tmp_path)
    attach(request.node, result)
    if result.outcome is Outcome.NOT_CLAIMED:
        pytest.skip(result.headline)
    if result.outcome.bad:
        pytest.fail(result.explanation, pytrace=False)
