"""Options of fresh questions: random ones, and those about a package of the user."""

import secrets
import shutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from .checks import CHECKS
from .core.check import Check
from .core.vectors import load
from .reporting.report import ReportError, read


def add_options(group: pytest.OptionGroup) -> None:
    """Add the options."""
    group.addoption(
        "--random",
        type=int,
        default=0,
        metavar="N",
        help="Ask N random questions for each check, instead of the vectors. The smallest failure is kept.",
    )
    group.addoption(
        "--package",
        type=Path,
        metavar="DIR",
        help="Ask about the package in a directory, instead of the vectors.",
    )
    group.addoption(
        "--oracle",
        metavar="SPEC",
        help="Runtime that computes the expected logits of --package: reference (default), webgpu, or webgpu "
        "with options. WebGPU first has to pass the vectors on its device.",
    )
    group.addoption(
        "--oracle-report",
        type=Path,
        metavar="FILE",
        help="Report of a whole run that the WebGPU oracle passed; it then does not repeat the vectors.",
    )
    group.addoption(
        "--seed",
        type=int,
        metavar="S",
        help="Seed of --random and --package; by default another one in each run.",
    )
    group.addoption(
        "--kept",
        type=Path,
        default=Path("llq-fresh"),
        metavar="DIR",
        help="Directory for the vectors of --package and the smallest failures of --random "
        "(default: llq-fresh).",
    )


def prepare(config: pytest.Config) -> None:
    """Choose the seed, and write the vectors of a package; raises UsageError for options that do not fit."""
    options = config.option
    _check(options)
    if hasattr(config, "workerinput") or not (options.random or options.package):
        return
    if options.seed is None:
        options.seed = secrets.randbelow(1 << 32)  # processes of pytest-xdist get the options after this
    if options.package:
        options.vectors = _vectors_of_package(options)


def _check(options: Any) -> None:
    if options.random < 0:
        raise pytest.UsageError(f"--random={options.random}: expected a number of questions")
    if options.random and options.package:
        raise pytest.UsageError("--random and --package exclude each other")
    for name, needs in (("seed", "random"), ("oracle", "package"), ("oracle_report", "package")):
        allowed = options.package or (needs == "random" and options.random)
        if getattr(options, name) is not None and not allowed:
            raise pytest.UsageError(f"--{name.replace('_', '-')} requires --{needs}")
    omitted = ("exporter", "quick", "known_failures", "write_known_failures")
    for name in (*omitted, "report") if options.random else omitted if options.package else ():
        if getattr(options, name):
            raise pytest.UsageError(f"fresh questions are not the vectors: omit --{name.replace('_', '-')}")
    if options.random and find_spec("hypothesis") is None:
        raise pytest.UsageError("--random needs hypothesis: pip install 'llq-format[conformance]'")


def _vectors_of_package(options: Any) -> Path:
    """Write the vectors of a package, and return their directory."""
    package: Path = options.package
    if not (package / "metadata.json").is_file():
        raise pytest.UsageError(f"--package={package}: metadata.json not found")
    fresh = import_module(".fresh.own_package", __package__)
    oracles = import_module(".fresh.oracle", __package__)
    home: Path = (options.kept / f"package-{package.resolve().name}-seed-{options.seed}").resolve()
    shutil.rmtree(home, ignore_errors=True)
    try:
        oracle = _oracle(options, oracles)
        fresh.write_vectors(package, oracle, options.seed, home)
    except oracles.OracleError as error:
        raise pytest.UsageError(f"--oracle={options.oracle}: {error}") from error
    return home


def _oracle(options: Any, oracles: Any) -> Any:
    """Return the oracle; one on a device is qualified first."""
    kind, _, members = (options.oracle or "reference").partition(":")
    if kind == "reference" and not members:
        return oracles.ReferenceOracle()
    if kind != "webgpu":
        raise pytest.UsageError(f"--oracle={options.oracle} is not one of: reference, webgpu, webgpu:options")
    oracle = oracles.WebGPUOracle(members, options.answer_timeout)
    if options.oracle_report is None:
        oracle.qualify(load())
        return oracle
    try:
        oracles.qualified(read(options.oracle_report), oracle.runtime, load())
    except ReportError as error:
        raise pytest.UsageError(f"--oracle-report: {error}") from error
    return oracle


def description(config: pytest.Config) -> str:
    """Return what is asked about in the place of the vectors; empty if the vectors are asked."""
    options = config.option
    if options.random:
        return f"{options.random} random questions each"
    return f"package {options.package.resolve().name}" if options.package else ""


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
