"""Exporters under test: from the argument of `--exporter` to an exporter.

`reference` is `llq export --method rtn` of this repository, `cmd:` a command line with the words
`{checkpoint}` and `{package}`, `py:module:attr` a function of two paths. `mutant:NAME` and `conforming:NAME`
are the reference, changed on purpose.
"""

from importlib import import_module

from .command import CommandExporter
from .in_process import InProcessExporter, load
from .protocol import CLAIMS, Exporter, UnknownExporterError

__all__ = ["CLAIMS", "Exporter", "UnknownExporterError", "find"]

KINDS = {"mutant": "variants.mutants", "conforming": "variants.conforming"}
"""Exporters over the reference, by the kind of spec and the module whose function `exporter` has them."""


def find(spec: str, timeout: float) -> Exporter:
    """Return the exporter that a spec names; each export may take `timeout` seconds.

    Raises UnknownExporterError, or BrokenAdapter if it cannot be loaded.
    """
    kind, _, target = spec.partition(":")
    if spec == "reference":
        return load(f"{__package__}.reference:Reference", timeout)
    if kind == "py" and ":" in target:
        return load(target, timeout)
    if kind == "cmd":
        return CommandExporter(target, timeout)
    if kind in KINDS:
        function = import_module(f".{KINDS[kind]}", __package__).exporter(target)
        return InProcessExporter(spec, function, timeout)
    kinds = "reference, py:module:attr, cmd:'command {checkpoint} {package}', mutant:name, conforming:name"
    raise UnknownExporterError(f"--exporter={spec} is not one of: {kinds}")
