"""The checks of exporters, in the order of reports."""

from ...core.check import Check
from ...core.vectors import Vector
from .. import file_limit
from . import content, refusals, traces
from .weights import rounding, weights


def _exportable(vector: Vector) -> bool:
    return vector.kind == "export" and not vector.members["refused"]


def _refusable(vector: Vector) -> bool:
    return vector.kind == "export" and bool(vector.members["refused"])


def _replacing(vector: Vector) -> bool:
    return _exportable(vector) and "LLQ-WRITE-5" in vector.rules


def _interrupted(vector: Vector) -> bool:
    return _exportable(vector) and "LLQ-WRITE-2" in vector.rules and file_limit.available()


SAME, BYTES = ("LLQ-WRITE-6",), ("LLQ-WRITE-1",)

EXPORT_CHECKS = (
    Check("export", ("export",), _exportable, content.export, SAME),
    Check("describe", ("export",), _exportable, content.describe, SAME),
    Check("compute", ("export",), _exportable, content.compute, SAME),
    Check("weights", ("weights",), _exportable, weights, SAME),
    Check("rounding", ("rounding",), _exportable, rounding, SAME),
    Check("repeat", ("export",), _exportable, traces.repeat, BYTES),
    Check("traceless", ("export",), _exportable, traces.traceless, BYTES),
    Check("spare", ("export",), _replacing, refusals.spare, ("LLQ-WRITE-5", "LLQ-WRITE-7")),
    Check("abort", ("export",), _interrupted, refusals.abort, ("LLQ-WRITE-2", "LLQ-WRITE-7")),
    Check("decline", ("export",), _refusable, refusals.decline),
)
