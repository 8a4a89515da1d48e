"""The JSON Schemas of metadata.json, program.json and extensions, and the rules of their keywords."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, TypeChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.specification import read_json

_CODE_OF_KEYWORD = {
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

_AFFINE_DATA = ("extensions", "LLQ_attention_affine")


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
    strict: Any = extend(  # type: ignore[no-untyped-call]  # untyped in the stubs
        Draft202012Validator, validators={"pattern": _pattern}, type_checker=types
    )
    schema = read_json(f"schema/{name}.schema.json")
    return strict(_inlined(schema, schema["$defs"]))


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema with resolved references, which validates four times as fast."""
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
    return _sorted_findings("metadata", value)


def check_program(value: Any, file: str) -> list[Finding]:
    """Return the violations of LLQ-PROG-3 and LLQ-PROG-4 in the value of program.json, in order."""
    return _sorted_findings("program", value, file, "LLQ-PROG-3")


def check_attention_affine(value: Any) -> list[Finding]:
    """Return the violations of LLQ-AFFINE-2 in the data of `LLQ_attention_affine`, in order."""
    return _sorted_findings("attention_affine", value, rule="LLQ-AFFINE-2", at=_AFFINE_DATA)


def _sorted_findings(
    name: str, value: Any, file: str | None = None, rule: str = "", at: tuple[str, ...] = ()
) -> list[Finding]:
    """Return the findings of a schema.

    rule: the rule of all violations for which the schema names no rule; by default that of the metadata.
    at: the path of the value in its file.
    """
    errors = _validator(name).iter_errors(value)
    findings = [finding for error in errors for finding in _findings(error, file, rule, at)]
    return sorted(findings, key=lambda finding: finding.order)


def _findings(error: ValidationError, file: str | None, rule: str, at: tuple[str, ...]) -> Iterator[Finding]:
    keyword = str(error.validator)
    instance: Any = error.instance
    expected: Any = error.validator_value
    schema: Any = error.schema
    path = [*at, *error.absolute_path]
    place = Place(pointer=pointer(path), file=file)
    if keyword == "additionalProperties":
        properties = schema["properties"]
        for name in sorted(set(instance) - set(properties)):
            where = Place(pointer=pointer([*path, name]), file=file)
            yield Finding("unknown-member", where, {"name": name, "known": sorted(properties)}, rule)
    elif keyword == "required":
        missing = [name for name in expected if name not in instance]
        if (
            f"{missing[0]!r} is a required property" == error.message
        ):  # the library reports one error for each missing name
            yield from (Finding("missing-member", place, {"name": name}, rule) for name in missing)
    elif keyword == "type":
        yield _type_finding(place, instance, expected, rule)
    else:
        yield _value_finding(place, instance, (keyword, expected), schema.get("$comment", rule))


def _value_finding(place: Place, instance: Any, constraint: tuple[str, Any], rule: str) -> Finding:
    keyword, expected = constraint
    rule = rule or "LLQ-META-5"
    if keyword == "uniqueItems":
        return Finding("repeated-item", place, {"value": instance}, rule)
    code, name = _CODE_OF_KEYWORD[keyword]
    return Finding(code, place, {"value": instance, name: expected}, rule)


def _type_finding(place: Place, instance: Any, expected: str | list[str], rule: str) -> Finding:
    types = [expected] if isinstance(expected, str) else expected
    if isinstance(instance, float) and "integer" in types:
        return Finding("fraction-for-integer", place, {"value": instance}, rule)
    return Finding("wrong-type", place, {"value": instance, "types": types}, rule)
