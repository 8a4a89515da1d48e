"""Invalid: each keyword of both schemas, violated alone. The packages are changes of the controls."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vectors.cases.control import control_experts, control_files
from vectors.kit.canonical import canonical
from vectors.kit.package import ZEROS, Package, Sealed, digest_of
from vectors.kit.registry import invalid
from vectors.kit.schema_breach import Breach, Repetition, breaches
from vectors.kit.splice import Step, applied, splice, spliced

if TYPE_CHECKING:
    from vectors.kit.schema_sites import Steps

Json = Any
SCHEMAS = Path(__file__).parents[2] / "spec/schema"

DEFINITIONS = {"model", "layer", "attention", "ffn", "part", "token_id", "tokenizer"}
"""Definitions of the schema of metadata.json whose keywords are violated here; `schema` has the others."""

SLOW = "a reader needs seconds for this number of items"
UNREACHABLE: dict[tuple[str, Steps], str] = {
    ("metadata", ("properties", "version", "const")): "another string violates VER-1, of an earlier stage",
    ("metadata", ("properties", "shards", "maxItems")): SLOW,
    ("metadata", ("properties", "tensors", "maxItems")): SLOW,
    ("metadata", ("$defs", "tensor", "properties", "parts", "maxItems")): SLOW,
    ("program", ("properties", "weights", "maxProperties")): SLOW,
    ("program", ("$defs", "pass", "maxItems")): "262,145 dispatches are longer than PROG-1 allows",
}
"""Keywords that no vector violates, and why."""

CONTROLS = {"metadata": "control-experts", "program": "control-files"}
"""The valid vectors whose packages are changed."""


@cache
def control(name: str) -> tuple[Package, Sealed]:
    """Return the control that a schema's file is taken from, and its files."""
    package = control_experts() if name == "metadata" else control_files()
    return package, package.seal()


def schema(name: str) -> dict[str, Json]:
    """Return a schema of the specification."""
    value: dict[str, Json] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return value


def metadata_rule(breach: Breach) -> str:
    """Return the rule of a keyword of metadata.json, as META-6 states."""
    rules = {"additionalProperties": "LLQ-META-1", "required": "LLQ-META-2"}
    rules |= dict.fromkeys(("type", "$ref"), "LLQ-META-3")
    return rules.get(breach.keyword, breach.comment or "LLQ-META-5")


def program_rule(breach: Breach) -> str:
    """Return the rule of a keyword of program.json, as PROG-26 states."""
    by_keyword = breach.keyword in {"additionalProperties", "required", "type", "$ref"}
    return "LLQ-PROG-3" if by_keyword else breach.comment or "LLQ-PROG-3"


def insertion(document: Json, repetition: Repetition) -> int:
    """Return the byte of canonical JSON at which the array or object of a repetition begins to hold items."""
    parent = document = json.loads(json.dumps(document))
    for step in repetition.steps:
        parent = parent[step]
    mark = '"":0,' if isinstance(parent, dict) else '"<mark>",'
    if isinstance(parent, dict):
        parent[""] = 0
    else:
        parent.insert(0, "<mark>")
    text = canonical(document)
    return len(text[: text.index(mark)].encode())


def first_step(file: str, breach: Breach) -> Step | None:
    """Return the splice of a file whose breach is a repetition."""
    if breach.repetition is None:
        return None
    repetition = breach.repetition
    return splice(file, insertion(breach.document, repetition), 0, repetition.text, repetition.count)


@cache
def all_breaches(name: str) -> tuple[Breach, ...]:
    """Return the breaches of a schema that vectors are made of."""
    text = control(name)[1].files[f"{name}.json"]
    found = breaches(schema(name), json.loads(text))
    return tuple(breach for breach in found if chosen(name, breach.place))


def chosen(name: str, place: Steps) -> bool:
    """Return whether a keyword is violated here."""
    own = name == "program" or (place[0] == "$defs" and place[1] in DEFINITIONS)
    return own and (name, place) not in UNREACHABLE


def cases(name: str, rule: str) -> dict[str, Breach]:
    """Return the breaches of a schema that violate a rule, by the words of their places."""
    rule_of = {"metadata": metadata_rule, "program": program_rule}[name]
    return {breach.words: breach for breach in all_breaches(name) if rule_of(breach) == rule}


def metadata_breaks(breach: Breach) -> Sealed:
    """metadata.json violates the keyword {} of its schema, and no other keyword."""
    package, old = control("metadata")
    first = first_step("metadata.json", breach)
    if first is None:
        changed = replace(package, metadata={**breach.document, "digest": ZEROS})
        return spliced(CONTROLS["metadata"], old, changed.seal())
    text = applied(old.files["metadata.json"], first)
    digest = breach.document["digest"].encode()
    new_digest = digest_of(text.replace(digest, ZEROS.encode(), 1))
    second = splice("metadata.json", text.index(digest), len(digest), new_digest)
    files = {**old.files, "metadata.json": applied(text, second)}
    return Sealed(files, old.tensors, [first, second], CONTROLS["metadata"])


def program_breaks(breach: Breach) -> Sealed:
    """program.json violates the keyword {} of its schema, and no other keyword."""
    package, old = control("program")
    first = first_step("program.json", breach)
    text = canonical(breach.document).encode()
    changed = deepcopy(package).attach("program", "program.json", applied(text, first) if first else text)
    return spliced(CONTROLS["program"], old, changed.seal(), first)


for rule_id in ("LLQ-META-1", "LLQ-META-2", "LLQ-META-3", "LLQ-META-5"):
    invalid(rule_id, cases=cases("metadata", rule_id))(metadata_breaks)
for rule_id in ("LLQ-PROG-3", "LLQ-PROG-4"):
    invalid(rule_id, cases=cases("program", rule_id))(program_breaks)
