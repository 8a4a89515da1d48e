"""From pytest's options to the target: a runtime, or an exporter in a session, and the checks for it."""

from typing import Any

import pytest

from .checks import CHECKS
from .core.check import Check
from .core.target import Target
from .exporters import CLAIMS, UnknownExporterError
from .exporters.checks import EXPORT_CHECKS
from .mutation.find import UnknownRuntimeError, find
from .reporting.rerun import session

TARGET = pytest.StashKey[Target]()
"""The target of a run, in every process of it."""


def add_options(group: pytest.OptionGroup) -> None:
    """Add the options of exporters."""
    group.addoption(
        "--exporter",
        metavar="SPEC",
        help="Exporter to test: reference, cmd:'command {checkpoint} {package}', or py:module:attr. "
        "--runtime then names the runtime that validates its packages.",
    )
    group.addoption(
        "--exporter-claims",
        choices=list(CLAIMS),
        help="Claims to test: model (weights may be rotated, folded or permuted), weights (near those of the "
        "checkpoint) or rounding (to nearest). Each claim includes the previous ones (default: weights).",
    )


def target(config: pytest.Config) -> Target:
    """Return the target that the options name; raises UsageError where they do not fit together."""
    options = config.option
    if options.exporter is None:
        if options.exporter_claims:
            raise pytest.UsageError("--exporter-claims requires --exporter")
        return Target(options.runtime)
    if options.quick:
        raise pytest.UsageError("--quick applies to runtimes only: omit it with --exporter")
    return Target(options.exporter, "exporter", options.exporter_claims or "", options.runtime)


def checks(target: Target) -> tuple[Check, ...]:
    """Return the checks of runtimes or of exporters."""
    return EXPORT_CHECKS if target.exporting else CHECKS


def subject(target: Target, timeout: float) -> Any:
    """Return the runtime, or the exporter's session; raises UsageError if there is none of that name."""
    try:
        return session(target, timeout) if target.exporting else find(target.spec, timeout)
    except (UnknownRuntimeError, UnknownExporterError) as error:
        raise pytest.UsageError(str(error)) from error
