"""Findings: codes, named values, and the texts that are made of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llq_format import Finding
from llq_format.metadata import finding_codes
from llq_format.metadata.finding_codes import FINDING_CODES, codes_of, find_code
from llq_format.metadata.findings import Place
from llq_format.metadata.message_template import MessageTemplate, portable, shown
from llq_format.metadata.rules import registry

PLACE = Place(file="metadata.json")
KEBAB_CASE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def test_codes_are_in_kebab_case_and_their_values_in_snake_case() -> None:
    for name, code in FINDING_CODES.items():
        assert name == code.name
        assert KEBAB_CASE.fullmatch(name)
        assert all(SNAKE_CASE.fullmatch(value) for value in code.names)


def test_no_code_is_listed_twice() -> None:
    listed = re.findall(r'_code\(\s*"([^"]+)"', Path(finding_codes.__file__).read_text(encoding="utf-8"))
    assert listed == list(FINDING_CODES)
    assert all(len(set(code.rules)) == len(code.rules) for code in FINDING_CODES.values())


def test_codes_belong_to_rules_that_a_package_can_break() -> None:
    assert {rule for code in FINDING_CODES.values() for rule in code.rules} <= set(registry())
    assert codes_of("LLQ-READ-1") == ()
    assert [code.name for code in codes_of("LLQ-MODEL-2")] == [
        "qk-norm-without-rope",
        "temperature-with-rope",
    ]


def test_the_texts_are_made_of_the_values() -> None:
    finding = Finding("part-offset-not-aligned", PLACE, {"offset": 513, "alignment": 256})
    assert (finding.rule, finding.found, finding.expected) == (
        "LLQ-PART-4",
        "offset 513",
        "a multiple of 256",
    )
    assert finding.to_json()["code"] == "part-offset-not-aligned"
    assert finding.to_json()["values"] == {"offset": 513, "alignment": 256}


def test_a_violation_of_a_rule_by_reference_names_both_rules() -> None:
    finding = Finding("duplicate-member", Place(file="program.json"), {"name": "a"}, "LLQ-PROG-2")
    assert finding.rule == "LLQ-PROG-2"
    assert finding.found == "two members 'a' (LLQ-JSON-3)"


@pytest.mark.parametrize("values", [{}, {"name": "a", "other": 1}, {"other": 1}])
def test_values_that_the_texts_do_not_name_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="code duplicate-member has values"):
        Finding("duplicate-member", PLACE, values)


def test_a_code_is_in_the_catalogue_and_belongs_to_the_rule() -> None:
    with pytest.raises(KeyError):
        Finding("no-such-code", PLACE)
    with pytest.raises(ValueError, match="code byte-order-mark does not belong to rule LLQ-JSON-2"):
        Finding("byte-order-mark", PLACE, {}, "LLQ-JSON-2")


def test_findings_are_equal_and_hashable_by_their_content() -> None:
    first, second = (Finding("duplicate-member", PLACE, {"name": name}) for name in "ab")
    assert first == Finding("duplicate-member", PLACE, {"name": "a"})
    assert first != second
    assert len({first, second, Finding("duplicate-member", PLACE, {"name": "a"})}) == 2


# ---- Templates ----


def test_a_noun_has_the_number_of_its_count() -> None:
    template = MessageTemplate("{size:# byte}")
    assert [template.render({"size": size}) for size in (0, 1, 2)] == ["0 bytes", "1 byte", "2 bytes"]
    assert template.plain == "{size} bytes"


def test_lists_are_joined() -> None:
    template = MessageTemplate("{a:or}; {b:,}")
    assert template.render({"a": ["x", "y"], "b": [1, None]}) == "x or y; 1, null"
    assert template.plain == "{a}; {b}"


def test_a_quoted_value_is_short_printable_ascii() -> None:
    template = MessageTemplate("a member {name!a}")
    assert template.render({"name": "\x1b[31m\u202e"}) == r"a member '\x1b[31m\u202e'"
    assert template.plain == "a member {name}"
    assert shown("a" * 100) == "'" + "a" * 78 + "… (102 characters)"
    assert [shown(value) for value in (None, True, 4.0, ["\x7f"])] == ["null", "true", "4.0", '["\\u007f"]']


def test_values_in_json_are_short_and_free_of_lone_surrogates() -> None:
    assert portable("a\ud800") == "a\\ud800"
    assert portable("é" * 80) == "é" * 80
    assert portable("é" * 81) == "é" * 79 + "…"
    assert portable("\ud800" * 80) == "\\ud800" * 13 + "\\…"
    assert portable(["a", None]) == ["a", None]
    assert portable(("a",)) == ["a"]
    assert portable({"a": [0] * 100}) == '{"a": [' + "0, " * 24 + "…"
    assert [portable(value) for value in (None, True, 1, 0.5)] == [None, True, 1, 0.5]


def test_the_explanation_of_a_code_shows_bare_names() -> None:
    for code in FINDING_CODES.values():
        for template in (code.found, code.expected):
            placeholders = re.findall(r"\{(.*?)\}", template.plain)
            assert tuple(placeholders) == template.names
    assert find_code("wrong-type").expected.plain == "type {types}"
    json.dumps([code.found.plain for code in FINDING_CODES.values()])
