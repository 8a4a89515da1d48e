"""The checks, in the order of reports. A capability is checked once a `Check` that needs it is listed."""

from conformance.check import Check
from conformance.checks.decode import decode
from conformance.checks.reject import accept, refuse, withhold, withholdable

CHECKS = (
    Check("decode", ("decode",), lambda vector: bool(vector.tensors), decode),
    Check("accept", ("reject",), lambda vector: vector.valid, accept),
    Check("refuse", ("reject",), lambda vector: not vector.valid, refuse),
    Check("withhold", ("decode", "reject"), withholdable, withhold),
)
