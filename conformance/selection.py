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
        help="test an exporter instead: reference, cmd:'command {checkpoint} {package}', or py:module:attr; "
        "--runtime then names who validates its packages",
    )
    group.addoption(
        "--exporter-claims",
        choices=list(CLAIMS),
        help="what the exporter keeps: the model alone (rotated, folded or permuted weights), weights near "
        "the checkpoint's, or rounding of each to nearest; each includes those before it (default weights)",
    )


def target(config: pytest.Config) -> Target:
    """Return the target that the options name; raises UsageError where they do not fit together."""
    options = config.option
    if options.exporter is None:
        if options.exporter_claims:
            raise pytest.UsageError("--exporter-claims is about an exporter: give --exporter")
        return Target(options.runtime)
    if options.quick:
        raise pytest.UsageError("--quick is about runtimes: an exporter is asked everything")
    return Target(options.exporter, "exporter", options.exporter_claims or "", options.runtime)


def checks(target: Target) -> tuple[Check, ...]:
    """Return the checks of a runtime, or those of an exporter."""
    return EXPORT_CHECKS if target.exporting else CHECKS


def subject(target: Target, timeout: float) -> Any:
    """Return the runtime, or the exporter's session; raises UsageError if there is none of that name."""
    try:
        return session(target, timeout) if target.exporting else find(target.spec, timeout)
    except (UnknownRuntimeError, UnknownExporterError) as error:
        raise pytest.UsageError(str(error)) from error
