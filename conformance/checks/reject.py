"""Checks `accept`, `refuse` and `withhold`: verdicts on packages, and whether the reader obeys them."""

from pathlib import Path

from ..container.package import metadata, tensor_names
from ..core.check import INSTEAD, Failure
from ..core.rules import quote
from ..core.runtime import Declined, Runtime
from ..core.vectors import Vector
from ..diagnosis.rule_status import CHECKS_THE_INDEX, rule_of_withholding

WITHHELD = frozenset(
    {
        *("LLQ-REC-1", "LLQ-REC-2", "LLQ-REC-3", "LLQ-REC-4", "LLQ-REC-5", "LLQ-RAW-1", "LLQ-HASH-1"),
        *("LLQ-DEQ-1", "LLQ-DEQ-2", "LLQ-PACK-1", "LLQ-RAW-2", "LLQ-MODEL-6"),
    }
)
"""Rules for the bytes of a part: a reader checks them before it returns values of the part (READ-4)."""

ANY_TENSOR = "lm_head"
"""The tensor that is asked for if the metadata is too broken to name one."""


def accept(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Expect that a conforming package is accepted, regardless of warnings."""
    verdict = runtime.validate(package)
    if verdict.accepted:
        return None
    headline = f"refused a conforming package for {verdict.rules[0] if verdict.rules else 'no rule'}"
    lines = [
        f"accept {vector.id}: {headline}",
        f"  vector     {vector.description}",
        *(f"  reported   {quote(rule)}" for rule in verdict.rules),
        "  The package violates no rule of severity error.",
    ]
    return Failure(headline, "\n".join(lines), verdict.rules[:1] or ("LLQ-READ-1",))


def refuse(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Expect that an invalid package is refused and that the rule of the first error is reported first."""
    return _refused(runtime, vector, package, "refuse", vector.rules[0])


def refuse_extension(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Expect that a package is refused because it requires an extension that the runtime lacks (EXT-1)."""
    return _refused(runtime, vector, package, "accept", INSTEAD[0])


def _refused(runtime: Runtime, vector: Vector, package: Path, check: str, fault: str) -> Failure | None:
    verdict = runtime.validate(package)
    if verdict.rules[:1] == (fault,) and not verdict.accepted:
        return None
    lines = [f"  vector     {vector.description}", f"  breaks     {quote(fault)}"]
    if verdict.accepted:
        headline = f"accepted a package that breaks {fault}"
    elif not verdict.rules:
        headline = f"refused without naming {fault}"
        lines.append(f"  rule       {quote('LLQ-READ-1')}")
    else:
        headline = f"refused for {verdict.rules[0]}, not for {fault}"
        lines += [
            f"  reported   {quote(verdict.rules[0])}",
            f"  all        {', '.join(verdict.rules)}",
            f"  rule       {quote('LLQ-READ-1')}",
        ]
    return Failure(headline, "\n".join([f"{check} {vector.id}: {headline}", *lines]), (fault,))


def withholdable(vector: Vector) -> bool:
    """Whether the first error of the vector is in the bytes of a part, or concerns every tensor."""
    return vector.kind == "invalid" and (vector.rules[0] in WITHHELD or CHECKS_THE_INDEX in vector.rules)


def withhold(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Expect that decoding is declined: of any tensor, or because the bytes of a part break a rule.

    A vector lists the damaged tensors if others are sound; without a list, one declined tensor is enough.
    """
    fault = vector.rules[0]
    rule = rule_of_withholding(vector.rules)
    damaged = _some_name(package) if rule == CHECKS_THE_INDEX else vector.members.get("damaged")
    names = damaged or tensor_names(package)
    decoded = [name for name in names if not _declined(runtime, package, name)]
    if not decoded or (not damaged and len(decoded) < len(names)):
        return None
    headline = f"decoded a package that breaks {fault}"
    lines = [
        f"withhold {vector.id}: {headline}",
        f"  vector     {vector.description}",
        f"  breaks     {quote(fault)}",
        f"  decoded    {', '.join(decoded)}",
        f"  rule       {quote(rule)}",
    ]
    return Failure(headline, "\n".join(lines), (rule,))


def _some_name(package: Path) -> list[str]:
    """Return the name of the first tensor that has one, or of a tensor that many packages have."""
    try:
        tensors = metadata(package)["tensors"]
        return [next(tensor["name"] for tensor in tensors if isinstance(tensor["name"], str))]
    except (OSError, ValueError, LookupError, TypeError, RecursionError, StopIteration):
        return [ANY_TENSOR]


def _declined(runtime: Runtime, package: Path, name: str) -> bool:
    """Return whether the runtime declines to decode a tensor."""
    try:
        runtime.decode(package, name)
    except Declined:
        return True
    return False
