"""The conformance suite, for the commands that use it; the library does not depend on it."""

from importlib import import_module
from typing import Any

INSTALLED, SOURCE = "llq_conformance", "conformance"
"""Names of the suite's package: installed, and in the source tree."""


def suite(module: str) -> Any:
    """Return a module of the suite.

    Raises ValueError that names the package to install if there is no suite.
    """
    for package in (INSTALLED, SOURCE):
        name = f"{package}.{module}"
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if not f"{name}.".startswith(f"{error.name}."):  # the suite exists, but lacks a dependency
                raise
    raise ValueError(
        "the conformance suite is not installed: pip install 'llq-format[conformance]', or run this "
        "command in the root of the source tree"
    )
