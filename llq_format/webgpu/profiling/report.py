"""A profile as JSON (spec/schema/profile.schema.json): its members and its reader."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft202012Validator

from llq_format.metadata.specification import read_json

FORMAT = "llq-profile"
VERSION = "1.0"
_DIGITS = 6


class ProfileError(ValueError):
    """A file is not a profile."""


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """A profile; `value` satisfies the schema and may have members that the schema does not name."""

    value: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "ProfileReport":
        """Read a file. Raises ProfileError if it is not a profile, OSError if it cannot be read."""
        try:
            value = json.loads(path.read_bytes(), parse_constant=_refuse)
        except ValueError as error:
            raise ProfileError(f"{path} is not JSON: {error}") from None
        faults = check(value)
        if faults:
            raise ProfileError(f"{path} is not a profile (spec/schema/profile.schema.json): {faults[0]}")
        return cls(value)

    def to_json(self) -> dict[str, Any]:
        """Return the root object."""
        return dict(self.value)

    def to_bytes(self) -> bytes:
        """Return the file."""
        return (json.dumps(self.value, indent=1, allow_nan=False) + "\n").encode()


def check(value: Any) -> list[str]:
    """Return the errors of a profile, each with its place."""
    errors = sorted(_validator().iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    return [f"at {error.json_path}: {error.message[:200]}" for error in errors]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(read_json("schema/profile.schema.json"))


@dataclass(frozen=True, slots=True)
class Timed:
    """A dispatch and its times: start and duration in the pictured run, and the typical duration."""

    label: str
    operation: str
    entry_point: str
    layer: int | None
    workgroups: int
    weight_bytes: float
    start_ms: float | None
    duration_ms: float | None
    typical_ms: float | None


def totals(timed: Sequence[Timed], member: Literal["operation", "entry_point"]) -> list[dict[str, Any]]:
    """Return the totals of dispatches of the same operation or entry point, the longest first."""
    other_member = "entry_point" if member == "operation" else "operation"
    kinds: dict[str, list[Timed]] = {}
    for dispatch in timed:
        kinds.setdefault(getattr(dispatch, member), []).append(dispatch)
    total_ms = sum(dispatch.typical_ms or 0 for dispatch in timed)
    rows = []
    for name, dispatches in kinds.items():
        complete = all(dispatch.typical_ms is not None for dispatch in dispatches)
        ms = sum(dispatch.typical_ms or 0 for dispatch in dispatches) if complete else None
        weight_bytes = round(sum(dispatch.weight_bytes for dispatch in dispatches))
        rows.append(
            {
                member: name,
                f"{other_member}s": sorted({getattr(dispatch, other_member) for dispatch in dispatches}),
                "dispatches": len(dispatches),
                "workgroups": sum(dispatch.workgroups for dispatch in dispatches),
                "ms": rounded(ms),
                "share": rounded(ms / total_ms) if ms is not None and total_ms else None,
                "weight_bytes": weight_bytes,
                "weight_gb_per_s": gb_per_s(weight_bytes, ms),
            }
        )
    return sorted(rows, key=lambda row: (-(row["ms"] or 0), row[member]))


def timeline(timed: Sequence[Timed]) -> list[dict[str, Any]]:
    """Return the dispatches of the pictured run that were timed."""
    return [
        {
            "label": dispatch.label,
            "operation": dispatch.operation,
            "entry_point": dispatch.entry_point,
            "layer": dispatch.layer,
            "workgroups": dispatch.workgroups,
            "start_ms": rounded(dispatch.start_ms),
            "duration_ms": rounded(dispatch.duration_ms),
        }
        for dispatch in timed
        if dispatch.start_ms is not None and dispatch.duration_ms is not None
    ]


def gb_per_s(bytes_: float, ms: float | None) -> float | None:
    """Return 10^9 bytes a second, or None where there is no time or nothing was read."""
    return rounded(bytes_ / ms / 1e6) if ms and bytes_ else None


def rounded(value: float | None) -> float | None:
    """Return a time in ms to the nanosecond."""
    return None if value is None else round(value, _DIGITS)
