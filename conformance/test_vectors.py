"""All checks of all vectors: what `conftest` collected, asked of the target that the options name."""

from pathlib import Path
from typing import Any

import pytest

from .core.check import Check
from .core.vectors import Vector
from .reporting.conclusion import conclude
from .reporting.expectations import KNOWN
from .reporting.rerun import command
from .selection import TARGET


def test_vector(
    check: Check, vector: Vector, subject: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    result = request.config.stash[KNOWN].judge(check(subject, vector, tmp_path))
    rerun_command = command(vector.id, request.config.stash[TARGET], request.config.option.vectors)
    conclude(request.node, result, rerun_command)
