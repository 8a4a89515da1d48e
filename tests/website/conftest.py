"""The site, built once for all tests of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.exclusive import exclusive
from tests.support.repository import ROOT
from tests.support.timeouts import seconds


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; processes of one test run share the folder, and the first of them builds it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "site"
    with exclusive(shared):
        if not folder.is_dir():
            command = [sys.executable, "-m", "website", str(folder)]
            subprocess.run(command, check=True, cwd=ROOT, timeout=seconds(120))  # noqa: S603  # our own module
    return folder
