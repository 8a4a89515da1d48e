"""From the argument of `--runtime` to a runtime, with mutants and conforming variants among the names."""

from importlib import import_module

from ..core.runtime import Runtime
from ..runtimes import find as runtimes
from ..runtimes.find import UnknownRuntimeError
from ..runtimes.in_process import InProcessRuntime

__all__ = ["UnknownRuntimeError", "find"]

KINDS = {"mutant": "mutants", "conforming": "conforming"}
"""Runtimes over the reference, by the kind of spec and the package that has a function `runtime` for them."""


def find(spec: str, timeout: float) -> Runtime:
    """Return the runtime that a spec names; each of its answers may take `timeout` seconds.

    Mutants and conforming variants are loaded only where one is named. Raises UnknownRuntimeError.
    """
    kind, _, name = spec.partition(":")
    if kind not in KINDS or spec in runtimes.installed():
        return runtimes.find(spec, timeout)
    package = import_module(f".{KINDS[kind]}", __package__)
    try:
        return InProcessRuntime(package.runtime(name), timeout)
    except LookupError as error:
        raise UnknownRuntimeError(f"--runtime={spec}: {error.args[0]}") from error
