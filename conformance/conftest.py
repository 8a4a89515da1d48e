"""`pytest conformance --runtime=SPEC`: options, the smoke test, a test for each check of each vector."""

from contextlib import suppress
from pathlib import Path

import pytest

from . import runtimes
from .adapter import BrokenAdapter, Runtime
from .checks import CHECKS
from .checks.smoke import SIMPLEST, smoke
from .discovery import names
from .reporting import Reporter
from .vectors import VECTORS, Vector, VectorsError, load

HERE = Path(__file__).parent
RUNTIME = pytest.StashKey[Runtime]()
LOADED = pytest.StashKey[list[Vector]]()
REPORTER = pytest.StashKey[Reporter]()
TIMEOUT = 30.0


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "LLQ conformance suite")
    group.addoption(
        "--runtime",
        default="reference",
        metavar="SPEC",
        help="the runtime: reference (default), py:module:attr, or cmd:'command line'",
    )
    group.addoption("--vectors", default=VECTORS, type=Path, metavar="DIR", help="directory with index.json")
    group.addoption("--results", type=Path, metavar="FILE", help="write the results as JSON")
    with suppress(ValueError):  # where pytest-timeout is installed, its option of the same name serves
        group.addoption("--timeout", type=float, metavar="SECONDS", help="limit of an answer (default 30)")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORTER] = Reporter(config.option.runtime, config.option.results)
    config.pluginmanager.register(config.stash[REPORTER], "llq-conformance-reporter")
    if all(names(arg, __package__ or "") or _lies_here(arg) for arg in config.args):
        config.option.reportchars = ""  # the summary by rule replaces pytest's list of failed tests


def _lies_here(argument: str) -> bool:
    return Path(argument.partition("::")[0]).resolve().is_relative_to(HERE)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if config.option.collectonly or hasattr(config, "workerinput"):
        return
    try:
        runtime = runtime_of(config)
        smoke(runtime, vectors_of(config))
        config.stash[REPORTER].runtime = runtime
    except BrokenAdapter as error:
        pytest.exit("\n".join(filter(None, (str(error), error.detail))), pytest.ExitCode.USAGE_ERROR)


def pytest_report_header(config: pytest.Config) -> str:
    return f"runtime: {config.option.runtime}; vectors: {len(vectors_of(config))} in {config.option.vectors}"


def pytest_unconfigure(config: pytest.Config) -> None:
    if RUNTIME in config.stash:
        config.stash[RUNTIME].close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if {"check", "vector"} <= set(metafunc.fixturenames):
        vectors = vectors_of(metafunc.config)
        cases = [(check, vector) for check in CHECKS for vector in vectors if check.concerns(vector)]
        metafunc.parametrize(
            ("check", "vector"), cases, ids=[f"{check.name}-{vector.id}" for check, vector in cases]
        )


@pytest.fixture(scope="session")
def runtime(pytestconfig: pytest.Config) -> Runtime:
    return runtime_of(pytestconfig)


def runtime_of(config: pytest.Config) -> Runtime:
    """Return the runtime of this process, the same for the whole run."""
    if RUNTIME not in config.stash:
        try:
            config.stash[RUNTIME] = runtimes.find(config.option.runtime, config.option.timeout or TIMEOUT)
        except runtimes.UnknownRuntimeError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[RUNTIME]


def vectors_of(config: pytest.Config) -> list[Vector]:
    """Return the vectors; without any, there is no run."""
    if LOADED not in config.stash:
        try:
            loaded = load(config.option.vectors)
        except VectorsError as error:
            raise pytest.UsageError(str(error)) from error
        config.stash[LOADED] = sorted(loaded, key=lambda vector: vector.id != SIMPLEST)  # it explains best
    return config.stash[LOADED]
