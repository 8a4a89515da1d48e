"""From the argument of `--runtime` to a runtime: `reference`, `py:module:attr` or `cmd:command line`."""

from . import inprocess
from .adapter import Runtime
from .jsonlines import JsonLines

REFERENCE = f"py:{__package__}.reference:Reference"


class UnknownRuntimeError(ValueError):
    """The argument of `--runtime` is none that the suite understands."""


def find(spec: str, timeout: float) -> Runtime:
    """Return the runtime that a spec names; each of its answers may take `timeout` seconds."""
    kind, _, target = (REFERENCE if spec == "reference" else spec).partition(":")
    if kind == "py" and ":" in target:
        return inprocess.load(target, timeout)
    if kind == "cmd" and target.strip():
        return JsonLines(target, timeout)
    raise UnknownRuntimeError(f"--runtime={spec} is none of: reference, py:module:attr, cmd:'command line'")
