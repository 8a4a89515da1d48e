"""The execution program against module and metadata: stage program, rules PROG from PROG-5 on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vectors.cases.program import DISPATCH, GONE, changed
from vectors.cases.wgsl import replaced
from vectors.kit.program import MODULE, TOUCH, buffer, section
from vectors.kit.registry import Key, invalid

if TYPE_CHECKING:
    from vectors.cases.program import Change
    from vectors.kit.package import Package

NEEDS: dict[str, Change] = {
    "features": ("/variants/0/features", ["shader-f16"]),
    "language": ("/variants/0/language", ["packed_4x8_integer_dot_product"]),
    "directives": ("/variants/0/directives", ["enable f16;"]),
}


@invalid("LLQ-PROG-5", cases=NEEDS)
def first_variant_with(change: Change) -> Package:
    """The first variant has {}, and MUST require nothing."""
    return changed(change)


@invalid("LLQ-PROG-6")
def variants_of_one_name() -> Package:
    """Two variants have the same name."""
    return changed(("/variants/1/name", "portable"))


@invalid("LLQ-PROG-7")
def unknown_section() -> Package:
    """The second variant lists a section that is not in the module."""
    return changed(("/variants/1/sections", ["step_packed", "step_fast", "touch"]))


PORTABLE: dict[str, list[str]] = {
    "in another order": ["touch", "step_plain"],
    "with one from a comment": ["step_packed", "touch"],
    "and one from a comment": ["step_plain", "touch", "step_packed"],
}


@invalid("LLQ-PROG-8", cases=PORTABLE)
def first_variant_lists_sections(sections: list[str]) -> Package:
    """The first variant lists the sections outside comments {}."""
    return changed(("/variants/0/sections", sections))


@invalid("LLQ-PROG-8")
def section_outside_comments_that_is_not_portable() -> Package:
    """A section of the second variant is outside comments: the stored module has its entry point twice."""
    module = replaced("/*: begin step_packed", "//: begin step_packed")
    return changed(module=module.replace("end step_packed :*/", "//: end step_packed"))


@invalid("LLQ-PROG-9")
def entry_point_missing() -> Package:
    """A pipeline names an entry point that no section has."""
    return changed(("/pipelines/ghost", ["read"]))


@invalid("LLQ-PROG-9")
def entry_point_in_a_comment() -> Package:
    """A pipeline names an entry point that is in a comment of its section."""
    module = replaced("// touch:", "// @compute @workgroup_size(64) fn ghost() {}\n// touch:")
    return changed(("/pipelines/ghost", ["read"]), module=module)


@invalid("LLQ-PROG-9")
def entry_point_missing_in_one_variant() -> Package:
    """The second variant does not list the section of an entry point."""
    return changed(("/variants/1/sections", ["step_packed"]))


@invalid("LLQ-PROG-9")
def entry_point_twice() -> Package:
    """The second variant lists two sections with entry points of the same name."""
    duplicate = section("again", TOUCH.replace("struct Touch", "struct Again"), portable=False)
    return changed(("/variants/1/sections", ["step_packed", "touch", "again"]), module=MODULE + duplicate)


# ---- Weights and buffers ----


@invalid("LLQ-PROG-10")
def name_of_two_things() -> Package:
    """A buffer has the name of a range of weights."""
    return changed(("/buffers/norm", buffer(4)))


RANGES: dict[str, list[Change]] = {
    Key("in a shard that there is not", "in a shard that does not exist"): [("/weights/norm/shard", 1)],
    "in the preamble": [("/weights/norm/offset", 0)],
    Key("behind the shard", "after the end of the shard"): [("/weights/norm/offset", 12_032)],
    Key("beyond the end of the shard", "partly after the end of the shard"): [
        ("/weights/norm/offset", 11_776),
        ("/weights/norm/size", 260),
    ],
    "at the end of the 32-bit offsets": [("/weights/norm/offset", 4_294_967_040)],
    Key("of the whole shard and more", "longer than the shard"): [
        ("/weights/norm/offset", 256),
        ("/weights/norm/size", 134_217_728),
    ],
}


@invalid("LLQ-PROG-11", cases=RANGES)
def range_lies(changes: list[Change]) -> Package:
    """A range of weights is {}."""
    return changed(*changes)


BUFFERS: dict[str, Change] = {
    "no bytes": ("/buffers/x/bytes", 0),
    Key("more than 128 MiB at the greatest context", "more than 128 MiB at the maximum context"): (
        "/buffers/keys.0/bytes_per_position",
        4_194_308,
    ),
}


@invalid("LLQ-PROG-12", cases=BUFFERS)
def buffer_has(change: Change) -> Package:
    """A buffer has {}."""
    return changed(change)


KNOWN: dict[str, Change] = {
    "sampling of 20 bytes": ("/buffers/sampling/bytes", 20),
    "state that grows": ("/buffers/state/bytes_per_position", 4),
    "too few tokens": ("/buffers/tokens/bytes", 8),
    "logits of one token too few": ("/buffers/logits/bytes", 16),
    "logits of one position for all": ("/buffers/all_logits/bytes", 20),
    "logits that begin as angles": ("/buffers/logits/init", "rope"),
    "half the angles": ("/buffers/rope/bytes_per_position", 4),
    Key("angles behind a head", "angles after 4 bytes"): ("/buffers/rope/bytes", 4),
}


@invalid("LLQ-PROG-13", cases=KNOWN)
def known_buffer_with(change: Change) -> Package:
    """A buffer that the executor reads or writes has another size or initial value: {}."""
    return changed(change)


@invalid("LLQ-PROG-13")
def known_buffer_missing() -> Package:
    """The program has no buffer `all_logits`, and no pass names it."""
    return changed(("/buffers/all_logits", GONE), ("/passes/logits/0/bindings/1", "logits"))


@invalid("LLQ-PROG-14")
def context_beyond_the_model() -> Package:
    """context_length of the program is one position longer than the model's."""
    return changed(("/context_length", 33))


# ---- Dispatches ----


@invalid("LLQ-PROG-15")
def entry_point_without_pipeline() -> Package:
    """A dispatch names an entry point that pipelines does not list."""
    return changed((f"{DISPATCH}/entry_point", "step"))


NUMBERS: dict[str, list[str]] = {
    "a binding too few": ["x"],
    "a binding too many": ["embedding", "x", "norm"],
    "no bindings": [],
}


@invalid("LLQ-PROG-16", cases=NUMBERS)
def dispatch_with(bindings: list[str]) -> Package:
    """A dispatch has {}."""
    return changed((f"{DISPATCH}/bindings", bindings))


@invalid("LLQ-PROG-17", cases={"unknown": "y", "of a tensor that no range names": "layers.0.ffn_norm"})
def binding(name: str) -> Package:
    """A binding is {}."""
    return changed((f"{DISPATCH}/bindings/0", name))


@invalid("LLQ-PROG-18")
def weights_written() -> Package:
    """A dispatch binds a range of weights for writing."""
    return changed((f"{DISPATCH}/bindings", ["x", "norm"]))


@invalid("LLQ-PROG-19")
def buffer_read_and_written() -> Package:
    """A dispatch binds one buffer for reading and for writing."""
    return changed((f"{DISPATCH}/bindings", ["x", "x"]))


@invalid("LLQ-PROG-20")
def slot_beyond_the_last() -> Package:
    """A dispatch names a parameter slot after the last one."""
    return changed((f"{DISPATCH}/parameters", 3))


@invalid("LLQ-PROG-20")
def slot_beyond_the_last_in_the_second_dispatch() -> Package:
    """The second dispatch of a pass names a parameter slot after the last one."""
    return changed(("/passes/decode/1/parameters", 3))


@invalid("LLQ-PROG-21")
def tokens_in_the_last_dispatch() -> Package:
    """The third dimension of the second dispatch of pass sample depends on the number of tokens."""
    return changed(("/passes/sample/1/workgroups/2", {"tokens_per_workgroup": 1}))


@invalid("LLQ-PROG-21", cases={"last": "last", "greedy": "greedy", "sample": "sample"})
def tokens_in(name: str) -> Package:
    """A dispatch of pass {} has a dimension that depends on the number of tokens."""
    return changed((f"/passes/{name}/0/workgroups/1", {"tokens_per_workgroup": 1}))
