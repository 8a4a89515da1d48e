"""From the argument of `--runtime` to a runtime: `reference`, `py:module:attr`, `cmd:command line`, a name.

A name is one under which an installed distribution offers a runtime, as an entry point of the group
`llq.runtimes`: an object with the methods of `adapter.Runtime`, or a class or function that makes one.
"""

from importlib.metadata import EntryPoint, entry_points

from . import inprocess
from .adapter import Runtime
from .jsonlines import JsonLines

GROUP = "llq.runtimes"
REFERENCE = f"py:{__package__}.reference:Reference"


class UnknownRuntimeError(ValueError):
    """The argument of `--runtime` is none that the suite understands."""


def find(spec: str, timeout: float) -> Runtime:
    """Return the runtime that a spec names; each of its answers may take `timeout` seconds."""
    if spec in (names := installed()):
        return inprocess.made(f"the entry point {spec}", names[spec].load, timeout)
    kind, _, target = (REFERENCE if spec == "reference" else spec).partition(":")
    if kind == "py" and ":" in target:
        return inprocess.load(target, timeout)
    if kind == "cmd" and target.strip():
        try:
            return JsonLines(target, timeout)
        except ValueError as error:
            raise UnknownRuntimeError(f"--runtime={spec} is no command line: {error}") from error
    known = "reference, py:module:attr, cmd:'command line'"
    found = (
        f"names installed in {GROUP} are: {', '.join(sorted(names))}" if names else f"{GROUP} has no names"
    )
    raise UnknownRuntimeError(f"--runtime={spec} is none of: {known}; {found}")


def installed() -> dict[str, EntryPoint]:
    """Return the entry points of `GROUP` by name; those that would hide another kind of spec are left out."""
    found = entry_points(group=GROUP)
    return {entry.name: entry for entry in found if entry.name != "reference" and ":" not in entry.name}
