"""The JSON Schemas of metadata.json and program.json, and the rules of their keywords."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, TypeChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.specification import read_json

CODE_OF_KEYWORD = {
    "const": ("wrong-constant", "constant"),
    "enum": ("unknown-choice", "choices"),
    "pattern": ("pattern-mismatch", "pattern"),
    "minimum": ("below-minimum", "minimum"),
    "maximum": ("above-maximum", "maximum"),
    "multipleOf": ("not-a-multiple", "divisor"),
    "minItems": ("too-few-items", "minimum"),
    "maxItems": ("too-many-items", "maximum"),
    "minLength": ("text-too-short", "minimum"),
    "maxLength": ("text-too-long", "maximum"),
    "minProperties": ("too-few-members", "minimum"),
    "maxProperties": ("too-many-members", "maximum"),
}
"""Keywords with one value: the code of their violation, and the name of the value in a finding."""


def _is_integer(_checker: TypeChecker, instance: object) -> bool:
    """Return whether a value was written as an integer: the parser makes 4.0 a float."""
    return isinstance(instance, int) and not isinstance(instance, bool)


def _pattern(_v: Any, pattern: str, instance: object, _schema: Any) -> Iterator[ValidationError]:
    """Check a pattern as ECMA-262 reads it: `$` is the end of the text, never before a final newline."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


@cache
def _validator(name: str) -> Any:
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
    strict: Any = extend(  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        Draft202012Validator, validators={"pattern": _pattern}, type_checker=types
    )
    schema = read_json(f"schema/{name}.schema.json")
    return strict(_inlined(schema, schema["$defs"]))


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema with its references replaced by what they mean, which validates four times as fast."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(item, definitions) for name, item in schema.items() if name != "$defs"}


def pointer(path: Any) -> str:
    """Return the JSON pointer (RFC 6901) of a path of member names and indices, in printable ASCII."""
    escaped = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return "".join("/" + ascii(step)[1:-1] for step in escaped)


def check(value: Any) -> list[Finding]:
    """Return the findings of stage `schema`, in order (spec: Metadata, Schema)."""
    errors = _validator("metadata").iter_errors(value)
    findings = [finding for error in errors for finding in _findings(error)]
    return sorted(findings, key=lambda finding: finding.order)


def check_program(value: Any, file: str) -> list[Finding]:
    """Return the breaches of LLQ-PROG-3 and LLQ-PROG-4 in the value of program.json, in order."""
    errors = _validator("program").iter_errors(value)
    findings = [_in_program(finding, file) for error in errors for finding in _findings(error)]
    return sorted(findings, key=lambda finding: finding.order)


def _in_program(finding: Finding, file: str) -> Finding:
    """Return a finding as one of program.json, which has one rule for most of what the metadata has."""
    rule = "LLQ-PROG-4" if finding.rule == "LLQ-PROG-4" else "LLQ-PROG-3"
    return replace(finding, rule=rule, where=replace(finding.where, file=file))


def _findings(error: ValidationError) -> Iterator[Finding]:
    keyword = str(error.validator)
    instance: Any = error.instance
    expected: Any = error.validator_value
    schema: Any = error.schema
    place = Place(pointer=pointer(error.absolute_path))
    if keyword == "additionalProperties":
        known = schema["properties"]
        for name in sorted(set(instance) - set(known)):
            where = Place(pointer=pointer([*error.absolute_path, name]))
            yield Finding("unknown-member", where, {"name": name, "known": sorted(known)})
        return
    if keyword == "required":
        missing = [name for name in expected if name not in instance]
        if f"{missing[0]!r} is a required property" == error.message:  # one error comes for each missing name
            yield from (Finding("missing-member", place, {"name": name}) for name in missing)
        return
    if keyword == "type":
        yield _type_finding(place, instance, expected)
        return
    rule = schema.get("$comment", "LLQ-META-5")
    if keyword == "uniqueItems":
        yield Finding("repeated-item", place, {"value": instance}, rule)
        return
    code, limit = CODE_OF_KEYWORD[keyword]
    yield Finding(code, place, {"value": instance, limit: expected}, rule)


def _type_finding(place: Place, instance: Any, expected: str | list[str]) -> Finding:
    types = [expected] if isinstance(expected, str) else expected
    if isinstance(instance, float) and "integer" in types:
        return Finding("fraction-for-integer", place, {"value": instance})
    return Finding("wrong-type", place, {"value": instance, "types": types})
