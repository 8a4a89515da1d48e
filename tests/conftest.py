"""Hypothesis settings: the same examples on every run. The real model, where its file is given."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--smollm2", type=Path, metavar="GGUF", help="The real SmolLM2-135M.")


@pytest.fixture(scope="session")
def smollm2_gguf(request: pytest.FixtureRequest) -> Path:
    """Return the path of SmolLM2-135M-Instruct.Q4_1.gguf."""
    path: Path | None = request.config.getoption("--smollm2")
    if path is None:
        pytest.skip("needs the real model: give --smollm2 GGUF, as `make test` does")
    return path
