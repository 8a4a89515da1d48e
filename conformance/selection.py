"""From pytest's options to who is asked: a runtime, or an exporter in a session, and the checks for it."""

from typing import Any

import pytest

from .checks import CHECKS
from .core.check import Check
from .core.target import Asked
from .exporters import CLAIMS, UnknownExporterError
from .exporters.checks import EXPORT_CHECKS
from .mutation.find import UnknownRuntimeError, find
from .reporting.rerun import session

ASKED = pytest.StashKey[Asked]()
"""Who is asked in a run, in every process of it."""


def add_options(group: pytest.OptionGroup) -> None:
    """Add the options of exporters."""
    group.addoption(
        "--exporter",
        metavar="SPEC",
        help="test an exporter instead: reference, cmd:'command {checkpoint} {package}', or py:module:attr; "
        "--runtime then names who validates its packages",
    )
    group.addoption(
        "--exporter-claims",
        choices=list(CLAIMS),
        help="what the exporter keeps: the model alone (rotated, folded or permuted weights), weights near "
        "the checkpoint's, or rounding of each to nearest; each includes those before it (default weights)",
    )


def asked(config: pytest.Config) -> Asked:
    """Return who the options name; raises UsageError where they do not fit together."""
    given = config.option
    if given.exporter is None:
        if given.exporter_claims:
            raise pytest.UsageError("--exporter-claims is about an exporter: give --exporter")
        return Asked(given.runtime)
    if given.quick:
        raise pytest.UsageError("--quick is about runtimes: an exporter is asked everything")
    return Asked(given.exporter, "exporter", given.exporter_claims or "", given.runtime)


def checks(who: Asked) -> tuple[Check, ...]:
    """Return the checks of a runtime, or those of an exporter."""
    return EXPORT_CHECKS if who.exporting else CHECKS


def subject(who: Asked, timeout: float) -> Any:
    """Return the runtime, or the exporter's session; raises UsageError if there is none of that name."""
    try:
        return session(who, timeout) if who.exporting else find(who.spec, timeout)
    except (UnknownRuntimeError, UnknownExporterError) as error:
        raise pytest.UsageError(str(error)) from error
