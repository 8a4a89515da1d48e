"""The conformance suite, for the commands that are about it; the library itself does not know it."""

from importlib import import_module
from typing import Any

INSTALLED, SOURCE = "llq_conformance", "conformance"
"""What the suite is called where it is installed, and in its source tree."""


def suite(module: str) -> Any:
    """Return a module of the suite.

    Raises ValueError, with what to install, if there is no suite.
    """
    for package in (INSTALLED, SOURCE):
        name = f"{package}.{module}"
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if not f"{name}.".startswith(f"{error.name}."):  # the suite is there, and lacks something itself
                raise
    raise ValueError(
        "the conformance suite is not installed: pip install 'llq-format[conformance]', or run this in the "
        "root of the source tree"
    )
