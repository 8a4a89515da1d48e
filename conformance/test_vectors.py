"""All checks of all vectors: what `conftest` collected, asked of the runtime that `--runtime` names."""

from pathlib import Path

import pytest

from .adapter import Runtime
from .check import Check, Outcome
from .expectations import KNOWN
from .replay import command
from .reporting import attach
from .vectors import Vector


def test_vector(
    check: Check, vector: Vector, runtime: Runtime, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    result = request.config.stash[KNOWN].judge(check(runtime, vector, tmp_path))
    attach(request.node, result)
    if result.outcome is Outcome.NOT_CLAIMED:
        pytest.skip(result.headline)
    if result.outcome is Outcome.KNOWN_FAILURE:
        pytest.xfail(result.headline)
    if result.outcome.bad:
        again = command(vector.id, request.config.option.runtime, request.config.option.vectors)
        pytest.fail(f"{result.explanation}\n  replay     {again}", pytrace=False)
