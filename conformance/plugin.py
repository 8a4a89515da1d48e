"""What pytest loads where the suite is installed: so `pytest --pyargs llq_conformance` knows its options.

pytest looks early for the options of a conftest.py only where an argument is a path. Every run of pytest in
an environment that has the suite loads this module; it does nothing unless an argument names the suite.
"""

from importlib import import_module
from pathlib import Path

import pytest


def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Register the suite's conftest.py, under the name that pytest itself gives it later."""
    package = __package__ or ""
    if not any(names(argument, package) for argument in args):
        return
    file = Path(__file__).with_name("conftest.py")
    if not file.is_file():
        raise pytest.UsageError(
            f"{package} is not installed completely; in a source tree, run pytest conformance"
        )
    conftest = import_module(f"{package}.{file.stem}")
    early_config.pluginmanager.register(conftest, name=conftest.__file__)


def names(argument: str, package: str) -> bool:
    """Return whether an argument of pytest, after `--pyargs`, names a module of a package."""
    module = argument.partition("::")[0]
    return module == package or module.startswith(f"{package}.")
