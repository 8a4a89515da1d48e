"""Each check of random questions: `--random N --seed S`."""

from pathlib import Path
from typing import Any

import pytest

from .core.check import Check
from .fresh_options import search
from .reporting.conclusion import conclude
from .reporting.rerun import command
from .selection import TARGET


def test_random(random_check: Check, subject: Any, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    random_search = search(request.config)
    result = random_search(random_check, subject, tmp_path)
    place = random_search.place(random_check)
    conclude(request.node, result, command(result.vector, request.config.stash[TARGET], place))
