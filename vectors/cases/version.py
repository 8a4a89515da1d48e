"""Invalid: stage version."""

from __future__ import annotations

from typing import Any

from vectors.cases.control import control_raw
from vectors.cases.encoding import replaced
from vectors.kit.package import Package, Sealed
from vectors.kit.registry import invalid

VERSIONS = {
    "0.9": "0.9",
    "1": "1",
    "1.1": "1.1",
    "2.0": "2.0",
    "1.00": "1.00",
    "1.0.0": "1.0.0",
    "1.0 and a newline": "1.0\n",
    "1.0 and a space": "1.0 ",
    "empty": "",
    "v1.0": "v1.0",
    "1.0 in full width": "\uff11.\uff10",
}


@invalid("LLQ-VER-1", cases=VERSIONS)
def version(value: str) -> Package:
    """The version is {}, and MUST be the string 1.0."""
    return control_raw().set("/version", value)


@invalid("LLQ-VER-1")
def version_of_another_schema() -> Sealed:
    """A file of version 2.0 with other members is refused for its version, before the schema."""
    return replaced(b'{"blobs":[],"version":"2.0"}')


REQUIRED: dict[str, Any] = {
    "an unknown extension": ["XX_sparsity"],
    "one of 64 unknown extensions": [f"XX_{index}" for index in range(64)],
}


@invalid("LLQ-EXT-1", cases=REQUIRED)
def required_is(names: list[str]) -> Package:
    """extensions_required names {}: a reader MUST refuse the package."""
    return control_raw().set("/extensions_used", names).set("/extensions_required", names)


MISSHAPEN: dict[str, Any] = {
    "no extension name": ["sparsity"],
    "empty": [""],
    "listed after a number": [1, "XX_sparsity"],
}


@invalid("LLQ-EXT-1", cases=MISSHAPEN)
def required_string_is(names: list[Any]) -> Package:
    """A string in extensions_required is not an extension's name ({}): this is checked before the schema."""
    return control_raw().set("/extensions_required", names)
