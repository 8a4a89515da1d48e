"""From pytest's options to the target: a runtime, or an exporter in a session, and the checks for it."""

import secrets
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
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


def add_random_options(group: pytest.OptionGroup) -> None:
    """Add the options of random questions."""
    group.addoption(
        "--random",
        type=int,
        default=0,
        metavar="N",
        help="Ask N random questions for each check, instead of the vectors. The smallest failure is kept.",
    )
    group.addoption(
        "--seed", type=int, metavar="S", help="Seed of --random; by default another one in each run."
    )
    group.addoption(
        "--kept",
        type=Path,
        default=Path("llq-random"),
        metavar="DIR",
        help="Directory for the smallest failures of --random (default: llq-random).",
    )


def check_random_options(config: pytest.Config) -> None:
    """Choose the seed; raises UsageError where the options do not fit together."""
    options = config.option
    if options.random < 0:
        raise pytest.UsageError(f"--random={options.random}: expected a number of questions")
    if not options.random:
        if options.seed is not None:
            raise pytest.UsageError("--seed requires --random")
        return
    for name in ("exporter", "quick", "report", "known_failures", "write_known_failures"):
        if getattr(options, name):
            raise pytest.UsageError(f"--random asks no vectors: omit --{name.replace('_', '-')}")
    if find_spec("hypothesis") is None:
        raise pytest.UsageError("--random needs hypothesis: pip install 'llq-format[conformance]'")
    if options.seed is None:
        options.seed = secrets.randbelow(1 << 32)  # processes of pytest-xdist get the options after this


def search(config: pytest.Config) -> Any:
    """Return the search that the options state."""
    options = config.option
    module = import_module(".fresh.search", __package__)  # hypothesis takes its time, and may be missing
    return module.Search(options.random, options.seed, options.kept)


def random_checks(config: pytest.Config) -> list[Check]:
    """Return the checks that have random questions; none without --random."""
    if not config.option.random:
        return []
    questions = import_module(".fresh.strategies", __package__).QUESTIONS
    return [check for check in CHECKS if check.name in questions]


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
