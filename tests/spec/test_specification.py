"""The chapters, the registry of rules, the code and the vectors say the same, joined both ways."""

import ast
import json
import re
from collections import Counter, defaultdict
from typing import Any

import pytest

from conformance.checks.api import CODES, PHASES
from llq_format.metadata import rules_page
from llq_format.metadata.finding_codes import FINDING_CODES, codes_of
from llq_format.metadata.rules import find, registry
from tests.support.repository import ROOT, VECTORS

SPEC = ROOT / "spec"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(SPEC.glob("*.md"))}
CHAPTERS = {name: text for name, text in TEXTS.items() if name != "rules.md"}  # that page is generated
REGISTRY: dict[str, Any] = json.loads((SPEC / "rules.json").read_text(encoding="utf-8"))
STAGES: list[str] = REGISTRY["stages"]
CHECKED = STAGES[: STAGES.index("decode")]  # those that validation goes through
RULE = re.compile(r"^\*\*\[(LLQ-[A-Z]+-\d+)\]\*\* (.+)$", re.MULTILINE)
RULE_ID = re.compile(r"\bLLQ-[A-Z]+-\d+\b")
KEY_WORDS = re.compile(r"\b(MUST|SHALL|SHOULD|REQUIRED|RECOMMENDED|MAY|OPTIONAL)\b")
INDEX: list[dict[str, Any]] = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))["vectors"]

SCHEMAS = ("metadata", "program")

# Rules about behaviour: no package can break them, so they are tested here, by these tests.
BEHAVIOUR = {
    "LLQ-EXT-3": [
        "test_reader.py::test_an_unknown_extension_that_is_used_and_not_required_changes_nothing",
    ],
    "LLQ-READ-1": [
        "test_reader.py::test_the_first_fault_is_that_of_the_earliest_stage",
        "test_reader.py::test_illegal_bytes_are_refused_by_their_rule_although_the_hashes_are_right",
        "test_mutation.py::test_a_forged_index_breaks_a_rule_or_means_what_it_says",
    ],
    "LLQ-READ-2": [
        "test_reader.py::test_sizes_that_would_wrap_are_refused",
        "test_reader.py::test_an_end_beyond_2_to_the_32_does_not_wrap_to_the_start",
    ],
    "LLQ-READ-3": [
        "test_reader.py::test_claims_of_size_are_refused_without_memory_for_them",
        "test_reader.py::test_an_index_that_is_too_long_is_refused_by_its_size_alone",
        "test_canonical_json.py::test_memory_stays_within_a_few_times_the_text",
    ],
    "LLQ-READ-4": [
        "test_reader.py::test_a_changed_byte_is_noticed_before_its_tensor_is_returned",
        "test_reader.py::test_illegal_bytes_are_refused_by_their_rule_although_the_hashes_are_right",
    ],
    "LLQ-WGSL-5": [
        "webgpu/test_tint.py::test_tint_accepts_every_variant_and_the_file_as_it_stands",
    ],
    "LLQ-PROG-22": [
        "test_program.py::test_an_executor_refuses_what_breaks_a_rule_before_it_asks_for_a_device",
        "test_program.py::test_an_executor_refuses_a_file_by_its_length_alone",
        "test_program.py::test_an_executor_refuses_damaged_weights_before_it_runs",
    ],
    "LLQ-PROG-23": [
        "test_program.py::test_each_dispatch_sees_what_those_before_it_wrote",
    ],
    "LLQ-PROG-24": [
        "test_program.py::test_a_variant_is_taken_only_where_the_device_has_its_features",
    ],
    "LLQ-GEN-3": [
        "test_sampled_choice.py::test_the_steps_are_those_of_the_chapter",
        "webgpu/test_kernels_sample.py::test_sample_is_the_exact_samplers_token",
    ],
    "LLQ-WRITE-1": [
        "test_writer.py::test_another_process_in_another_directory_writes_the_same_bytes",
        "test_roundtrip.py::test_what_is_read_and_written_again_is_the_same_byte_for_byte",
    ],
    "LLQ-WRITE-2": [
        "test_writer.py::test_a_kill_in_the_middle_leaves_no_metadata",
        "test_writer.py::test_a_kill_before_any_operation_leaves_all_or_nothing",
        "test_writer.py::test_a_kill_before_any_operation_of_overwriting_loses_neither_package",
    ],
    "LLQ-WRITE-3": [
        "test_writer.py::test_unfit_values_are_refused_and_nothing_is_left",
        "test_writer.py::test_a_weight_refused_while_quantizing_names_the_tensor",
        "test_quantize.py::test_a_weight_that_is_not_finite_is_refused_by_its_place",
        "test_quantize.py::test_a_weight_beyond_every_legal_scale_is_refused_by_its_block",
    ],
    **{
        f"LLQ-WRITE-{number}": [
            "test_exporters.py::test_the_reference_passes",
            "test_exporters.py::test_each_mutant_fails_each_of_its_checks_on_its_rule",
        ]
        for number in (4, 5, 6, 7)
    },
}


# ---- Chapters and registry ----


def stated() -> dict[str, list[tuple[str, str]]]:
    """Return chapter and sentence of every rule paragraph, by rule."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, text in CHAPTERS.items():
        for rule, sentence in RULE.findall(text):
            found[rule].append((name, sentence))
    return found


def test_every_rule_stands_in_one_chapter_in_the_words_of_the_registry() -> None:
    found = stated()
    assert set(found) == set(registry())
    for rule, places in found.items():
        assert [sentence for _, sentence in places] == [find(rule).sentence], places


def test_a_rule_is_a_paragraph_of_its_own() -> None:
    for text in CHAPTERS.values():
        lines = ["", *text.splitlines(), ""]
        for before, line, after in zip(lines, lines[1:], lines[2:], strict=False):
            if RULE.match(line):
                assert before == after == "", line
            else:
                assert "**[LLQ-" not in line, line


def test_every_rule_says_must_or_should_and_only_the_latter_is_a_warning() -> None:
    for rule in registry().values():
        words = set(KEY_WORDS.findall(rule.sentence))
        assert words in ({"MUST"}, {"SHOULD"}), rule.id
        assert (rule.severity == "warning") == (words == {"SHOULD"}), rule.id


def test_key_words_stand_in_rules_alone() -> None:
    convention = (
        "MUST, MUST NOT, SHOULD and MAY are used as RFC 2119 and RFC 8174 define them. Every MUST is a rule"
    )
    assert convention in CHAPTERS["README.md"]
    for name, text in CHAPTERS.items():
        rest = RULE.sub("", text.replace(convention, ""))
        found = [line for line in rest.splitlines() if KEY_WORDS.search(line)]
        assert found == [], name


def test_ids_are_unique_and_numbered_from_one_in_each_area() -> None:
    ids = [entry["id"] for entry in REGISTRY["rules"]]
    assert len(ids) == len(set(ids))
    numbers: dict[str, list[int]] = defaultdict(list)
    for rule in ids:
        area, number = rule.removeprefix("LLQ-").split("-")
        numbers[area].append(int(number))
    assert {area: sorted(held) for area, held in numbers.items()} == {
        area: list(range(1, len(held) + 1)) for area, held in numbers.items()
    }


def test_rules_are_in_the_order_of_their_stages() -> None:
    order = [STAGES.index(rule.stage) for rule in registry().values()]
    assert order == sorted(order)
    assert set(order) == set(range(len(STAGES)))


def test_every_rule_has_a_remedy_and_classes_that_the_overview_names() -> None:
    classes = set(
        re.findall(r"^\| (\w+) \| ", CHAPTERS["README.md"].split("## Conformance classes")[1], re.MULTILINE)
    )
    for rule in registry().values():
        assert rule.remedy.endswith("."), rule.id
        assert rule.classes, rule.id
        assert set(rule.classes) <= classes, rule.id


def test_the_table_of_stages_is_the_registry() -> None:
    rows = re.findall(r"^\| (\d+)\. (\w+) \| [^|]+ \| ([^|]+) \|$", CHAPTERS["validation.md"], re.MULTILINE)
    assert [(int(number), stage) for number, stage, _ in rows] == list(enumerate(CHECKED, 1))
    for _, stage, rules in rows:
        listed = [f"LLQ-{rule}" for rule in rules.split(", ")]
        assert listed == [rule.id for rule in registry().values() if rule.stage == stage]


def test_the_page_of_rules_is_the_one_that_is_generated() -> None:
    assert TEXTS["rules.md"] == rules_page.render()


# ---- Links ----


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = (SPEC / file).resolve() if file else SPEC / name
        assert path.is_file(), target
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), target


def test_a_link_to_a_rule_leads_to_the_chapter_that_states_it() -> None:
    found = stated()
    for name, text in TEXTS.items():
        for rule, target in re.findall(r"\[(?:LLQ-)?([A-Z]+-\d+)\]\(([^)#]+)[^)]*\)", text):
            assert found[f"LLQ-{rule}"][0][0] == target, (name, rule)


def test_the_overview_lists_every_chapter() -> None:
    table = CHAPTERS["README.md"].split("## Chapters")[1].split("##")[0]
    listed = re.findall(r"\]\(([^)]+)\)", table)
    assert sorted(listed) == sorted(set(TEXTS) - {"README.md"})


# ---- Code ----


def literals(folder: str) -> Counter[str]:
    """Return how often each rule stands as a whole string in the code of a folder."""
    found: Counter[str] = Counter()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and RULE_ID.fullmatch(node.value)
            ):
                found[node.value] += 1
    return found


@pytest.mark.parametrize("folder", ["spec", "llq_format", "conformance", "vectors/kit", "vectors/cases"])
def test_every_rule_that_is_mentioned_exists(folder: str) -> None:
    for path in (ROOT / folder).rglob("*"):
        if path.suffix in (".py", ".md", ".json"):
            assert set(RULE_ID.findall(path.read_text(encoding="utf-8"))) <= set(registry()), path


def test_every_rule_of_a_checked_stage_and_no_other_has_findings() -> None:
    """That each code is reported is tested by `test_finding_codes.py`."""
    with_findings = {rule for code in FINDING_CODES.values() for rule in code.rules}
    assert with_findings == {rule.id for rule in registry().values() if rule.stage in CHECKED}


def test_rules_that_a_schema_names_have_findings() -> None:
    for name in SCHEMAS:
        schema = (SPEC / f"schema/{name}.schema.json").read_text(encoding="utf-8")
        assert all(codes_of(rule) for rule in RULE_ID.findall(schema))


def test_the_library_raises_no_rule_that_a_package_cannot_break() -> None:
    raised = {find(rule).stage for rule in literals("llq_format")}
    assert raised <= set(CHECKED)


# ---- Vectors and tests ----


def rules_of_vectors(*kinds: str) -> set[str]:
    """Return the rules that vectors of some kinds are about: of an invalid one its first fault alone."""
    return {
        rule
        for vector in INDEX
        if vector["kind"] in kinds
        for rule in (vector["rules"][:1] if vector["kind"] == "invalid" else vector["rules"])
    }


def rules_of(*stages: str) -> set[str]:
    return {rule.id for rule in registry().values() if rule.stage in stages}


def test_every_rule_that_a_package_can_break_has_a_vector_that_breaks_it() -> None:
    warnings = {rule.id for rule in registry().values() if rule.severity == "warning"}
    assert rules_of(*CHECKED) - warnings - rules_of_vectors("invalid") == set()
    warned = {rule for vector in INDEX if vector["kind"] == "valid" for rule in vector["warnings"]}
    assert warned == warnings


def test_every_rule_about_decoding_has_a_vector_to_decode() -> None:
    assert rules_of("decode") - rules_of_vectors("valid") == set()


def test_every_rule_about_computing_has_a_vector_to_compute() -> None:
    kinds = {vector["kind"] for vector in INDEX} - {"valid", "invalid"}
    assert rules_of("compute") - rules_of_vectors(*kinds) == set()


def test_every_rule_about_the_interface_has_a_vector_that_asks() -> None:
    assert rules_of("interface") - rules_of_vectors("api") == set()


def test_the_table_of_codes_is_the_suites() -> None:
    table = CHAPTERS["api.md"].split("## Errors")[1].split("## Tokenizers")[0]
    cells = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", table, re.MULTILINE)[1:]
    listed = [code for cell in cells for code in re.findall(r"`([a-z-]+)`", cell)]
    assert sorted(listed) == sorted(CODES)


def test_the_phases_are_the_suites() -> None:
    (line,) = re.findall(r"^  phase: (.+);$", CHAPTERS["api.md"], re.MULTILINE)
    assert tuple(re.findall(r'"([a-z]+)"', line)) == PHASES


def test_every_vector_is_about_rules_that_exist() -> None:
    for vector in INDEX:
        assert vector["rules"], vector["id"]
        assert set(vector["rules"]) <= set(registry()), vector["id"]


def test_every_rule_about_behaviour_has_a_test_that_exists() -> None:
    assert set(BEHAVIOUR) == rules_of("behaviour")
    for rule, names in BEHAVIOUR.items():
        for name in names:
            file, function = name.split("::")
            tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
            assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, rule
