"""An exporter in this process: a function of two paths, or an object with the method `export`."""

import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from ..core.runtime import BrokenAdapter, Info
from ..runtimes.in_process import time_limit
from .file_limit import limited
from .protocol import CLAIMS, DEFAULT_CLAIM, Export


class InProcessExporter:
    """Calls a function of checkpoint and package; an exception says that no package was written.

    The function may have attributes: `info`, a `core.runtime.Info`, and `claim`, one of `CLAIMS`.
    """

    def __init__(self, name: str, function: Callable[[Path, Path], Any], timeout: float) -> None:
        """Store a function, and check its claim."""
        self._function = function
        self._timeout = timeout
        self.info: Info = getattr(function, "info", Info(name, language="Python"))
        self.claim: str = getattr(function, "claim", DEFAULT_CLAIM)
        if self.claim not in CLAIMS:
            raise BrokenAdapter(f"it claims {self.claim!r}; expected one of {', '.join(CLAIMS)}")

    def export(self, checkpoint: Path, package: Path, largest_file: int | None = None) -> Export:
        """Call the function; raises TimedOut."""
        try:
            with time_limit(self._timeout), limited(largest_file):
                self._function(checkpoint, package)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is the exporter's refusal
            return Export(succeeded=False, message=f"{type(error).__name__}: {error}")
        return Export(succeeded=True)


def load(target: str, timeout: float) -> InProcessExporter:
    """Return the exporter at `module:attr`: a function of two paths, or an object or class with `export`.

    Modules are searched for in the current directory, too. Raises BrokenAdapter if it cannot be loaded.
    """
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    module, _, attribute = target.partition(":")
    try:
        member = getattr(import_module(module), attribute)
        exporter = member() if isinstance(member, type) else member
    except (Exception, SystemExit) as error:
        message = f"py:{target} cannot be loaded: {type(error).__name__}: {error}"
        raise BrokenAdapter(message, traceback.format_exc(limit=-5)) from error
    function = getattr(exporter, "export", exporter)
    if not callable(function):
        raise BrokenAdapter(f"py:{target} is neither a function nor an object with a method `export`")
    return InProcessExporter(attribute, _with_attributes(function, exporter), timeout)


def _with_attributes(function: Callable[..., Any], owner: Any) -> Callable[[Path, Path], Any]:
    """Return a function with the `info` and the `claim` of its object."""

    def export(checkpoint: Path, package: Path) -> Any:
        return function(checkpoint, package)

    for name in ("info", "claim"):
        if hasattr(owner, name):
            setattr(export, name, getattr(owner, name))
    return export
