"""`pytest conformance --runtime=SPEC` or `--exporter=SPEC`: options, smoke test, a test for each check."""

import os
from pathlib import Path
from typing import Any

import pytest

from . import fresh_options
from .checks.smoke import SIMPLEST, smoke
from .core.check import Check
from .core.runtime import BrokenAdapter
from .core.vectors import VECTORS, Vector, VectorsError, load
from .mutation.quick import quick
from .plugin import names
from .recipes.cache import cache_directory
from .reporting.expectations import KNOWN, Expectations, known_failures
from .reporting.known_failures import KnownFailuresError
from .reporting.pytest_reporter import Reporter
from .selection import (
    TARGET,
    add_options,
    checks,
    subject,
    target,
)

HERE = Path(__file__).parent
SUBJECT = pytest.StashKey[Any]()
LOADED = pytest.StashKey[list[Vector]]()
REPORTER = pytest.StashKey[Reporter]()
TIMEOUT = 30.0


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "LLQ conformance suite")
    group.addoption(
        "--runtime",
        default="reference",
        metavar="SPEC",
        help="Runtime to test: reference (default), webgpu, node, deno, browser:chromium, browser:firefox, "
        "browser:wait, py:module:attr, cmd:'command line', or an installed name. "
        "Example for a GPU: --runtime='browser:chromium,adapter=default,"
        'flags="--enable-features=Vulkan --use-angle=vulkan --disable-vulkan-surface --ignore-gpu-blocklist",'
        "driver=/path/of/icd.json'.",
    )
    add_options(group)
    fresh_options.add_options(group)
    group.addoption(
        "--vectors",
        default=VECTORS,
        type=Path,
        metavar="DIR",
        help="Directory with the vectors and index.json.",
    )
    group.addoption(
        "--quick", action="store_true", help="Run only the quick set: few checks that kill every mutant."
    )
    group.addoption(
        "--report",
        type=Path,
        metavar="DIR",
        help="Write report.json and index.html to a directory.",
    )
    group.addoption(
        "--known-failures",
        type=Path,
        metavar="FILE",
        help="List of known failures, which do not fail the run.",
    )
    group.addoption(
        "--write-known-failures",
        type=Path,
        metavar="FILE",
        help="Write the list of the failures of this run.",
    )
    group.addoption(  # pytest-timeout has --timeout
        "--answer-timeout",
        type=float,
        default=TIMEOUT,
        metavar="SECONDS",
        help="Time limit for one answer (default: 30).",
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(os, "killpg"):
        raise pytest.UsageError(
            "the suite needs POSIX to end adapters: use Linux, macOS or the Windows Subsystem for Linux"
        )
    if config.option.report and config.option.report.exists() and not config.option.report.is_dir():
        raise pytest.UsageError(f"--report={config.option.report} is a file, expected a directory")
    fresh_options.prepare(config)
    config.stash[TARGET] = target(config)
    config.stash[REPORTER] = Reporter(
        config.stash[TARGET], config.option.report, _options(config), fresh_options.description(config)
    )
    config.pluginmanager.register(config.stash[REPORTER], "llq-conformance-reporter")
    config.stash[KNOWN] = known_failures(config.option.known_failures)
    expectations = Expectations(config.stash[KNOWN], config.option.write_known_failures)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(expectations, "llq-conformance-expectations")
    if all(names(arg, __package__ or "") or _is_in_suite(arg) for arg in config.args):
        config.option.reportchars = ""  # the summary by rule replaces pytest's list of failed tests


def _options(config: pytest.Config) -> dict[str, Any]:
    """Return the options that a report lists."""
    options = config.option
    return {
        "timeout": options.answer_timeout,
        "selection": options.keyword,
        "vectors": "" if options.vectors == VECTORS else str(options.vectors),
        "processes": getattr(options, "numprocesses", None) or 1,
    }


def _is_in_suite(argument: str) -> bool:
    return Path(argument.partition("::")[0]).resolve().is_relative_to(HERE)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if config.option.collectonly or hasattr(config, "workerinput"):
        return
    try:
        config.stash[KNOWN].require((check.name, vector.id) for check, vector in cases_of(config))
    except KnownFailuresError as error:
        raise pytest.UsageError(str(error)) from error
    try:
        tested_subject = subject_of(config)
        if config.stash[TARGET].exporting:
            tested_subject.smoke(vectors_of(config))
        else:
            smoke(tested_subject, vectors_of(config))
        config.stash[REPORTER].runtime = tested_subject
        config.stash[REPORTER].vectors = vectors_of(config)
        if not config.option.random:
            config.stash[REPORTER].cases = all_cases(config)
        if getattr(config.option, "dist", "no") != "no":  # the workers have runtimes of their own
            config.stash[SUBJECT].close()
            del config.stash[SUBJECT]
    except BrokenAdapter as error:
        pytest.exit("\n".join(filter(None, (str(error), error.detail))), pytest.ExitCode.USAGE_ERROR)


def pytest_report_header(config: pytest.Config) -> str:
    run_target, directory = config.stash[TARGET], config.option.vectors
    if fresh := fresh_options.description(config):
        return f"{run_target.option}: {run_target.spec}; {fresh}, seed {config.option.seed}"
    line = f"{run_target.option}: {run_target.spec}; vectors: {len(vectors_of(config))} in {directory}"
    recipes = [vector.recipe for vector in vectors_of(config) if vector.recipe]
    if not recipes:
        return line
    size = sum(recipe.size for recipe in recipes) / 1e6
    return f"{line}\ncache: {cache_directory()}, for {len(recipes)} packages of {size:.0f} MB in all"


def pytest_unconfigure(config: pytest.Config) -> None:
    if SUBJECT in config.stash:
        config.stash[SUBJECT].close()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect either the vectors or the random questions."""
    other = "test_vectors.py" if config.option.random else "test_random.py"
    return True if collection_path == HERE / other else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "random_check" in metafunc.fixturenames:
        random = fresh_options.random_checks(metafunc.config)
        metafunc.parametrize("random_check", random, ids=[check.name for check in random])
    if {"check", "vector"} <= set(metafunc.fixturenames):
        cases = cases_of(metafunc.config)
        metafunc.parametrize(
            ("check", "vector"), cases, ids=[f"{check.name}-{vector.id}" for check, vector in cases]
        )


@pytest.fixture(scope="session", name="subject")
def subject_fixture(pytestconfig: pytest.Config) -> Any:
    return subject_of(pytestconfig)


def all_cases(config: pytest.Config) -> list[tuple[Check, Vector]]:
    """Return each check with each vector that it concerns."""
    target_checks = checks(config.stash[TARGET])
    return [
        (check, vector) for check in target_checks for vector in vectors_of(config) if check.concerns(vector)
    ]


def cases_of(config: pytest.Config) -> list[tuple[Check, Vector]]:
    """Return the checks and vectors of this run: all, or the quick set."""
    cases = all_cases(config)
    if not config.option.quick:
        return cases
    quick_questions = quick()
    return [(check, vector) for check, vector in cases if f"{check.name}-{vector.id}" in quick_questions]


def subject_of(config: pytest.Config) -> Any:
    """Return the runtime of this process, or the session of the exporter, the same for the whole run."""
    if SUBJECT not in config.stash:
        config.stash[SUBJECT] = subject(config.stash[TARGET], config.option.answer_timeout)
        _invite(config)
    return config.stash[SUBJECT]


def _invite(config: pytest.Config) -> None:
    """Print what a person must do before the runtime answers."""
    if invitation := getattr(config.stash[SUBJECT], "invitation", ""):
        if getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
            raise pytest.UsageError(
                "this runtime waits for a person to open a page, which works in one process only: omit -n"
            )
        config.get_terminal_writer().line(invitation)


def vectors_of(config: pytest.Config) -> list[Vector]:
    """Return the vectors; without any, there is no run."""
    if LOADED not in config.stash:
        try:
            vectors = load(config.option.vectors)
        except VectorsError as error:
            raise pytest.UsageError(str(error)) from error
        config.stash[LOADED] = sorted(vectors, key=lambda vector: vector.id != SIMPLEST)  # it explains best
    return config.stash[LOADED]
