"""What shows each permission and procedure: vectors, conforming variants and tests, or why nothing can."""

import ast
import json
from typing import Any

from conformance.mutation.conforming import CONFORMING
from llq_format.metadata.rules import registry
from tests.support.repository import ROOT, VECTORS

ADJUSTER = "test llq_format/webgpu/execution/test_adjuster.py"
DEVICES = "test llq_format/webgpu/execution/test_executor_devices.py"
SAMPLED = "test llq_format/reference/test_sampled_choice.py"
SEQUENCES = "test llq_format/webgpu/execution/test_executor_sequences.py"
TEST_PROGRAM = "test llq_format/validation/test_program.py"
TEST_TEXT = "test llq_format/reference/test_text.py"
SHOWN_BY = {
    "LLQ-API-24": ["vector answer-without-options", "vector context-of-few-positions"],
    "LLQ-API-28": ["vector load-refuses-a-shard-with-one-bit-changed"],
    "LLQ-API-29": [
        "vector load-mends-is-busy-once",
        "vector tokenizer-at-whose-address-is-half-of-the-file-always",
    ],
    "LLQ-API-30": ["vector tokenizer-created-of-tokenizer-json"],
    "LLQ-API-31": ["vector tokenizer-created-of-vocab-json"],
    "LLQ-API-32": ["vector tokenizer-put-in-place"],
    "LLQ-API-38": [
        "test web/test_prefix_reuse.py::test_whole_chunks_are_kept_and_results_are_equal_bit_for_bit",
        "vector prompts-with-a-common-beginning",
    ],
    "LLQ-API-41": [
        "vector session-asked-several-times",
        "test llq_format/webgpu/execution/test_sessions.py::test_a_session_computes_only_what_is_new",
    ],
    "LLQ-TOK-6": [
        "test llq_format/sandbox/test_chat_template.py::test_a_template_that_exceeds_a_limit_violates_a_rule"
    ],
    "LLQ-API-34": ["test web/test_loading.py::test_a_stored_package_loads_while_the_server_refuses"],
    "LLQ-API-55": [
        "vector mirror-that-sends-a-shard-with-one-bit-changed",
        "test web/test_node.py::test_in_node",  # of web/test/net/mirrors.test.mjs
    ],
    "LLQ-PKG-12": ["vector control-files"],
    "LLQ-PKG-13": ["vector other-files"],
    "LLQ-PKG-14": ["test llq_format/package/test_reader.py::test_a_package_has_several_addresses"],
    "LLQ-PKG-15": ["test llq_format/package/test_reader.py::test_a_package_has_several_addresses"],
    "LLQ-PKG-17": ["vector module-without-program"],
    "LLQ-PKG-18": [
        "test llq_format/package/test_reader.py::test_a_shard_that_shrinks_after_opening_is_refused"
    ],
    "LLQ-JSON-7": [
        "vector deep-array-behind-a-fault",
        "vector deep-array-that-is-not-closed",
        "vector extras-brackets-in-strings-which-are-no-levels",
    ],
    "LLQ-VER-2": [
        "vector version-and-extension",
        "vector version-of-another-schema",
        "vector required-string-is-listed-after-a-number",
        "vector required-string-is-no-extension-name",
        "vector type-of-extensions-required-is-a-string",
    ],
    "LLQ-META-6": [
        "vector bad-name-before-out-of-range",
        "vector type-of-a-tensor-name-is-a-number",
        "vector type-of-extension-data-are-a-string",
        "vector value-of-extension-data-named-proto",
    ],
    "LLQ-META-7": ["vector control-files"],
    "LLQ-META-9": ["vector control-files"],
    "LLQ-META-10": ["vector prompt-begins-with-bos-and-ends", "vector generation-ends-at-token-0"],
    "LLQ-META-11": ["vector worked-example"],
    "LLQ-META-12": ["vector worked-example"],
    "LLQ-META-13": ["vector grouped-heads-int8"],
    "LLQ-META-14": ["vector chunks-int8", "vector temperature-int8"],
    "LLQ-META-15": ["vector ungated-gelu-int8", "vector experts-int8"],
    "LLQ-EXT-4": ["vector unknown-extension-on-a-tensor", "vector unknown-extension-used"],
    "LLQ-AFFINE-6": ["vector affine-bias-binary16", "vector affine-choices-of-five-layers"],
    "LLQ-AFFINE-7": [
        "vector affine-bias-in-another-shard",
        "vector affine-order-has-the-bias-before-the-matrix",
    ],
    "LLQ-MODEL-7": ["variant float32-shuffled"],
    "LLQ-TENSOR-8": [
        "test llq_format/package/test_reader.py::test_claims_of_size_are_refused_without_memory_for_them"
    ],
    "LLQ-TENSOR-9": ["vector model-with-every-choice-of-llama-4", "vector control-experts"],
    "LLQ-SHARD-7": ["vector worked-example"],
    "LLQ-SHARD-8": ["vector worked-example"],
    "LLQ-REC-6": ["vector worked-example"],
    "LLQ-REC-7": ["vector worked-example"],
    "LLQ-RAW-4": ["vector control-raw"],
    "LLQ-PACK-7": ["vector worked-example"],
    "LLQ-DEQ-7": ["vector zero-point-minus-128", "vector zero-point-127"],
    "LLQ-CANON-5": ["test spec/test_specification_examples.py::test_placement_is_the_procedure_of_the_spec"],
    "LLQ-WRITE-10": ["test llq_format/exporting/test_transforms.py::test_a_transform_keeps_the_logits"],
    "LLQ-READ-5": ["vector long-shard-and-missing-tokenizer", "vector raw-padding-before-a-slot"],
    "LLQ-READ-6": ["variant first-error-alone", "variant talkative-validator"],
    "LLQ-READ-8": ["test llq_format/cli/test_validate.py::test_json_follows_the_schema"],
    "LLQ-ACT-12": ["variant subnormals-flushed"],
    "LLQ-ACT-14": ["vector matvec-blocks-binary16", "vector matvec-blocks-int8"],
    "LLQ-NUM-5": ["vector int8-boundaries", "vector matvec-cancelling"],
    "LLQ-NUM-6": ["variant float32-shuffled", "variant kernel-worst-order"],
    "LLQ-NUM-7": ["variant kernel-fused"],
    "LLQ-NUM-8": ["variant norm-by-reciprocal", "variant codes-by-reciprocal"],
    "LLQ-NUM-9": ["vector int8-extremes"],
    "LLQ-NUM-10": ["variant online-softmax"],
    "LLQ-NUM-11": ["variant token-by-token", "variant three-tokens-at-a-time"],
    "LLQ-NUM-12": ["variant all-experts-masked"],
    "LLQ-NUM-13": ["variant float32-cache-wider-than-declared"],
    "LLQ-NUM-15": [
        "vector matvec-cancelling",
        "vector matvec-long-rows-binary16",
        "vector matvec-long-rows-int8",
    ],
    "LLQ-DEC-18": ["vector llama-4", "vector dense-binary16"],
    "LLQ-DEC-19": ["vector llama-4"],
    "LLQ-DEC-20": ["vector far-positions", "vector chunks-int8"],
    "LLQ-GEN-4": ["vector generation-from-the-last-position"],
    "LLQ-GEN-6": [
        f"{SAMPLED}::test_the_steps_are_those_of_the_chapter",
        f"{SAMPLED}::test_the_examples_of_the_chapter_are_what_the_reference_chooses",
    ],
    "LLQ-GEN-7": [
        f"{SAMPLED}::test_philox_gives_the_published_words",
        f"{SAMPLED}::test_random_numbers_are_those_of_numpy_free_arithmetic",
    ],
    "LLQ-GEN-8": ["test llq_format/webgpu/kernels/test_sample.py::test_sample_is_the_exact_samplers_token"],
    "LLQ-GEN-12": [f"{ADJUSTER}::test_tokens_are_those_of_the_reference_for_the_same_logits"],
    "LLQ-TOK-2": [
        f"{TEST_TEXT}::test_text_survives_encoding_and_special_tokens_are_not_shown",
        f"{TEST_TEXT}::test_a_stream_never_ends_within_a_character",
    ],
    "LLQ-TOK-3": [
        f"{TEST_TEXT}::test_a_chat_template_sees_messages_and_special_tokens",
    ],
    "LLQ-WGSL-6": [f"{TEST_PROGRAM}::test_the_unchanged_file_is_the_first_variant"],
    "LLQ-WGSL-7": ["test llq_format/webgpu/execution/test_suite_runs.py::test_the_suite_passes"],
    "LLQ-PROG-25": ["variant float32-shuffled"],
    "LLQ-PROG-26": [
        "vector beyond-limits-by-a-range-that-is-misaligned",
        "vector program-has-no-tokens-per-workgroup",
        "vector program-without-parameters",
    ],
    "LLQ-PROG-28": ["vector load-fails-for-no-shard", "vector model-loaded-by-the-directory"],
    "LLQ-PROG-30": ["vector control-files"],
    "LLQ-PROG-31": [f"{TEST_PROGRAM}::test_the_unchanged_file_is_the_first_variant"],
    "LLQ-PROG-33": [f"{TEST_PROGRAM}::test_an_executor_runs_kernels_that_it_has_never_seen"],
    "LLQ-PROG-35": [f"{DEVICES}::test_memory_adds_up"],
    "LLQ-PROG-36": [f"{SEQUENCES}::test_the_rotary_table_reaches_the_end_of_the_context"],
    "LLQ-PROG-38": ["vector program-with-a-context-shorter-than-the-model-s"],
    "LLQ-PROG-39": [f"{TEST_PROGRAM}::test_an_executor_runs_kernels_that_it_has_never_seen"],
    "LLQ-PROG-40": [f"{TEST_PROGRAM}::test_an_executor_runs_kernels_that_it_has_never_seen"],
    "LLQ-PROG-41": [f"{TEST_PROGRAM}::test_an_executor_runs_kernels_that_it_has_never_seen"],
    "LLQ-PROG-42": [f"{TEST_PROGRAM}::test_each_dispatch_sees_the_writes_of_earlier_dispatches"],
    "LLQ-PROG-43": [f"{SEQUENCES}::test_tokens_in_flight_are_those_of_single_steps"],
    "LLQ-PROG-44": [
        f"{SEQUENCES}::test_logits_are_the_reference_decoders",
        f"{SEQUENCES}::test_a_sequence_does_not_depend_on_the_previous_sequence",
    ],
    "LLQ-PROG-45": [
        f"{SEQUENCES}::test_chunks_of_any_size_give_the_same_tokens",
        f"{SEQUENCES}::test_nothing_fits_after_a_full_context",
    ],
    "LLQ-PROG-46": [f"{SEQUENCES}::test_logits_are_the_reference_decoders"],
    "LLQ-PROG-47": [
        f"{SEQUENCES}::test_generation_ends_where_the_context_does",
        f"{SEQUENCES}::test_an_end_token_ends_generation_wherever_it_is_in_the_flight",
    ],
    "LLQ-PROG-48": [f"{SEQUENCES}::test_tokens_in_flight_are_those_of_single_steps"],
    "LLQ-PROG-49": [
        f"{DEVICES}::test_generation_continues_after_one_loss",
        f"{DEVICES}::test_a_second_loss_is_an_error",
    ],
    "LLQ-PROG-52": [f"{ADJUSTER}::test_the_next_generation_is_not_adjusted"],
    "LLQ-PROG-51": [f"{SEQUENCES}::test_draws_repeat_with_their_seed_and_differ_without"],
}
"""Evidence by rule: `vector ID`, `variant NAME` (a conforming variant), or `test PATH::FUNCTION`."""

UNTESTABLE = {
    "LLQ-API-25": "no vector reads a member that the declaration does not have",
    "LLQ-API-26": "no server of a vector redirects",
    "LLQ-API-27": "no vector counts the calls of onProgress",
    "LLQ-API-33": "no vector has a grapheme of several characters",
    "LLQ-PROG-27": "no vector has an error in bytes that its program does not read",
    "LLQ-PROG-29": "no result shows when a part was uploaded",
    "LLQ-PROG-34": "no vector has ranges that overlap",
    "LLQ-PROG-37": "no result shows when a buffer was made",
    "LLQ-WRITE-9": "no check compares the choices of writers",
    "LLQ-READ-9": "the suite gives every runtime the memory that its packages need",
    "LLQ-ACT-11": "no result shows the number of roundings",
    "LLQ-ACT-13": "no vector has inputs between zero and 2^-100, so the permission is never used",
    "LLQ-NUM-14": "the suite asks only for results of whole operations",
    "LLQ-DEC-21": "every vector asks for a result for each of its positions",
    "LLQ-GEN-5": "every vector with a full context expects the tokens that context_length leaves room for",
}
"""Why nothing shows a rule."""


def vector_ids() -> set[str]:
    index: dict[str, Any] = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))
    return {vector["id"] for vector in index["vectors"]}


def exists(evidence: str, vectors: set[str]) -> bool:
    kind, _, name = evidence.partition(" ")
    if kind == "vector":
        return name in vectors
    if kind == "variant":
        return name in CONFORMING
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    return function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_permission_and_procedure_is_shown_or_says_why_not() -> None:
    rules = {rule.id for rule in registry().values() if rule.kind in ("permission", "procedure")}
    assert set(SHOWN_BY) | set(UNTESTABLE) == rules
    assert set(SHOWN_BY) & set(UNTESTABLE) == set()


def test_all_evidence_exists() -> None:
    vectors = vector_ids()
    for rule, evidence in SHOWN_BY.items():
        assert [name for name in evidence if not exists(name, vectors)] == [], rule
