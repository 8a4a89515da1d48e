"""The chapters, the registry of rules, the code and the vectors agree, compared in both directions."""

import ast
import json
import re
from collections import Counter, defaultdict
from typing import Any

import pytest

from conformance.checks.api_codes import CODES, PHASES
from llq_format.metadata import rules_page
from llq_format.metadata.finding_codes import FINDING_CODES, codes_of
from llq_format.metadata.rules import find, registry
from tests.support.chapters import CHAPTERS, TEXTS, blocks, rules_of_chapter
from tests.support.repository import ROOT, SPEC, VECTORS

REGISTRY: dict[str, Any] = json.loads((SPEC / "rules.json").read_text(encoding="utf-8"))
STAGES: list[str] = REGISTRY["stages"]
CHECKED = STAGES[: STAGES.index("decode")]  # those that validation goes through
RULE_ID = re.compile(r"\bLLQ-[A-Z]+-\d+\b")
KEY_WORD_OF_KIND = {
    "requirement": "MUST",
    "procedure": "MUST",
    "recommendation": "SHOULD",
    "permission": "MAY",
}
SEVERITY_OF_KIND = {
    "requirement": "error",
    "procedure": "error",
    "recommendation": "warning",
    "permission": "none",
}
KEY_WORDS = re.compile(r"\b(MUST|SHALL|SHOULD|REQUIRED|RECOMMENDED|MAY|OPTIONAL)\b")
INDEX: list[dict[str, Any]] = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))["vectors"]

SCHEMAS = ("metadata", "program", "attention_affine")

# Rules about behaviour: no package can break them, so they are tested here, by these tests.
BEHAVIOUR = {
    "LLQ-EXT-3": [
        "llq_format/package/test_reader.py::test_an_unknown_extension_that_is_used_and_not_required_changes_nothing",
    ],
    "LLQ-META-8": ["llq_format/package/test_reader.py::test_extras_change_nothing"],
    "LLQ-PKG-16": [
        "llq_format/package/test_system_failures.py::test_a_file_that_the_system_does_not_read_is_not_a_violation",
    ],
    "LLQ-READ-1": [
        "llq_format/package/test_reader.py::test_the_first_error_is_of_the_earliest_stage",
        "llq_format/package/test_reader.py::test_illegal_bytes_are_refused_by_their_rule_although_the_hashes_are_right",
        "llq_format/validation/test_damaged_packages.py::test_a_forged_index_breaks_a_rule_or_means_what_it_says",
    ],
    "LLQ-READ-2": [
        "llq_format/package/test_reader.py::test_sizes_that_would_wrap_are_refused",
        "llq_format/package/test_reader.py::test_an_end_above_2_to_the_32_does_not_wrap_to_the_start",
    ],
    "LLQ-READ-3": [
        "llq_format/package/test_reader.py::test_claims_of_size_are_refused_without_memory_for_them",
        "llq_format/package/test_reader.py::test_an_index_that_is_too_long_is_refused_by_its_size_alone",
        "llq_format/metadata/test_canonical_json.py::test_memory_stays_within_a_few_times_the_text",
    ],
    "LLQ-AFFINE-11": [
        "conformance/operations/test_affine.py::test_legal_executions_are_within_the_bounds",
        "conformance/operations/test_affine.py::test_a_trace_blames_the_operation_that_is_wrong",
    ],
    "LLQ-EXT-5": [
        "llq_format/exporting/checkpoint/test_qwen.py::test_the_package_requires_the_extension",
    ],
    "LLQ-NUM-16": [
        "conformance/operations/test_walk.py::test_legal_executions_are_within_the_bounds",
        "conformance/diagnosis/test_localisation.py::test_a_trace_blames_the_operation_that_is_wrong",
    ],
    "LLQ-READ-4": [
        "llq_format/package/test_reader.py::test_a_changed_byte_is_noticed_before_its_tensor_is_returned",
        "llq_format/package/test_reader.py::test_illegal_bytes_are_refused_by_their_rule_although_the_hashes_are_right",
    ],
    "LLQ-READ-7": [
        "llq_format/package/test_reader.py::test_a_changed_byte_is_noticed_before_its_tensor_is_returned",
        "llq_format/package/test_reader.py::test_a_shard_that_shrinks_after_opening_is_refused",
    ],
    "LLQ-READ-10": [
        "llq_format/package/test_system_failures.py::test_a_lack_of_memory_is_not_a_violation",
    ],
    "LLQ-WGSL-5": [
        "llq_format/webgpu/kernels/test_tint.py::test_tint_accepts_every_variant_and_the_unchanged_file",
        "llq_format/webgpu/execution/test_executor_devices.py::test_a_module_of_a_package_that_does_not_compile_is_a_violation",
    ],
    "LLQ-PROG-22": [
        "llq_format/validation/test_program.py::test_an_executor_refuses_what_breaks_a_rule_before_it_asks_for_a_device",
        "llq_format/validation/test_program.py::test_an_executor_refuses_a_file_by_its_length_alone",
        "llq_format/validation/test_program.py::test_an_executor_refuses_damaged_weights_before_it_runs",
    ],
    "LLQ-PROG-23": [
        "llq_format/validation/test_program.py::test_each_dispatch_sees_the_writes_of_earlier_dispatches",
    ],
    "LLQ-PROG-24": [
        "llq_format/validation/test_program.py::test_a_variant_is_chosen_only_if_the_device_has_its_features",
    ],
    "LLQ-PROG-32": [
        "llq_format/validation/test_program.py::test_a_variant_is_chosen_only_if_the_device_has_its_features",
        "llq_format/webgpu/execution/test_executor_devices.py::test_a_variant_that_computes_wrongly_is_passed_over",
    ],
    "LLQ-PROG-50": [
        "llq_format/webgpu/execution/test_executor_devices.py::test_generation_continues_after_one_loss",
        "llq_format/webgpu/execution/test_executor_devices.py::test_a_lack_of_memory_reports_the_memory_needed",
    ],
    "LLQ-GEN-9": [
        "llq_format/reference/test_sampled_choice.py::test_what_is_negative_or_not_finite_is_refused",
    ],
    "LLQ-GEN-10": [
        "llq_format/reference/test_sampled_choice.py::test_every_top_k_and_every_seed_is_accepted",
        "llq_format/webgpu/execution/test_sampling.py::test_words_hold_every_seed_and_the_largest_top_k",
    ],
    "LLQ-GEN-11": [
        "llq_format/reference/test_adjusted_choice.py::test_the_steps_are_those_of_the_chapter",
    ],
    "LLQ-GEN-13": [
        "llq_format/reference/test_adjusted_choice.py::test_an_adjustment_out_of_range_is_refused",
        "llq_format/reference/test_adjusted_choice.py::test_a_min_p_out_of_range_is_refused",
    ],
    "LLQ-GEN-14": [
        "llq_format/reference/test_adjusted_choice.py::test_log_probabilities_are_those_of_a_softmax",
    ],
    "LLQ-GEN-3": [
        "llq_format/reference/test_sampled_choice.py::test_the_steps_are_those_of_the_chapter",
        "llq_format/webgpu/kernels/test_sample.py::test_sample_is_the_exact_samplers_token",
    ],
    "LLQ-WRITE-1": [
        "llq_format/package/test_writer.py::test_another_process_in_another_directory_writes_the_same_bytes",
        "llq_format/package/test_roundtrip.py::test_what_is_read_and_written_again_is_the_same_byte_for_byte",
    ],
    "LLQ-WRITE-2": [
        "llq_format/package/test_writer.py::test_a_kill_in_the_middle_leaves_no_metadata",
        "llq_format/package/test_writer.py::test_a_kill_before_any_operation_leaves_all_or_nothing",
        "llq_format/package/test_writer.py::test_a_kill_before_any_operation_of_overwriting_loses_neither_package",
    ],
    "LLQ-WRITE-8": [
        "spec/test_specification_examples.py::test_the_shard_of_the_worked_example_is_the_librarys",
    ],
    "LLQ-WRITE-3": [
        "llq_format/package/test_writer.py::test_unfit_values_are_refused_and_nothing_is_left",
        "llq_format/package/test_writer.py::test_a_weight_refused_while_quantizing_names_the_tensor",
        "llq_format/format/test_quantize.py::test_a_weight_that_is_not_finite_is_refused_by_its_place",
        "llq_format/format/test_quantize.py::test_a_weight_above_every_legal_scale_is_refused_by_its_block",
    ],
    **{
        f"LLQ-WRITE-{number}": [
            "conformance/exporters/test_exporters.py::test_the_reference_passes",
            "conformance/exporters/test_exporters.py::test_each_mutant_fails_each_of_its_checks_on_its_rule",
        ]
        for number in (4, 5, 6, 7)
    },
}

UNTESTABLE: dict[str, str] = {}
"""Rules about behaviour that no test can show, with the reason."""


# ---- Chapters and registry ----


def stated() -> dict[str, list[tuple[str, str]]]:
    """Return chapter and sentence of every rule paragraph, by rule."""
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, text in CHAPTERS.items():
        for rule, sentences in rules_of_chapter(text).items():
            places[rule].append((name, sentences))
    return places


def test_every_rule_is_in_one_chapter_in_the_words_of_the_registry() -> None:
    statements = stated()
    assert set(statements) == set(registry())
    for rule, places in statements.items():
        assert [sentence for _, sentence in places] == [find(rule).sentence], places


def test_a_rule_begins_a_paragraph() -> None:
    for name, text in CHAPTERS.items():
        for block in blocks(text):
            for line in block.lines[1:] if block.kind == "rule" else block.lines:
                assert "**[LLQ-" not in line, (name, line)


def test_the_kind_of_a_rule_is_that_of_its_key_word() -> None:
    for rule in registry().values():
        assert set(KEY_WORDS.findall(rule.sentence)) == {KEY_WORD_OF_KIND[rule.kind]}, rule.id
        assert rule.severity == SEVERITY_OF_KIND[rule.kind], rule.id


def test_packages_can_violate_requirements_and_recommendations_alone() -> None:
    kinds = {rule.kind for rule in registry().values() if rule.stage in CHECKED}
    assert kinds == {"requirement", "recommendation"}


def test_key_words_are_used_in_rules_alone() -> None:
    for name, text in CHAPTERS.items():
        definition = re.compile(r"(?s)\n## Conventions\n.*?(?=\n## )" if name == "README.md" else r"(?!)")
        informative = [block for block in blocks(definition.sub("", text)) if block.kind != "rule"]
        lines = [line for block in informative for line in block.lines]
        assert [line for line in lines if KEY_WORDS.search(line)] == [], name


def test_ids_are_unique_and_numbered_from_one_in_each_area() -> None:
    ids = [entry["id"] for entry in REGISTRY["rules"]]
    assert len(ids) == len(set(ids))
    numbers: dict[str, list[int]] = defaultdict(list)
    for rule in ids:
        area, number = rule.removeprefix("LLQ-").split("-")
        numbers[area].append(int(number))
    assert {area: sorted(present) for area, present in numbers.items()} == {
        area: list(range(1, len(present) + 1)) for area, present in numbers.items()
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
    statements = stated()
    for name, text in TEXTS.items():
        for rule, target in re.findall(r"\[(?:LLQ-)?([A-Z]+-\d+)\]\(([^)#]+)[^)]*\)", text):
            assert statements[f"LLQ-{rule}"][0][0] == target, (name, rule)


def test_the_overview_lists_every_chapter() -> None:
    table = CHAPTERS["README.md"].split("## Chapters")[1].split("##")[0]
    listed = re.findall(r"\]\(([^)]+)\)", table)
    assert sorted(listed) == sorted(set(TEXTS) - {"README.md"})


# ---- Code ----


def literals(folder: str) -> Counter[str]:
    """Return how often each rule appears as a whole string in the code of a folder."""
    literals: Counter[str] = Counter()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and RULE_ID.fullmatch(node.value)
            ):
                literals[node.value] += 1
    return literals


@pytest.mark.parametrize("folder", ["spec", "llq_format", "conformance", "vectors/kit", "vectors/cases"])
def test_every_rule_that_is_mentioned_exists(folder: str) -> None:
    for path in (ROOT / folder).rglob("*"):
        if path.suffix in (".py", ".md", ".json"):
            assert set(RULE_ID.findall(path.read_text(encoding="utf-8"))) <= set(registry()), path


def test_every_rule_of_a_checked_stage_and_no_other_has_findings() -> None:
    """That each code is reported is tested by `test_finding_codes.py`."""
    with_findings = {rule for code in FINDING_CODES.values() for rule in code.rules}
    checked = {rule.id for rule in registry().values() if rule.stage in CHECKED}
    assert with_findings == checked | {"LLQ-WGSL-5"}  # executors report it, for it takes a compiler


def test_rules_that_a_schema_names_have_findings() -> None:
    for name in SCHEMAS:
        schema = (SPEC / f"schema/{name}.schema.json").read_text(encoding="utf-8")
        assert all(codes_of(rule) for rule in RULE_ID.findall(schema))


def test_the_library_raises_no_rule_that_a_package_cannot_break() -> None:
    executed = {"LLQ-TOK-4", "LLQ-TOK-5"}  # a template or a tokenizer breaks them when it is executed
    raised = {find(rule).stage for rule in set(literals("llq_format")) - executed}
    assert raised <= set(CHECKED)


# ---- Vectors and tests ----


def rules_of_vectors(*kinds: str) -> set[str]:
    """Return the rules of vectors of some kinds: of an invalid vector only its first error."""
    return {
        rule
        for vector in INDEX
        if vector["kind"] in kinds
        for rule in (vector["rules"][:1] if vector["kind"] == "invalid" else vector["rules"])
    }


def rules_of(*stages: str) -> set[str]:
    """Return the requirements and recommendations of some stages: other kinds have a test of their own."""
    kinds = ("requirement", "recommendation")
    return {rule.id for rule in registry().values() if rule.stage in stages and rule.kind in kinds}


def test_every_rule_that_a_package_can_break_has_a_vector_that_breaks_it() -> None:
    warnings = {rule for rule in rules_of(*CHECKED) if find(rule).severity == "warning"}
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
    assert set(BEHAVIOUR) | set(UNTESTABLE) == rules_of("behaviour")
    for rule, names in BEHAVIOUR.items():
        for name in names:
            file, function = name.split("::")
            tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
            assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, rule
