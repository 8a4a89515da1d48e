"""The tables of annex Kernels agree with the module, the planner and the variants."""

import re

import pytest

from llq_format.validation.module import Section, check_module
from llq_format.webgpu.planning.bindings import accesses, binding_names
from llq_format.webgpu.planning.module import kernel_sections, write_module
from llq_format.webgpu.planning.variants import SHARED, VARIANTS
from tests.support.repository import SPEC

ANNEX = (SPEC / "kernels.md").read_text(encoding="utf-8")
SECTIONS, _ = check_module(write_module(kernel_sections(affine=True)).encode(), "m.wgsl")
ENTRY_POINTS = {name: section for section in SECTIONS for name in section.entry_points}
NONE = {"choose"}
"""Entry points that take no parameters, though their section declares some."""


def rows() -> dict[str, list[str]]:
    """Return the cells of the table of entry points after the first cell, by entry point."""
    table = ANNEX.split("## Entry points of the module")[1]
    cells_by_name = {}
    for line in re.findall(r"^\|( `.+)\|$", table, re.MULTILINE):
        first, *cells = _cells(line)
        cells_by_name.update(dict.fromkeys(re.findall(r"`(\w+)`", first), cells))
    return cells_by_name


def parameters(entry_point: str) -> list[str]:
    """Return the names of the parameters that the section of an entry point reads."""
    text = "".join(section.text for section in SECTIONS)
    structs = {
        name: re.findall(r"^\s*(\w+): (?:u32|i32|f32),", body, re.MULTILINE)
        for name, body in re.findall(r"^struct (\w+) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    }
    uniforms = dict(re.findall(r"var<uniform> (\w+): (\w+);", text))
    references = re.findall(r"\b\w+_parameters\b", ENTRY_POINTS[entry_point].text)
    own = f"{entry_point}_parameters"
    return structs[uniforms[own if own in references else references[0]]]


def test_the_table_lists_every_entry_point_and_no_other() -> None:
    assert set(rows()) == set(ENTRY_POINTS)


@pytest.mark.parametrize("entry_point", sorted(ENTRY_POINTS))
def test_bindings_and_parameters_are_those_of_the_module(entry_point: str) -> None:
    bindings, words, *_ = rows()[entry_point]
    access = {"read": "r", "read_write": "rw"}
    names = zip(binding_names(entry_point), accesses(entry_point), strict=True)
    assert bindings.split(", ") == [f"{name} {access[kind]}" for name, kind in names]
    assert words.split(", ") == ([""] if entry_point in NONE else parameters(entry_point))


def test_every_section_is_an_alternative_shared_or_has_entry_points() -> None:
    alternatives = set(re.findall(r"`((?:dot|half|reduce)_\w+)`", ANNEX))
    for section in SECTIONS:
        assert section.entry_points or section.name in alternatives | set(SHARED), section.name


@pytest.mark.parametrize(
    ("function", "operation", "sections"),
    [
        ("exp", "e^", {"activate", "route", "sample", "softmax"}),
        ("log", "ln", {"rope"}),
        ("inverseSqrt", "inverseSqrt", {"rounding"}),
    ],
)
def test_inexact_functions_are_in_the_table_of_domains(
    function: str, operation: str, sections: set[str]
) -> None:
    call = re.compile(rf"\b{function}\(")
    assert {section.name for section in SECTIONS if call.search(_code(section))} == sections
    domains = ANNEX.split("## Domains of operations")[1].split("\n## ")[0]
    assert operation in domains


def test_kernels_use_no_function_of_wide_error() -> None:
    calls = {name for section in SECTIONS for name in re.findall(r"\b(\w+)\(", _code(section))}
    inherited = {"pow", "tanh", "sinh", "cosh", "sqrt", "exp2", "log2", "sin", "cos", "tan", "atan", "atan2"}
    narrowing = {"pack2x16float", "quantizeToF16", "pack4x8snorm", "f16"}
    assert not calls & (inherited | narrowing)


def _code(section: Section) -> str:
    return re.sub(r"//.*", "", section.text)


def test_the_table_of_variants_is_that_of_the_planner() -> None:
    table = ANNEX.split("| variant | features |")[1].split("\n\n")[0]
    lines = [_cells(line) for line in re.findall(r"^\|( `.+)\|$", table, re.MULTILINE)]
    stated = {first.strip("`"): tuple(map(_words, cells)) for first, *cells in lines}
    portable = {VARIANTS[0].dot, VARIANTS[0].half, VARIANTS[0].reduce}
    for variant in VARIANTS:
        own = {variant.dot, variant.half, variant.reduce} - portable
        expected = (set(variant.features), set(variant.language), own)
        assert stated[variant.name] == expected


def _cells(line: str) -> list[str]:
    """Return the cells of a row of a table, a bar within one being escaped."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]


def _words(cell: str) -> set[str]:
    return set(re.findall(r"`([\w-]+)`", cell))
